"""Order and gaps of a race."""

from __future__ import annotations

from f1stream.race.car import CROSSINGS, LINES, Car
from f1stream.race.order import UNKNOWN, Distance, behind, rank

LINE_MS = 1_000


def car(number: str, line: int, first_ms: int = 0, grid: int = 0, retired: bool = False) -> Car:
    """A car that crossed line 0 at ``first_ms`` and one more each second."""
    made = Car(number, grid, retired=retired)
    for n in range(line + 1):
        made.cross(n, first_ms + n * LINE_MS)
    return made


def test_more_lines_are_ahead() -> None:
    assert [c.number for c in rank([car("1", 9), car("4", 10)])] == ["4", "1"]


def test_on_the_same_line_the_earlier_is_ahead() -> None:
    assert [c.number for c in rank([car("1", 10, 700), car("4", 10, 300)])] == ["4", "1"]


def test_before_any_line_the_grid_counts() -> None:
    assert [c.number for c in rank([car("1", -1, grid=1), car("4", -1, grid=0)])] == ["4", "1"]


def test_retired_cars_come_last_the_one_that_got_farthest_first() -> None:
    cars = [car("1", 90, retired=True), car("4", 30), car("16", 120, retired=True), car("22", -1)]
    assert [c.number for c in rank(cars)] == ["4", "22", "16", "1"]


def test_a_car_waiting_in_the_pit_lane_is_behind_those_racing_and_ahead_of_those_out() -> None:
    waiting = car("30", 3)
    waiting.waits = True
    assert [c.number for c in rank([car("6", 90, retired=True), waiting, car("4", 1)])] == ["4", "30", "6"]


def test_the_gap_is_the_difference_at_the_last_line_of_the_car_behind() -> None:
    assert behind(car("1", 50, 2_345), car("4", 52)) == Distance(0, 2_345)


def test_a_car_nearly_a_lap_behind_is_not_lapped() -> None:
    assert behind(car("1", 100), car("4", 100 + LINES - 1)).laps == 0


def test_a_lapped_car_has_laps_and_the_time_at_the_same_place_of_the_track() -> None:
    assert behind(car("1", 100, 65_000), car("4", 165)) == Distance(1, 5_000)


def test_a_car_about_to_be_lapped_twice_over_still_has_its_seconds() -> None:
    distance = behind(car("1", 200, 119_000), car("4", 200 + 2 * LINES - 1))
    assert distance == Distance(1, 59_000)


def test_a_car_that_has_crossed_nothing_has_no_gap() -> None:
    assert behind(car("1", -1), car("4", 10)) == UNKNOWN


def test_a_gap_is_never_negative() -> None:
    assert behind(car("1", 10, 300), car("4", 10, 700)) == Distance(0, 0)


def test_a_line_crossed_too_long_ago_gives_no_time() -> None:
    ahead = car("4", 300)
    ahead.times = ahead.times[-3:]
    assert len(car("4", 300).times) == CROSSINGS
    assert behind(car("1", 290), ahead) == Distance(0, None)
