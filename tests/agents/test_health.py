"""What a worker says of its own health."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from faust.types import TP

from agents.health import Vitals
from f1stream.vitals import STUCK_S

PARTITION = TP("telemetry", 3)


def stuck(vitals: Vitals, now: float, end: int, acknowledged: int) -> str | None:
    """What is said of the partition at ``now`` (s)."""
    consumer: Any = SimpleNamespace(highwater=lambda _: end, _committed_offset={PARTITION: acknowledged})
    return vitals._stuck(consumer, PARTITION, now)


def test_growing_partition_of_which_nothing_is_acknowledged_is_unhealthy() -> None:
    vitals = Vitals(app=None)
    assert stuck(vitals, 0.0, 100, 50) is None
    assert stuck(vitals, STUCK_S - 1, 200, 50) is None, "not for so short a time"
    assert "telemetry[3] has grown to 200" in (stuck(vitals, STUCK_S + 1, 200, 50) or "")


def test_partition_that_does_not_grow_is_only_idle() -> None:
    vitals = Vitals(app=None)
    assert stuck(vitals, 0.0, 100, 50) is None
    assert stuck(vitals, 10 * STUCK_S, 100, 50) is None


def test_position_that_moves_is_healthy_however_far_behind() -> None:
    vitals = Vitals(app=None)
    for minute in range(10):
        assert stuck(vitals, 60.0 * minute, 1_000_000 + minute, 50 + minute) is None
