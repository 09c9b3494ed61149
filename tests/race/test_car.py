"""One car: the lines it crosses, its tyres and its stops."""

from __future__ import annotations

import pytest

from f1stream.race.car import CROSSINGS, LINES, Car, PitVisit
from f1stream.race.timing_points import TimingPoints
from models import TyreChange
from tests.support.car_on_the_oval import car_at
from tests.support.oval import LAP_M


@pytest.fixture
def car() -> Car:
    return Car("4", 0)


def test_lines_passed_unseen_are_put_evenly_in_between(car: Car) -> None:
    car.cross(0, 1_000)
    assert car.cross(4, 5_000)
    assert [car.time_at(line) for line in range(5)] == [1_000, 2_000, 3_000, 4_000, 5_000]


def test_a_line_is_crossed_once(car: Car) -> None:
    car.cross(3, 3_000)
    assert not car.cross(3, 3_500)
    assert not car.cross(2, 3_500)
    assert car.time_at(3) == 3_000


def test_time_does_not_run_backwards_over_the_lines(car: Car) -> None:
    car.cross(3, 3_000)
    car.cross(4, 2_990)
    assert car.time_at(4) == 3_000


def test_a_finished_car_crosses_no_more_lines(car: Car) -> None:
    car.cross(LINES, 60_000)
    car.finished = True
    assert not car.cross(LINES + 1, 61_000)


def test_more_than_two_laps_of_crossings_are_kept(car: Car) -> None:
    for line in range(5 * LINES):
        car.cross(line, line * 1_000)
    assert len(car.times) == CROSSINGS > 2 * LINES
    assert car.time_at(3 * LINES) == 3 * LINES * 1_000
    assert car.time_at(LINES) is None


def test_a_gap_longer_than_the_kept_crossings_is_filled_as_far_as_they_reach(car: Car) -> None:
    car.cross(0, 0)
    car.cross(10 * LINES, 10 * LINES * 1_000)
    assert len(car.times) == CROSSINGS
    assert car.time_at(10 * LINES - 1) == (10 * LINES - 1) * 1_000


def test_an_official_time_takes_the_place_of_the_measured_one(car: Car) -> None:
    for line in range(LINES + 3):
        car.cross(line, line * 1_000)
    assert car.correct_time(LINES, 59_940)
    assert car.time_at(LINES) == 59_940
    assert car.lap_end_ms == 59_940
    assert car.time_at(LINES + 1) == 61_000


def test_the_same_official_time_again_changes_nothing(car: Car) -> None:
    car.cross(LINES, 60_000)
    assert not car.correct_time(LINES, 60_000)
    assert not car.correct_time(2 * LINES, 120_000), "not crossed yet"


def test_the_start_is_at_the_nearest_finish_line(car: Car, points: TimingPoints) -> None:
    """After a formation lap the grid is just short of it; from a pit lane beyond it, just after."""
    for metres in (LAP_M - 30.0, -30.0, 3 * LAP_M - 30.0):
        car.progress.m = metres
        car.start(5_000, points)
        assert car.progress.m == pytest.approx(-30.0)
        assert car.measured_line == -2
    car.progress.m = LAP_M + 30.0
    car.start(5_000, points)
    assert car.progress.m == pytest.approx(30.0)
    assert car.line_ms == 5_000


def test_found_on_a_line_laid_in_mid_race_a_car_is_on_the_lap_after_those_it_has_officially_ended() -> None:
    for along in (0.01, 0.4, 0.9):
        car = car_at(along * LAP_M)
        car.measured_line, car.line = -1, 3 * LINES
        car.set_lap(LAP_M)
        assert car.progress.m == pytest.approx((3 + along) * LAP_M)
        assert car.measured_line == int((3 + along) * LINES + 1e-9)


def test_found_again_a_measured_car_is_at_the_nearest_place() -> None:
    for before, along, laps in ((2.9, 0.05, 3), (3.1, 0.95, 2)):
        car = car_at(along * LAP_M)
        car.measured_line = car.line = int(before * LINES)
        car.set_lap(LAP_M)
        assert car.progress.m == pytest.approx((laps + along) * LAP_M)


def test_an_official_lap_count_is_taken_over_when_measuring_lost_laps() -> None:
    car = car_at(5.0)
    car.correct_lap_count(12, LAP_M)
    assert car.progress.m == pytest.approx(12 * LAP_M + 5.0)
    assert car.measured_line == 12 * LINES


def test_an_official_lap_count_a_moment_early_or_late_is_no_loss() -> None:
    for metres in (12 * LAP_M - 15.0, 12 * LAP_M + 15.0):
        car = car_at(metres)
        car.correct_lap_count(12, LAP_M)
        assert car.progress.m == metres


def test_the_longest_stay_of_a_visit_is_the_stop(car: Car) -> None:
    car.visits.append(PitVisit(lap=9, in_ms=0))
    for t, speed in [(0, 80), (500, 1), (1_500, 0), (1_600, 60), (2_000, 0.5), (4_300, 0), (4_400, 30)]:
        car.update_visit(t, speed)
    assert car.visits[-1].stationary_ms == 2_300


def test_tyres_age_by_a_lap_each_lap(car: Car) -> None:
    car.update_tyres("MEDIUM", 4, lap=10)
    car.cross(10 * LINES, 600_000)
    assert car.tyre_age() == 4
    car.cross(13 * LINES, 780_000)
    assert car.tyre_age() == 7


def test_the_age_of_an_unpublished_set_is_unknown(car: Car) -> None:
    car.update_tyres("MEDIUM", None, lap=10)
    assert car.compound == "MEDIUM"
    assert car.tyre_age() is None


def visit(car: Car, lap: int, samples: list[tuple[int, float]], until_ms: int = 20_000) -> None:
    """Through the pit lane on ``lap``, from 0 on; ``samples``: (ms, km/h)."""
    car.visits.append(PitVisit(lap, 0))
    for t, speed in samples:
        car.update_visit(t, speed)
    car.visits[-1].out_ms = until_ms


def fitted(lap: int, compound: str = "HARD", life: int | None = 0, *, changed: bool = True) -> TyreChange:
    return TyreChange(
        session_time_ms=0, driver_number="1", lap=lap, compound=compound, tyre_life=life, fresh=life == 0,
        changed=changed,
    )  # fmt: skip


THROUGH = [(t, 80.0) for t in range(0, 20_001, 300)]
STANDS = [(t, 0.0 if 9_000 <= t <= 11_100 else 80.0) for t in range(0, 20_001, 300)]
HOLE = [sample for sample in THROUGH if not 9_000 <= sample[0] <= 11_100]


@pytest.mark.parametrize(
    ("samples", "compound", "stops"),
    [
        (THROUGH, "HARD", []),
        (THROUGH, "SOFT", [10]),
        (STANDS, "HARD", [10]),
        (HOLE, "HARD", [10]),
        ([], "HARD", [10]),
    ],
    ids=["passed through", "another compound", "stood", "not seen all the time", "no samples"],
)
def test_the_age_of_the_tyres_alone_makes_no_stop_of_a_pass_through_the_pit_lane(
    car: Car, samples: list[tuple[int, float]], compound: str, stops: list[int]
) -> None:
    car.fit_tyres(fitted(1), racing=True)
    visit(car, 10, samples)
    car.fit_tyres(fitted(11, compound), racing=True)
    car.cross(15 * LINES, 900_000)
    assert [stop.lap for stop in car.stops()] == stops
    assert car.tyre_age() == (5 if stops else 15)


def test_a_correction_is_of_the_set_first_driven_on_its_lap(car: Car) -> None:
    car.fit_tyres(fitted(1, "WET"), racing=True)
    visit(car, 10, [])
    car.fit_tyres(fitted(11, "HARD", 3), racing=True)
    car.fit_tyres(fitted(1, "SOFT", 2), racing=True)
    car.fit_tyres(fitted(11, "MEDIUM", 4), racing=True)
    assert [(one.compound, one.first_lap, one.life_before) for one in car.sets] == [("SOFT", 1, 2), ("MEDIUM", 11, 4)]
    assert [stop.lap for stop in car.stops()] == [10]


def test_a_revoked_change_is_removed_and_lap_records_do_not_restore_it(car: Car) -> None:
    car.fit_tyres(fitted(1), racing=True)
    visit(car, 10, [])
    car.fit_tyres(fitted(11), racing=True)
    car.fit_tyres(fitted(11, changed=False), racing=True)
    car.update_tyres("HARD", 12, lap=12)
    car.cross(12 * LINES, 900_000)
    assert ([one.first_lap for one in car.sets], car.stops(), car.tyre_age()) == ([1], [], 12)


def test_a_set_announced_after_the_flag_was_not_driven(car: Car) -> None:
    car.fit_tyres(fitted(1), racing=True)
    car.cross(20 * LINES, 900_000)
    car.finished = True
    visit(car, 21, [])
    car.fit_tyres(fitted(22, "SOFT"), racing=True)
    assert (car.compound, car.stops()) == ("HARD", [])
    car.fit_tyres(fitted(1, "MEDIUM"), racing=True)
    assert car.compound == "MEDIUM", "a set that was driven may still be corrected"


def test_sets_from_before_the_run_are_stops_and_count_laps(car: Car) -> None:
    for lap, compound in ((1, "SOFT"), (13, "HARD")):
        car.fit_tyres(fitted(lap, compound).model_copy(update={"on_lap": 21}), racing=True)
    assert (car.tyre_age(), car.stops(), car.stops_unseen()) == (8, [], 1)


def test_an_unknown_compound_of_a_lap_replaces_none_that_is_known(car: Car) -> None:
    car.fit_tyres(fitted(1), racing=True)
    car.update_tyres("UNKNOWN", None, lap=2)
    assert car.compound == "HARD"


def test_only_changed_tyres_make_a_visit_a_stop(car: Car) -> None:
    drive_through, stop = PitVisit(9, 0), PitVisit(20, 0, changed=True)
    under_red = PitVisit(30, 0, changed=True, suspended=True)
    car.visits += [drive_through, stop, under_red]
    assert car.stops() == [stop]
