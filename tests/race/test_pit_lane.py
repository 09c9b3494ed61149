"""The pit lane's line, learned from a car that drove through it."""

from __future__ import annotations

import pytest

from f1stream.race.pit_lane import MOST_POINTS, PitLane


def drives(lane: PitLane, car: str, metres: int, *, speed: float = 80.0, begin: int = 0) -> None:
    """Straight on, a sample every 3 m."""
    for m in range(begin, metres + 1, 3):
        lane.sample(car, 1_000.0 + 10 * m, 500.0, speed)


def test_first_complete_visit_is_the_line() -> None:
    lane = PitLane()
    lane.enter("4")
    drives(lane, "4", 300)
    assert lane.line == []
    lane.leave("4")
    assert lane.line == [(1_000 + 150 * n, 500) for n in range(21)]
    known = list(lane.line)
    lane.enter("81")
    drives(lane, "81", 600)
    lane.leave("81")
    assert lane.line == known


def test_standing_and_being_pushed_into_the_garage_leave_no_trace() -> None:
    lane = PitLane()
    lane.enter("4")
    drives(lane, "4", 150)
    for aside in range(0, 200, 10):
        lane.sample("4", 2_500.0, 500.0 + aside, 4.0)
    for _ in range(50):
        lane.sample("4", 2_500.0, 500.0, 0.0)
    drives(lane, "4", 300, begin=150)
    lane.leave("4")
    assert {y for _, y in lane.line} == {500}
    assert len(lane.line) == 21


@pytest.mark.parametrize("what", ["not from the entry line on", "unknown position", "hole", "too short", "too long"])
def test_visit_that_shows_nothing(what: str) -> None:
    lane = PitLane()
    if what != "not from the entry line on":
        lane.enter("4")
    drives(lane, "4", {"too short": 100, "too long": 1_600}.get(what, 300))
    if what == "unknown position":
        lane.sample("4", 0.0, 0.0, 80.0)
    drives(lane, "4", 600, begin=400) if what == "hole" else None
    lane.leave("4")
    assert lane.line == []


def test_long_pit_lane_has_no_more_points_than_a_map_needs() -> None:
    lane = PitLane()
    lane.enter("4")
    drives(lane, "4", 1_440)
    lane.leave("4")
    assert 40 < len(lane.line) <= MOST_POINTS
