"""Timing points passed between two samples."""

from __future__ import annotations

from f1stream.race.car import LINES
from f1stream.race.passings import (
    COAST_MS,
    LATEST_MS,
    SLOW_MPS,
    ProgressSample,
    coast_to_lines,
    observed_finish,
    points_passed,
)
from f1stream.race.progress import SILENCE_MS
from f1stream.race.timing_points import AHEAD_S, FINISH, PIT_FINISH, SECTOR_1, Observation, Passing, TimingPoints
from tests.support.car_on_the_oval import car_at
from tests.support.oval import LAP_M


def passed(
    m0: float, t0: int, m1: float, t1: int, points: TimingPoints, *, in_pit: bool = False
) -> list[tuple[Passing, int | None]]:
    """The points that a car at 20 m/s passes between two samples."""
    car = car_at(m0)
    car.in_pit = in_pit
    return points_passed(car, ProgressSample(m0, t0, 20.0), ProgressSample(m1, t1, 20.0), points)


def test_a_line_is_crossed_between_two_samples_in_proportion(points: TimingPoints) -> None:
    assert [(passing.time_ms, line) for passing, line in passed(15.0, 1_000, 25.0, 1_500, points)] == [(1_250, 1)]


def test_the_finish_line_ends_the_lap(points: TimingPoints) -> None:
    assert passed(2 * LAP_M - 1, 0, 2 * LAP_M + 1, 100, points) == [((FINISH, 2, 50), 2 * LINES)]


def test_a_sector_line_counts_from_when_it_is_known(points: TimingPoints) -> None:
    assert passed(LAP_M + 391.0, 0, LAP_M + 395.0, 200, points) == []
    points.learn([Observation(SECTOR_1, 393.0, 20.0)])
    assert passed(LAP_M + 391.0, 0, LAP_M + 395.0, 200, points) == [((SECTOR_1, 2, 100), None)]


def test_a_sector_line_that_turns_out_to_lie_just_behind_a_car_was_passed(points: TimingPoints) -> None:
    points.learn([Observation(SECTOR_1, 393.0, 20.0)])
    assert passed(LAP_M + 396.0, 0, LAP_M + 398.0, 100, points) == [((SECTOR_1, 2, 0), None)]
    car = car_at(LAP_M + 396.0)
    car.measured_at[SECTOR_1] = (2, -150)
    since, now = ProgressSample(LAP_M + 396.0, 0, 20.0), ProgressSample(LAP_M + 398.0, 100, 20.0)
    assert points_passed(car, since, now, points) == [], "once a lap"


def test_in_the_pit_lane_the_finish_line_is_where_the_pit_lane_crosses_it(points: TimingPoints) -> None:
    """In Melbourne 17 m early."""
    points.learn([Observation(FINISH, 0.0, 80.0), *[Observation(PIT_FINISH, -17.0, 20.0)] * 10])
    assert [line for _, line in passed(LAP_M - 18.0, 0, LAP_M - 16.0, 100, points, in_pit=True)] == [LINES]
    assert passed(LAP_M - 18.0, 0, LAP_M - 16.0, 100, points) == []


def test_a_slow_car_is_shown_less_far_when_it_is_at_a_line(points: TimingPoints) -> None:
    """Samples are stamped earlier than official times: a faster car is shown further on."""
    points.learn([Observation(FINISH, 0.0, 80.0)])
    slow, fast = car_at(LAP_M - 11.0), car_at(LAP_M - 11.0)
    early = 60.0 * AHEAD_S
    since, now = ProgressSample(LAP_M - early - 1, 0, 20.0), ProgressSample(LAP_M - early + 1, 100, 20.0)
    (_, line), *_ = points_passed(slow, since, now, points)
    assert line == LINES
    assert points_passed(fast, since._replace(speed=80.0), now._replace(speed=80.0), points) == []


def test_where_the_finish_line_is_shows_a_car_that_keeps_its_speed(points: TimingPoints) -> None:
    car = car_at(LAP_M - 1.0)
    assert observed_finish(car, 0) is None, "it has not passed it"
    points_passed(car, ProgressSample(LAP_M - 1.0, 0, 20.0), ProgressSample(LAP_M + 1.0, 100, 20.0), points)
    assert observed_finish(car, 250) == Observation(FINISH, -5.0, 20.0)
    assert observed_finish(car, LATEST_MS + 1) is None, "it may have stopped in between"
    slow = car_at(LAP_M - 1.0)
    since, now = ProgressSample(LAP_M - 1.0, 0, SLOW_MPS - 1), ProgressSample(LAP_M + 1.0, 500, SLOW_MPS - 1)
    points_passed(slow, since, now, points)
    assert observed_finish(slow, 250) is None


def test_a_recording_that_ends_short_of_the_line_is_carried_over_it(points: TimingPoints) -> None:
    car = car_at(LAP_M - 5.0, t=10_000)
    assert coast_to_lines(car, 10_000 + SILENCE_MS - 1, points) == [], "it may only be late"
    assert [(passing.time_ms, line) for passing, line in coast_to_lines(car, 10_000 + SILENCE_MS, points)] == [
        (10_250, LINES)
    ]
    assert coast_to_lines(car, 10_000 + 2 * SILENCE_MS, points) == [], "once"


def test_a_silent_car_is_not_carried_far(points: TimingPoints) -> None:
    car = car_at(LAP_M - 72 / 3.6 * COAST_MS / 1_000 - 1.0)
    assert LINES not in [line for _, line in coast_to_lines(car, SILENCE_MS, points)]


def test_a_car_that_stood_when_it_fell_silent_stays(points: TimingPoints) -> None:
    assert coast_to_lines(car_at(LAP_M - 0.1, speed=0.0), SILENCE_MS, points) == []
