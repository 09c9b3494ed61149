"""What a worker says of its own health."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from agents.health import Vitals
from f1stream.processing.acks import AckTracker
from f1stream.vitals import STUCK_S, Progress

PARTITION = TP("telemetry", 3)


def record(offset: int) -> Any:
    return SimpleNamespace(
        message=SimpleNamespace(topic=PARTITION.topic, partition=PARTITION.partition, offset=offset)
    )


def stuck(vitals: Vitals, now: float, end: int, acknowledged: int) -> str | None:
    """What is said of the partition at ``now`` (s)."""
    consumer: Any = SimpleNamespace(highwater=lambda _: end, _committed_offset={PARTITION: acknowledged})
    return vitals._stuck(consumer, PARTITION, now)


def test_growing_partition_of_which_nothing_is_acknowledged_is_unhealthy() -> None:
    vitals = Vitals(app=None)
    assert stuck(vitals, 0.0, 100, 50) is None
    assert stuck(vitals, STUCK_S - 1, 200, 50) is None, "not for so short a time"
    assert "telemetry[3] has grown to 200" in (stuck(vitals, STUCK_S + 1, 200, 50) or "")


def test_records_that_are_taken_and_wait_for_others_are_not_stuck() -> None:
    """As all of a partition do behind a run whose source was killed: a new worker would get no further."""
    vitals = Vitals(app=None, progress=Progress("received"))
    for now in range(0, 3600, 10):
        AckTracker(vitals.received).take(record(100 + now))
        assert stuck(vitals, now, 110 + now, 50) is None
    assert "has grown" in (stuck(vitals, 3600 + STUCK_S, 9000, 50) or ""), "nothing more was taken"


def test_records_that_wait_for_a_flush_are_not_stuck() -> None:
    """Asked every ten seconds, as a supervisor does, over an hour of flushes every ten minutes."""
    flush_s = 600
    vitals = Vitals(app=None, progress=Progress("acknowledged", STUCK_S + flush_s))
    for now in range(0, 3600, 10):
        assert stuck(vitals, now, 100 + now, now // flush_s * flush_s) is None, f"at {now} s"
    assert "has grown" in (stuck(vitals, 3600 + flush_s + STUCK_S, 9000, 3000) or ""), "it has not moved since 3000 s"


def test_a_worker_that_waits_for_the_warehouse_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer: Any = SimpleNamespace(
        assignment=lambda: {PARTITION}, highwater=lambda _: end, _committed_offset={PARTITION: 50}
    )
    app = SimpleNamespace(
        _consumer=consumer, rebalancing=False, tables=SimpleNamespace(recovery=SimpleNamespace(in_recovery=False)),
        assignor=SimpleNamespace(assigned_actives=lambda: {PARTITION}),
    )  # fmt: skip
    now, end = 0.0, 100
    monkeypatch.setattr("agents.health.time.monotonic", lambda: now)
    vitals = Vitals(app)
    assert (vitals.reason(), vitals.alive()) == (None, True)
    now, end = STUCK_S + 1, 200
    assert "has grown to 200" in (vitals.reason() or "")
    assert not vitals.alive()
    vitals.waits = "The warehouse is away."
    assert (vitals.reason(), vitals.alive()) == ("The warehouse is away.", True)


def test_partition_that_does_not_grow_is_only_idle() -> None:
    vitals = Vitals(app=None)
    assert stuck(vitals, 0.0, 100, 50) is None
    assert stuck(vitals, 10 * STUCK_S, 100, 50) is None


def test_position_that_moves_is_healthy_however_far_behind() -> None:
    vitals = Vitals(app=None)
    for minute in range(10):
        assert stuck(vitals, 60.0 * minute, 1_000_000 + minute, 50 + minute) is None
