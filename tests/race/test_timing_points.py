"""Sector lines and the pit lane's finish line, learned from completed laps."""

from __future__ import annotations

import random

import pytest
from pydantic import TypeAdapter

from f1stream.race.timing_points import (
    AHEAD_S,
    FARTHEST_FINISH_M,
    FINISH,
    OBSERVATIONS,
    PIT_EARLY_M,
    PIT_FINISH,
    SECTOR_1,
    SECTOR_2,
    Observation,
    TimingPoints,
)

LAP_M = 5_000.0
FAST, SLOW, PIT = 80.0, 45.0, 22.0
"""m/s."""
ADAPTER = TypeAdapter(TimingPoints)


def learned(point: int, *metres: float, speed: float = FAST) -> TimingPoints:
    points = TimingPoints(LAP_M)
    for each in metres:
        points.learn([Observation(point, each, speed)])
    return points


def driven(ahead_s: float, pit_early_m: float, *, pit_passes: int = 20, noise_m: float = 2.0) -> TimingPoints:
    """Timing points learned from samples that are ahead of official times."""
    rng = random.Random(4)
    points = TimingPoints(LAP_M)
    seen = [
        Observation(point, at + ahead_s * speed + rng.gauss(0, noise_m), speed)
        for _ in range(30)
        for point, at in ((FINISH, -20.0), (SECTOR_1, 1_700.0), (SECTOR_2, 3_100.0))
        for speed in (FAST, FAST, SLOW)
    ]
    seen += [
        Observation(PIT_FINISH, -20.0 - pit_early_m + ahead_s * PIT + rng.gauss(0, noise_m), PIT)
        for _ in range(pit_passes)
    ]
    for each in seen:
        points.learn([each])
    return points


def test_a_sector_line_is_unknown_until_a_lap_has_shown_it() -> None:
    assert TimingPoints(LAP_M).position(SECTOR_1, FAST) is None
    points = learned(SECTOR_1, 1_700.0)
    assert points.position(SECTOR_1, FAST) == pytest.approx(1_700.0)
    assert points.position(SECTOR_2, FAST) is None


def test_one_bad_observation_does_not_move_a_line() -> None:
    points = learned(SECTOR_1, 1_699.0, 1_701.0, 4_000.0, 1_700.0, 1_698.0)
    assert points.position(SECTOR_1, FAST) == pytest.approx(1_700.0)
    assert points.ahead_s == pytest.approx(AHEAD_S)


def test_the_latest_observations_count() -> None:
    points = learned(SECTOR_1, *[1_600.0] * OBSERVATIONS, *[1_700.0] * OBSERVATIONS)
    assert points.observed[SECTOR_1] == [1_700.0] * OBSERVATIONS
    assert points.position(SECTOR_1, FAST) == pytest.approx(1_700.0)


@pytest.mark.parametrize("metres", [-1.0, 0.0, LAP_M, LAP_M + 30.0])
def test_a_sector_does_not_end_off_the_lap(metres: float) -> None:
    assert learned(SECTOR_2, metres).position(SECTOR_2, FAST) is None


def test_the_pit_lane_may_cross_the_finish_line_early_or_late_but_not_far_away() -> None:
    points = learned(FINISH, 0.0)
    points.learn([Observation(PIT_FINISH, FARTHEST_FINISH_M + 1, PIT)])
    assert points.observed[PIT_FINISH] == []
    points.learn([Observation(PIT_FINISH, -17.0, PIT)] * 20)
    assert points.position(PIT_FINISH, PIT) == pytest.approx(-17.0, abs=0.1)


@pytest.mark.parametrize("ahead_s", [0.0, 0.2, 0.35])
def test_slow_laps_show_how_far_samples_are_ahead_of_official_times(ahead_s: float) -> None:
    points = driven(ahead_s, 3.0)
    assert points.ahead_s == pytest.approx(ahead_s, abs=0.02)
    for speed in (SLOW, FAST):
        assert points.position(SECTOR_1, speed) == pytest.approx(1_700.0 + ahead_s * speed, abs=1.0)
    assert points.position(PIT_FINISH, PIT) == pytest.approx(-23.0 + ahead_s * PIT, abs=1.0)


def test_the_first_car_into_the_pits_finds_the_finish_line_from_laps_on_track() -> None:
    """It seems 17 m early in Melbourne and 19 m in Mexico City, and the cars' speed explains most of that."""
    points = driven(0.25, 0.0, pit_passes=0)
    on_track, in_pit = points.position(FINISH, FAST), points.position(PIT_FINISH, PIT)
    assert on_track is not None
    assert in_pit is not None
    assert on_track - in_pit == pytest.approx(0.25 * (FAST - PIT) + PIT_EARLY_M, abs=2.0)


def test_before_any_official_time_the_finish_line_is_where_the_reference_line_begins() -> None:
    assert TimingPoints(LAP_M).position(FINISH, FAST) is None
    assert TimingPoints(LAP_M).position(PIT_FINISH, PIT) is None


def test_what_was_learned_survives_a_restart() -> None:
    points = driven(0.2, 3.0)
    restored = ADAPTER.validate_json(ADAPTER.dump_json(points))
    assert restored == points
    for each in (points, restored):
        each.learn([Observation(SECTOR_1, 1_720.0, SLOW)])
    assert restored == points


def test_a_checkpoint_without_speeds_is_read_and_its_lines_are_learned_again() -> None:
    """Those of earlier releases."""
    points = ADAPTER.validate_json(b'{"length_m": 5000.0, "observed": [[], [1700.0], [], [-17.0]]}')
    assert points.position(SECTOR_1, FAST) is None
    points.learn([Observation(SECTOR_1, 1_690.0), Observation(SECTOR_1, 1_700.0, FAST)])
    assert points.position(SECTOR_1, FAST) == pytest.approx(1_700.0)
