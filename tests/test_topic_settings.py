"""Settings of new topics, and the sentences about existing ones with wrong settings."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from f1stream import topics
from f1stream.settings import Settings
from f1stream.topic_settings import (
    BROKER_TIMED,
    Setting,
    partitions,
    topic_configs,
    use_broker_timestamps,
    wrong_partitions,
    wrong_settings,
)

KAFKAS_DEFAULT_BYTES = 1_048_588
CARS = "f1stream-race-cars-changelog"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, home=tmp_path, topic_partitions=24)


def test_topics_with_the_configured_partitions_are_right(settings: Settings) -> None:
    assert wrong_partitions(partitions(settings) | {CARS: 24}, settings) is None
    assert wrong_partitions({}, settings) is None, "what is not there is made"


@pytest.mark.parametrize("topic", [*(name for name in topics.ALL if name != topics.MARTS), CARS])
def test_each_topic_with_a_wrong_number_of_partitions_is_named_with_what_to_do(
    settings: Settings, topic: str
) -> None:
    wrong = wrong_partitions(partitions(settings) | {CARS: 24, topic: 12}, settings)
    assert wrong is not None
    assert f"F1STREAM_TOPIC_PARTITIONS=24: {topic} (12). They must all have the same" in wrong
    assert "make the topics again, as deploy/README.md says under Other numbers of partitions" in wrong


def test_if_all_topics_have_the_same_number_the_setting_is_wrong(settings: Settings) -> None:
    there = partitions(settings.model_copy(update={"topic_partitions": 3})) | {CARS: 3}
    wrong = wrong_partitions(there, settings) or ""
    assert wrong.endswith("Set it to 3, as all topics have.")
    assert "They must all have the same" in (wrong_partitions(there | {CARS: 4}, settings) or "")


def test_other_topics_may_have_any_number_of_partitions(settings: Settings) -> None:
    there = {"marts": 1, "orders": 7, "f1stream-archive-__assignor-__leader": 1, "__consumer_offsets": 50}
    assert wrong_partitions(partitions(settings) | there, settings) is None


def test_topics_of_runs_get_the_brokers_timestamps(settings: Settings) -> None:
    """A source's wrong clock cannot shift the timestamp with which its run id is compared."""
    made = topic_configs(settings)
    stamped = {name for name in topics.ALL if made.get(name, {}).get("message.timestamp.type") == "LogAppendTime"}
    assert stamped == {topics.TELEMETRY, topics.LAPS, topics.MESSAGES}
    assert made[topics.FRAMES] == {"retention.ms": "604800000"}


def found(size: int = KAFKAS_DEFAULT_BYTES, times: str = "LogAppendTime") -> dict[str, dict[str, Setting]]:
    reported = {"max.message.bytes": Setting(str(size), False), "message.timestamp.type": Setting(times, False)}
    return dict.fromkeys([*BROKER_TIMED, CARS], reported)


def test_kafkas_defaults_and_our_settings_are_right() -> None:
    assert list(wrong_settings(found())) == []
    assert list(wrong_settings({name: {} for name in topics.ALL})) == [], "nothing is reported"


def test_topics_that_accept_only_smaller_records_than_we_send_are_named() -> None:
    (wrong,) = wrong_settings(found() | {CARS: found(topics.MAX_RECORD_BYTES - 1)[CARS]})
    assert f"do not take records of {topics.MAX_RECORD_BYTES} bytes: {CARS} ({topics.MAX_RECORD_BYTES - 1})." in wrong
    assert "message.max.bytes" in wrong


def test_topics_that_keep_the_sources_time_are_named() -> None:
    (wrong,) = wrong_settings(found() | {topics.LAPS: found(times="CreateTime")[topics.LAPS]})
    assert wrong.startswith("The records of laps have their source's time")
    assert "`f1stream topics`" in wrong


class Admin:
    """A broker's topics; altering a topic replaces all of its settings, as in Kafka."""

    def __init__(self, code: int = 0) -> None:
        self.own: dict[str, dict[str, str]] = {
            topics.TELEMETRY: {"message.timestamp.type": "LogAppendTime"},
            topics.MESSAGES: {"retention.ms": "99"},
        }
        self.code, self.asked = code, 0

    async def describe_configs(self, asked: list[Any]) -> list[Any]:
        return [SimpleNamespace(resources=[self._described(each.name) for each in asked])]

    def _described(self, name: str) -> tuple[Any, ...]:
        if name not in self.own:
            return 3, "unknown topic", 2, name, []
        values = {"message.timestamp.type": "CreateTime", "max.message.bytes": "1048588"} | self.own[name]
        return 0, "", 2, name, [(each, value, False, 1 if each in self.own[name] else 5, False, [])
                                for each, value in values.items()]  # fmt: skip

    async def alter_configs(self, asked: list[Any]) -> list[Any]:
        self.asked += 1
        if not self.code:
            self.own |= {each.name: each.configs for each in asked}
        return [SimpleNamespace(resources=[(self.code, "", 2, each.name) for each in asked])]


async def test_existing_topics_get_the_brokers_timestamps_and_keep_their_other_settings() -> None:
    admin: Any = Admin()
    assert await use_broker_timestamps(admin) == []
    assert admin.own[topics.MESSAGES] == {"retention.ms": "99", "message.timestamp.type": "LogAppendTime"}
    assert admin.own.keys() == {topics.TELEMETRY, topics.MESSAGES}
    assert await use_broker_timestamps(admin) == []
    assert admin.asked == 1, "nothing was left to change"


async def test_a_setting_that_the_broker_refuses_is_reported() -> None:
    (refused,) = await use_broker_timestamps(Admin(code=29))  # type: ignore[arg-type]
    assert "Topic messages keeps its source's times" in refused
    assert "TopicAuthorizationFailedError" in refused
