"""Whether a worker is healthy: its input partitions grow, and records of them are acknowledged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from faust.exceptions import ConsumerNotStarted
from faust.types import TP

from agents import health
from agents.health import Vitals
from f1stream import topics
from f1stream.processing.acks import AckTracker
from f1stream.vitals import STUCK_S, Progress

INPUT = TP("telemetry", 3)
CHANGELOG = TP("f1stream-race-cars-changelog", 6)


@dataclass
class Consumer:
    """A worker's consumer: ends of logs and acknowledged offsets, by partition."""

    ends: dict[TP, int] = field(default_factory=lambda: {INPUT: 100})
    _committed_offset: dict[TP, int] = field(default_factory=lambda: {INPUT: 50})

    def assignment(self) -> set[TP]:
        return set(self.ends)

    def highwater(self, tp: TP) -> int | None:
        return self.ends[tp]


def worker(consumer: Consumer | None) -> Any:
    """An app whose partitions are assigned and whose tables are recovered."""
    return SimpleNamespace(
        _consumer=consumer, rebalancing=False, tables=SimpleNamespace(recovery=SimpleNamespace(in_recovery=False)),
        assignor=SimpleNamespace(assigned_actives=lambda: {INPUT}),
        topics=SimpleNamespace(acks_enabled_for=lambda topic: topic in topics.ALL),
    )  # fmt: skip


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the clock (s)."""
    now = 0.0

    def set_clock(seconds: float) -> None:
        nonlocal now
        now = seconds

    monkeypatch.setattr(health.time, "monotonic", lambda: now)
    return set_clock


@pytest.fixture
def consumer() -> Consumer:
    return Consumer()


@pytest.fixture
def vitals(consumer: Consumer, at: Callable[[float], None]) -> Vitals:
    return Vitals(worker(consumer))


At = Callable[[float], None]


def test_growing_partition_of_which_nothing_is_acknowledged_is_unhealthy(
    vitals: Vitals, consumer: Consumer, at: At
) -> None:
    assert vitals.stuck() is None
    consumer.ends[INPUT] = 200
    at(STUCK_S - 1)
    assert vitals.stuck() is None, "not for so short a time"
    at(STUCK_S + 1)
    assert "telemetry[3] has grown to 200" in (vitals.stuck() or "")
    assert "telemetry[3] has grown to 200" in (vitals.reason() or "")
    assert not vitals.alive()


def test_changelog_of_a_table_grows_and_is_never_acknowledged(vitals: Vitals, consumer: Consumer, at: At) -> None:
    """The client keeps a changelog's partitions, and fetches from them, after the table is recovered."""
    consumer.ends[CHANGELOG] = 0
    assert (vitals.reason(), vitals.alive()) == (None, True)
    at(1.0)
    consumer.ends[CHANGELOG] = 1  # the first write to the table
    assert (vitals.reason(), vitals.alive()) == (None, True)
    at(STUCK_S + 2)
    assert (vitals.reason(), vitals.alive()) == (None, True)
    assert list(vitals.lags()) == [INPUT]


def test_lag_is_what_is_not_acknowledged(vitals: Vitals, consumer: Consumer) -> None:
    unread, ahead = TP("telemetry", 4), TP("telemetry", 5)
    consumer.ends |= {unread: 7, ahead: 3}
    consumer._committed_offset[ahead] = 4  # acknowledged since the latest fetch
    assert vitals.lags() == {INPUT: 50, unread: 7, ahead: 0}


def test_worker_that_has_not_connected_yet_is_alive_and_not_healthy(at: At) -> None:
    app = worker(None)
    app.assignor = SimpleNamespace(assigned_actives=set)
    vitals = Vitals(app)
    assert (vitals.reason(), vitals.alive(), vitals.lags()) == ("No partitions are assigned yet.", True, {})
    app._consumer = SimpleNamespace(assignment=not_started)
    assert (vitals.reason(), vitals.alive(), vitals.lags()) == ("No partitions are assigned yet.", True, {})


def not_started() -> set[TP]:
    raise ConsumerNotStarted("Consumer thread not yet started")


@pytest.mark.parametrize("busy", ["rebalancing", "recovery"])
def test_worker_in_a_rebalance_or_a_recovery_is_alive_and_not_healthy(
    vitals: Vitals, consumer: Consumer, at: At, busy: str
) -> None:
    assert vitals.alive()
    consumer.ends[INPUT] = 200
    at(STUCK_S + 1)
    if busy == "rebalancing":
        vitals.app.rebalancing = True
    else:
        vitals.app.tables.recovery.in_recovery = True
    assert vitals.reason() in {"Partitions are being assigned.", "Tables are being recovered."}
    assert vitals.alive()


def test_records_that_are_received_and_wait_for_others_are_not_stuck(consumer: Consumer, at: At) -> None:
    """As all of a partition do behind a run whose source was killed: a new worker would get no further."""
    vitals = Vitals(worker(consumer), progress=Progress("received"))
    acks = AckTracker(vitals.received)
    for now in range(0, 3600, 10):
        at(now)
        acks.take(record(100 + now))
        consumer.ends[INPUT] = 110 + now
        assert vitals.stuck() is None
    at(3600 + STUCK_S)
    consumer.ends[INPUT] = 9000
    assert "has grown" in (vitals.stuck() or ""), "nothing more was received"


def record(offset: int) -> Any:
    return SimpleNamespace(message=SimpleNamespace(topic=INPUT.topic, partition=INPUT.partition, offset=offset))


def test_records_that_wait_for_a_flush_are_not_stuck(consumer: Consumer, at: At) -> None:
    """Asked every ten seconds, as a supervisor does, over an hour of flushes every ten minutes."""
    flush_s = 600
    vitals = Vitals(worker(consumer), progress=Progress("acknowledged", STUCK_S + flush_s))
    for now in range(0, 3600, 10):
        at(now)
        consumer.ends[INPUT], consumer._committed_offset[INPUT] = 100 + now, now // flush_s * flush_s
        assert vitals.stuck() is None, f"at {now} s"
    at(3600 + flush_s + STUCK_S)
    consumer.ends[INPUT] = 9000
    assert "has grown" in (vitals.stuck() or ""), "it has not moved since 3000 s"


async def test_health_says_for_what_a_worker_waits_also_when_nothing_more_comes(
    vitals: Vitals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "tell", lambda **_: None)  # its metrics are the process's
    app = SimpleNamespace(web=SimpleNamespace(web_app=web.Application()))
    health.serve_health(app, vitals)
    async with TestClient(TestServer(app.web.web_app)) as client:
        for waits in ("No space left on device", None):
            vitals.waits = waits
            answer = await client.get("/health")
            assert (answer.status, (await answer.json())["waits"]) == (200, waits)


def test_worker_that_waits_for_the_warehouse_is_not_replaced(vitals: Vitals, consumer: Consumer, at: At) -> None:
    assert (vitals.reason(), vitals.alive()) == (None, True)
    at(STUCK_S + 1)
    consumer.ends[INPUT] = 200
    assert not vitals.alive()
    vitals.waits = "The warehouse is away."
    assert (vitals.reason(), vitals.alive()) == ("The warehouse is away.", True)


def test_worker_whose_topics_came_to_differ_is_unhealthy_and_not_replaced(
    vitals: Vitals, consumer: Consumer, at: At
) -> None:
    """A new one would refuse to start."""
    wrong: list[str] = []
    vitals.wrong_topics = lambda: next(iter(wrong), None)
    assert (vitals.reason(), vitals.alive()) == (None, True)
    wrong.append("laps has other partitions.")
    assert (vitals.reason(), vitals.alive()) == ("laps has other partitions.", True)
    at(STUCK_S + 1)
    consumer.ends[INPUT] = 200
    assert (vitals.reason(), vitals.alive()) == ("laps has other partitions.", True)


def test_partition_that_does_not_grow_is_only_idle(vitals: Vitals, at: At) -> None:
    assert vitals.stuck() is None
    at(10 * STUCK_S)
    assert vitals.stuck() is None


def test_position_that_moves_is_healthy_however_far_behind(vitals: Vitals, consumer: Consumer, at: At) -> None:
    for minute in range(10):
        at(60.0 * minute)
        consumer.ends[INPUT], consumer._committed_offset[INPUT] = 1_000_000 + minute, 50 + minute
        assert vitals.stuck() is None
