"""A worker is healthy if the records of its growing input partitions are acknowledged."""

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
from agents.health import WorkerHealth
from f1stream import topics
from f1stream.process_health import STUCK_S, StallDetector
from f1stream.processing.acks import AckTracker

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
def worker_health(consumer: Consumer, at: Callable[[float], None]) -> WorkerHealth:
    return WorkerHealth(worker(consumer))


At = Callable[[float], None]


def test_growing_partition_of_which_nothing_is_acknowledged_is_unhealthy(
    worker_health: WorkerHealth, consumer: Consumer, at: At
) -> None:
    assert worker_health.stuck() is None
    consumer.ends[INPUT] = 200
    at(STUCK_S - 1)
    assert worker_health.stuck() is None, "not after so short a time"
    at(STUCK_S + 1)
    assert "telemetry[3] has grown to 200" in (worker_health.stuck() or "")
    assert "telemetry[3] has grown to 200" in (worker_health.reason() or "")
    assert not worker_health.alive()


def test_changelog_of_a_table_grows_and_is_never_acknowledged(
    worker_health: WorkerHealth, consumer: Consumer, at: At
) -> None:
    """The client keeps a changelog's partitions, and fetches from them, after the table is recovered."""
    consumer.ends[CHANGELOG] = 0
    assert (worker_health.reason(), worker_health.alive()) == (None, True)
    at(1.0)
    consumer.ends[CHANGELOG] = 1  # the first write to the table
    assert (worker_health.reason(), worker_health.alive()) == (None, True)
    at(STUCK_S + 2)
    assert (worker_health.reason(), worker_health.alive()) == (None, True)
    assert list(worker_health.lags()) == [INPUT]


def test_lag_is_the_number_of_unacknowledged_records(worker_health: WorkerHealth, consumer: Consumer) -> None:
    unread, ahead = TP("telemetry", 4), TP("telemetry", 5)
    consumer.ends |= {unread: 7, ahead: 3}
    consumer._committed_offset[ahead] = 4  # acknowledged since the latest fetch
    assert worker_health.lags() == {INPUT: 50, unread: 7, ahead: 0}


def test_worker_that_has_not_connected_yet_is_alive_and_not_healthy(at: At) -> None:
    app = worker(None)
    app.assignor = SimpleNamespace(assigned_actives=set)
    worker_health = WorkerHealth(app)
    assert (worker_health.reason(), worker_health.alive()) == ("No partitions are assigned yet.", True)
    assert worker_health.lags() == {}
    app._consumer = SimpleNamespace(assignment=not_started)
    assert (worker_health.reason(), worker_health.alive()) == ("No partitions are assigned yet.", True)
    assert worker_health.lags() == {}


def not_started() -> set[TP]:
    raise ConsumerNotStarted("Consumer thread not yet started")


@pytest.mark.parametrize("busy", ["rebalancing", "recovery"])
def test_worker_in_a_rebalance_or_a_recovery_is_alive_and_not_healthy(
    worker_health: WorkerHealth, consumer: Consumer, at: At, busy: str
) -> None:
    assert worker_health.alive()
    consumer.ends[INPUT] = 200
    at(STUCK_S + 1)
    if busy == "rebalancing":
        worker_health.app.rebalancing = True
    else:
        worker_health.app.tables.recovery.in_recovery = True
    assert worker_health.reason() in {"Partitions are being assigned.", "Tables are being recovered."}
    assert worker_health.alive()


def test_records_that_are_received_and_wait_for_others_are_not_stuck(consumer: Consumer, at: At) -> None:
    """Like all records behind a run whose source was killed: restarting the worker would not help."""
    worker_health = WorkerHealth(worker(consumer), stalls=StallDetector("received"))
    acks = AckTracker(worker_health.received)
    for now in range(0, 3600, 10):
        at(now)
        acks.take(record(100 + now))
        consumer.ends[INPUT] = 110 + now
        assert worker_health.stuck() is None
    at(3600 + STUCK_S)
    consumer.ends[INPUT] = 9000
    assert "has grown" in (worker_health.stuck() or ""), "nothing more was received"


def record(offset: int) -> Any:
    return SimpleNamespace(message=SimpleNamespace(topic=INPUT.topic, partition=INPUT.partition, offset=offset))


def test_records_that_wait_for_a_flush_are_not_stuck(consumer: Consumer, at: At) -> None:
    """Checked every ten seconds, as a supervisor does, over an hour of flushes every ten minutes."""
    flush_s = 600
    worker_health = WorkerHealth(worker(consumer), stalls=StallDetector("acknowledged", STUCK_S + flush_s))
    for now in range(0, 3600, 10):
        at(now)
        consumer.ends[INPUT], consumer._committed_offset[INPUT] = 100 + now, now // flush_s * flush_s
        assert worker_health.stuck() is None, f"at {now} s"
    at(3600 + flush_s + STUCK_S)
    consumer.ends[INPUT] = 9000
    assert "has grown" in (worker_health.stuck() or ""), "it has not moved since 3000 s"


async def test_health_reports_what_a_worker_waits_for_also_without_new_records(
    worker_health: WorkerHealth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "register_process_metrics", lambda **_: None)  # its metrics are the process's
    app = SimpleNamespace(web=SimpleNamespace(web_app=web.Application()))
    health.serve_health(app, worker_health)
    async with TestClient(TestServer(app.web.web_app)) as client:
        for waits in ("No space left on device", None):
            worker_health.waits = waits
            answer = await client.get("/health")
            assert (answer.status, (await answer.json())["waits"]) == (200, waits)


def test_worker_that_waits_for_the_warehouse_is_not_restarted(
    worker_health: WorkerHealth, consumer: Consumer, at: At
) -> None:
    assert (worker_health.reason(), worker_health.alive()) == (None, True)
    at(STUCK_S + 1)
    consumer.ends[INPUT] = 200
    assert not worker_health.alive()
    worker_health.waits = "The warehouse is away."
    assert (worker_health.reason(), worker_health.alive()) == ("The warehouse is away.", True)


def test_worker_with_changed_partitions_is_unhealthy_and_not_restarted(
    worker_health: WorkerHealth, consumer: Consumer, at: At
) -> None:
    """A restarted worker would refuse to start."""
    wrong: list[str] = []
    worker_health.wrong_topics = lambda: next(iter(wrong), None)
    assert (worker_health.reason(), worker_health.alive()) == (None, True)
    wrong.append("laps has other partitions.")
    assert (worker_health.reason(), worker_health.alive()) == ("laps has other partitions.", True)
    at(STUCK_S + 1)
    consumer.ends[INPUT] = 200
    assert (worker_health.reason(), worker_health.alive()) == ("laps has other partitions.", True)


def test_partition_that_does_not_grow_is_only_idle(worker_health: WorkerHealth, at: At) -> None:
    assert worker_health.stuck() is None
    at(10 * STUCK_S)
    assert worker_health.stuck() is None


def test_position_that_moves_is_healthy_at_any_lag(worker_health: WorkerHealth, consumer: Consumer, at: At) -> None:
    for minute in range(10):
        at(60.0 * minute)
        consumer.ends[INPUT], consumer._committed_offset[INPUT] = 1_000_000 + minute, 50 + minute
        assert worker_health.stuck() is None
