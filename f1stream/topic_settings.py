"""How the topics are made and what must be true of those that exist: partitions, retention, times, sizes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from f1stream import topics
from f1stream.settings import Settings

HOUR_MS = 3_600_000
TIMES = "message.timestamp.type"
BY_THE_BROKER = "LogAppendTime"
BROKER_TIMED = (topics.TELEMETRY, topics.LAPS, topics.MESSAGES)
"""Their records have the broker's time, not the source's: a run's id is compared with it, and a clock can be wrong.

The embedded broker keeps the source's; it runs on the source's own machine.
"""
SIZE = "max.message.bytes"
SET_ON_TOPIC = 1
"""Kafka's code for a setting that the topic itself has, and not the broker's or Kafka's own."""
CHANGELOG = re.compile(r"f1stream-race-.*-changelog")
"""How the topics of the race worker's tables are named."""


def partitions(settings: Settings) -> dict[str, int]:
    """How many each topic has."""
    return {name: 1 if name == topics.MARTS else settings.topic_partitions for name in topics.ALL}


def topic_configs(settings: Settings) -> dict[str, dict[str, str]]:
    """The settings with which each topic is made, where they are not the broker's own."""
    retention = {
        topics.FRAMES: settings.frames_retention_hours,
        topics.UPDATES: 24,
        topics.DEAD_LETTERS: 24 * 30,
    }
    made = {name: {"retention.ms": str(hours * HOUR_MS)} for name, hours in retention.items()}
    made[topics.MARTS] = {"cleanup.policy": "compact"}  # the newest of each key is all there is to know
    return made | {name: {TIMES: BY_THE_BROKER} for name in BROKER_TIMED}


def wrong_partitions(there: Mapping[str, int], settings: Settings) -> str | None:
    """Which topics of the race worker have other numbers of partitions than it needs, as a sentence; None for none.

    ``there``: how many each topic has; topics that do not exist are left out. Records of one car, and of one
    session, meet in the worker that has the partitions of one number: of each topic, and of each table's changelog.
    """
    wanted = settings.topic_partitions
    must_agree = {
        name: count
        for name, count in there.items()
        if name != topics.MARTS and (name in topics.ALL or CHANGELOG.fullmatch(name))
    }
    others = {name: count for name, count in must_agree.items() if count != wanted}
    if not others:
        return None
    named = ", ".join(f"{name} ({count})" for name, count in sorted(others.items()))
    found = f"With other numbers of partitions than F1STREAM_TOPIC_PARTITIONS={wanted}: {named}."
    if others == must_agree and len(set(others.values())) == 1:
        return f"{found} Set it to {next(iter(others.values()))}, as all topics have."
    return (
        f"{found} They must all have the same, or frames stop: make the topics again, as deploy/README.md says under "
        "Other numbers of partitions."
    )


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a topic."""

    value: str
    is_the_topics_own: bool


async def read_settings(admin: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, dict[str, Setting]]:
    """All settings of each topic that exists, by topic and name. Raises KafkaError."""
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    answers = await admin.describe_configs(asked) if asked else []
    return {
        name: {entry[0]: Setting(entry[1], entry[3] == SET_ON_TOPIC) for entry in entries}
        for answer in answers
        for code, _, _, name, entries in answer.resources
        if code == 0
    }


def wrong_settings(found: Mapping[str, Mapping[str, Setting]]) -> Iterator[str]:
    """What is wrong with the settings of topics, as sentences. A setting that a broker does not report is right."""
    unstamped = [
        name for name in BROKER_TIMED if (now := found.get(name, {}).get(TIMES)) and now.value != BY_THE_BROKER
    ]
    if unstamped:
        yield (
            f"The records of {', '.join(unstamped)} have their source's time instead of the broker's: "
            "run `f1stream topics`, which sets it."
        )
    small = {
        name: int(settings[SIZE].value)
        for name, settings in found.items()
        if SIZE in settings and int(settings[SIZE].value) < topics.MAX_RECORD_BYTES
    }
    if small:
        named = ", ".join(f"{name} ({size})" for name, size in sorted(small.items()))
        yield (
            f"Topics that do not take records of {topics.MAX_RECORD_BYTES} bytes: {named}. Set their {SIZE}, or "
            "the brokers' message.max.bytes, to Kafka's default of 1048588 or more."
        )


async def use_broker_timestamps(admin: AIOKafkaAdminClient) -> list[str]:
    """Let the broker stamp the records of topics that were made before we did; returns what is wrong, as sentences.

    Of a topic's own settings Kafka keeps only those that are named in the request.
    """
    found = await read_settings(admin, BROKER_TIMED)
    wrong = {name: now for name, now in found.items() if TIMES in now and now[TIMES].value != BY_THE_BROKER}
    if not wrong:
        return []
    asked = [
        ConfigResource(
            ConfigResourceType.TOPIC,
            name,
            {each: now.value for each, now in settings.items() if now.is_the_topics_own} | {TIMES: BY_THE_BROKER},
        )
        for name, settings in wrong.items()
    ]
    answers: list[Any] = await admin.alter_configs(asked)
    return [
        f"Topic {name} keeps its source's times: {TIMES} could not be set ({for_code(code).__name__})."
        for answer in answers
        for code, _, _, name in answer.resources
        if code != 0
    ]
