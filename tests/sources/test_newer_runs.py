"""The search for newer runs of a session, which would supersede the one to be published."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from aiokafka.partitioner import DefaultPartitioner

from f1stream import topics
from f1stream.settings import Settings
from f1stream.sources import newer_runs as newer
from f1stream.sources.newer_runs import newer_run_warning, newer_runs, warn_of_newer_runs
from f1stream.sources.packing import pack
from f1stream.sources.simulator import simulate
from f1stream.topics import RecordHeaders
from tests.support.rig import Rig, bytes_of

NOW = 1_764_500_000_000
HOUR_MS = 3_600_000
KEY = b"9693"
PARTITIONS = [0, 1, 2]
AT = DefaultPartitioner()(KEY, PARTITIONS, PARTITIONS)


def message(run: int, key: bytes = KEY, stamped_ms: int = NOW, headers: Any = None, size: int = 100) -> Any:
    own = RecordHeaders(run, 0, 0).encode() if headers is None else headers
    return SimpleNamespace(key=key, value=b"x" * size, headers=own, timestamp=stamped_ms)


@dataclass
class Consumer:
    """The partitions of a topic; a fetch returns one record of each."""

    logs: dict[int, Sequence[Any]]
    stuck: bool = False
    assigned: list[TopicPartition] = field(default_factory=list)
    at: dict[TopicPartition, int] = field(default_factory=dict)
    began: dict[int, int] = field(default_factory=dict)
    fetched: int = 0
    stopped: bool = False

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        self.stopped = True

    def partitions_for_topic(self, topic: str) -> set[int]:
        return set(PARTITIONS) if topic == topics.MESSAGES else set()

    def unsubscribe(self) -> None:
        pass

    def assign(self, tps: list[TopicPartition]) -> None:
        self.assigned = tps

    async def beginning_offsets(self, tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(tps, 0)

    async def end_offsets(self, tps: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: len(self.logs[tp.partition]) for tp in tps}

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.at[tp] = self.began[tp.partition] = offset

    async def position(self, tp: TopicPartition) -> int:
        return self.at[tp]

    def highwater(self, tp: TopicPartition) -> int:
        return len(self.logs[tp.partition])

    async def getmany(self, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        found = {}
        for tp in self.assigned if not self.stuck else []:
            if self.at[tp] < self.highwater(tp):
                found[tp] = [self.logs[tp.partition][self.at[tp]]]
                self.at[tp] += 1
                self.fetched += 1
        return found


def settings() -> Settings:
    return Settings(_env_file=None, broker="kafka:9092")


def logs(*records: Any) -> dict[int, Sequence[Any]]:
    return {number: records if number == AT else [] for number in PARTITIONS}


async def look(consumer: Consumer, *keys: str) -> dict[str, int]:
    return await newer_runs(settings(), keys or [KEY.decode()], NOW, client=lambda *_, **__: consumer)


async def test_the_greatest_newer_run_of_the_session_is_found() -> None:
    consumer = Consumer(logs(message(NOW - 5), message(NOW + 9), message(NOW + 7), message(NOW + 99, key=b"other")))
    assert await look(consumer) == {"9693": NOW + 9}
    assert [tp.partition for tp in consumer.assigned] == [AT], "no other partition is read"
    assert consumer.stopped


async def test_runs_that_supersede_nothing_are_not_found() -> None:
    refused = [message(NOW + HOUR_MS + 1), message(2**62), message(2**62, stamped_ms=NOW + HOUR_MS)]
    nothing = [message(NOW), message(1, headers=[]), message(1, headers=[("epoch", None)]),
               message(1, headers=[("epoch", b"soon")])]  # fmt: skip
    assert await look(Consumer(logs(*refused, *nothing))) == {}
    assert await look(Consumer(logs())) == {}


async def test_the_search_has_limits_of_records_bytes_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newer, "SEARCH_RECORDS", 3)
    many = Consumer(logs(message(NOW + 1), *[message(NOW)] * 10))
    assert await look(many) == {}
    assert (many.began[AT], many.fetched) == (8, 3)
    monkeypatch.setattr(newer, "SEARCH_BYTES", 250)
    large = Consumer(logs(*[message(NOW, size=200)] * 3))
    assert await look(large) == {}
    assert large.fetched == 2
    passed = iter(range(100))
    monkeypatch.setattr(newer, "time", SimpleNamespace(monotonic=lambda: next(passed)))
    assert await look(Consumer(logs(message(NOW + 1)), stuck=True)) == {}, "no record comes"


def test_the_warning_has_the_time_of_the_newer_run_and_what_to_do() -> None:
    said = newer_run_warning(settings(), "9693", NOW)
    assert "Session 9693 has a newer run in the topics, 1764500000000 (2025-11-30 10:53:20 UTC)" in said
    assert "publish again after that time" in said
    assert "deploy/README.md, Other numbers of partitions" in said
    assert "restart the embedded broker" in newer_run_warning(Settings(_env_file=None), "9693", NOW)


async def test_a_failed_search_does_not_stop_publishing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: Any) -> dict[str, int]:
        raise newer.unreachable(settings(), KafkaConnectionError())

    monkeypatch.setattr(newer, "newer_runs", fails)
    said: list[str] = []
    await warn_of_newer_runs(settings(), ["9693"], NOW, said.append)
    assert said == []


async def test_a_newer_run_on_a_broker_causes_a_warning(rig: Rig) -> None:
    now, session = time.time_ns() // 1_000_000, simulate(3, cars=2, laps=1)
    said: list[str] = []
    await warn_of_newer_runs(rig.settings, [session.session_key], now, said.append)
    assert said == [], "there is no run yet"
    await rig.publish(bytes_of(pack(session, now + 60_000, 1_000)))
    await warn_of_newer_runs(rig.settings, [session.session_key, "another"], now, said.append)
    assert len(said) == 1
    assert f"Session {session.session_key} has a newer run in the topics, {now + 60_000}" in said[0]
