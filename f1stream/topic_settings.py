"""Settings of new topics, and checks of existing ones: partitions, retention, timestamps, record size."""

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
"""Topics whose records get the broker's timestamp. Run ids are compared with it, and a source's clock can be wrong.

The embedded broker keeps the source's timestamp; it runs on the source's own machine.
"""
SIZE = "max.message.bytes"
SET_ON_TOPIC = 1
"""Kafka's code for a setting of the topic itself, not a default of the broker or of Kafka."""
CHANGELOG = re.compile(r"f1stream-race-.*-changelog")
"""Names of the changelogs of the race worker's tables."""


def partitions(settings: Settings) -> dict[str, int]:
    """The number of partitions of each topic."""
    return {name: 1 if name == topics.MARTS else settings.topic_partitions for name in topics.ALL}


def topic_configs(settings: Settings) -> dict[str, dict[str, str]]:
    """The settings of each new topic that differ from the broker's defaults."""
    retention = {
        topics.FRAMES: settings.frames_retention_hours,
        topics.UPDATES: 24,
        topics.DEAD_LETTERS: 24 * 30,
    }
    made = {name: {"retention.ms": str(hours * HOUR_MS)} for name, hours in retention.items()}
    made[topics.MARTS] = {"cleanup.policy": "compact"}  # only the latest record of each key matters
    return made | {name: {TIMES: BY_THE_BROKER} for name in BROKER_TIMED}


def wrong_partitions(there: Mapping[str, int], settings: Settings) -> str | None:
    """The race worker's topics with a wrong number of partitions, as a sentence; None if there are none.

    ``there``: partitions by existing topic. Records of one car, and of one session, are processed by the worker that
    has the partitions of the same number of every topic and every changelog.
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
    """All settings of each existing topic, by topic and name. Raises KafkaError."""
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    answers = await admin.describe_configs(asked) if asked else []
    return {
        name: {entry[0]: Setting(entry[1], entry[3] == SET_ON_TOPIC) for entry in entries}
        for answer in answers
        for code, _, _, name, entries in answer.resources
        if code == 0
    }


def wrong_settings(found: Mapping[str, Mapping[str, Setting]]) -> Iterator[str]:
    """Wrong settings of topics, as sentences. A setting that the broker does not report counts as right."""
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
    """Switch existing topics to the broker's timestamps; returns the failures as sentences.

    The request repeats a topic's other settings, because Kafka resets those that it does not name.
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
