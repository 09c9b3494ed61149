"""One car: the lines it crosses, its tyres and its stops."""

from __future__ import annotations

import pytest

from f1stream.race.car import COAST_MS, KEPT, LATEST_MS, LINES, SLOW_MS, Car, Shown, Visit
from f1stream.race.places import AHEAD_S, FINISH, PIT_FINISH, SECTOR_1, Place, Places, Seen
from f1stream.race.progress import SILENCE_MS, Progress
from models import TyreChange
from tests.support.oval import LAP_M

LINE_M = LAP_M / LINES


@pytest.fixture
def car() -> Car:
    return Car("4", 0)


@pytest.fixture
def places() -> Places:
    return Places(LAP_M)


def at(metres: float, speed: float = 72.0, t: int = 0) -> Car:
    """A car with the race ahead of it, so far from the finish line."""
    found = Car("4", 0, progress=Progress(metres, t, speed), seen_ms=t)
    found.measured_line = int(metres // LINE_M)
    return found


def test_lines_passed_unseen_are_put_evenly_in_between(car: Car) -> None:
    car.crosses(0, 1_000)
    assert car.crosses(4, 5_000)
    assert [car.time_at(line) for line in range(5)] == [1_000, 2_000, 3_000, 4_000, 5_000]


def test_a_line_is_crossed_once(car: Car) -> None:
    car.crosses(3, 3_000)
    assert not car.crosses(3, 3_500)
    assert not car.crosses(2, 3_500)
    assert car.time_at(3) == 3_000


def test_time_does_not_run_backwards_over_the_lines(car: Car) -> None:
    car.crosses(3, 3_000)
    car.crosses(4, 2_990)
    assert car.time_at(4) == 3_000


def test_a_finished_car_crosses_no_more_lines(car: Car) -> None:
    car.crosses(LINES, 60_000)
    car.finished = True
    assert not car.crosses(LINES + 1, 61_000)


def test_more_than_two_laps_of_crossings_are_kept(car: Car) -> None:
    for line in range(5 * LINES):
        car.crosses(line, line * 1_000)
    assert len(car.times) == KEPT > 2 * LINES
    assert car.time_at(3 * LINES) == 3 * LINES * 1_000
    assert car.time_at(LINES) is None


def test_a_hole_longer_than_what_is_kept_is_no_trouble(car: Car) -> None:
    car.crosses(0, 0)
    car.crosses(10 * LINES, 10 * LINES * 1_000)
    assert len(car.times) == KEPT
    assert car.time_at(10 * LINES - 1) == (10 * LINES - 1) * 1_000


def test_an_official_time_takes_the_place_of_the_measured_one(car: Car) -> None:
    for line in range(LINES + 3):
        car.crosses(line, line * 1_000)
    assert car.corrects(LINES, 59_940)
    assert car.time_at(LINES) == 59_940
    assert car.lap_end_ms == 59_940
    assert car.time_at(LINES + 1) == 61_000


def test_the_same_official_time_again_changes_nothing(car: Car) -> None:
    car.crosses(LINES, 60_000)
    assert not car.corrects(LINES, 60_000)
    assert not car.corrects(2 * LINES, 120_000), "not crossed yet"


def passes(
    m0: float, t0: int, m1: float, t1: int, places: Places, *, in_pit: bool = False
) -> list[tuple[Place, int | None]]:
    """What a car at 20 m/s passes between two samples."""
    car = at(m0)
    car.in_pit = in_pit
    return car.passes(Shown(m0, t0, 20.0), Shown(m1, t1, 20.0), places)


def test_a_line_is_crossed_between_two_samples_in_proportion(places: Places) -> None:
    assert [(place.time_ms, line) for place, line in passes(15.0, 1_000, 25.0, 1_500, places)] == [(1_250, 1)]


def test_the_finish_line_ends_the_lap(places: Places) -> None:
    assert passes(2 * LAP_M - 1, 0, 2 * LAP_M + 1, 100, places) == [((FINISH, 2, 50), 2 * LINES)]


def test_a_sector_line_counts_from_when_it_is_known(places: Places) -> None:
    assert passes(LAP_M + 391.0, 0, LAP_M + 395.0, 200, places) == []
    places.learn([Seen(SECTOR_1, 393.0, 20.0)])
    assert passes(LAP_M + 391.0, 0, LAP_M + 395.0, 200, places) == [((SECTOR_1, 2, 100), None)]


def test_a_sector_line_that_turns_out_to_lie_just_behind_a_car_was_passed(places: Places) -> None:
    places.learn([Seen(SECTOR_1, 393.0, 20.0)])
    assert passes(LAP_M + 396.0, 0, LAP_M + 398.0, 100, places) == [((SECTOR_1, 2, 0), None)]
    car = at(LAP_M + 396.0)
    car.measured_at[SECTOR_1] = (2, -150)
    assert car.passes(Shown(LAP_M + 396.0, 0, 20.0), Shown(LAP_M + 398.0, 100, 20.0), places) == [], "once a lap"


def test_in_the_pit_lane_the_finish_line_is_where_the_pit_lane_crosses_it(places: Places) -> None:
    """In Melbourne 17 m early."""
    places.learn([Seen(FINISH, 0.0, 80.0), *[Seen(PIT_FINISH, -17.0, 20.0)] * 10])
    assert [line for _, line in passes(LAP_M - 18.0, 0, LAP_M - 16.0, 100, places, in_pit=True)] == [LINES]
    assert passes(LAP_M - 18.0, 0, LAP_M - 16.0, 100, places) == []


def test_a_slow_car_is_shown_less_far_when_it_is_at_a_line(places: Places) -> None:
    """Samples are stamped earlier than official times: the faster a car, the further on it is shown."""
    places.learn([Seen(FINISH, 0.0, 80.0)])
    slow, fast = at(LAP_M - 11.0), at(LAP_M - 11.0)
    early = 60.0 * AHEAD_S
    (_, line), *_ = slow.passes(Shown(LAP_M - early - 1, 0, 20.0), Shown(LAP_M - early + 1, 100, 20.0), places)
    assert line == LINES
    assert fast.passes(Shown(LAP_M - early - 1, 0, 80.0), Shown(LAP_M - early + 1, 100, 80.0), places) == []


def test_where_the_finish_line_is_shows_a_car_that_keeps_its_speed(places: Places) -> None:
    car = at(LAP_M - 1.0)
    assert car.saw_finish(0) is None, "it has not passed it"
    car.passes(Shown(LAP_M - 1.0, 0, 20.0), Shown(LAP_M + 1.0, 100, 20.0), places)
    assert car.saw_finish(250) == Seen(FINISH, -5.0, 20.0)
    assert car.saw_finish(LATEST_MS + 1) is None, "it may have stood in between"
    slow = at(LAP_M - 1.0)
    slow.passes(Shown(LAP_M - 1.0, 0, SLOW_MS - 1), Shown(LAP_M + 1.0, 500, SLOW_MS - 1), places)
    assert slow.saw_finish(250) is None


def test_a_recording_that_ends_short_of_the_line_is_carried_over_it(places: Places) -> None:
    car = at(LAP_M - 5.0, t=10_000)
    assert car.coasts(10_000 + SILENCE_MS - 1, places) == [], "it may only be late"
    assert [(place.time_ms, line) for place, line in car.coasts(10_000 + SILENCE_MS, places)] == [(10_250, LINES)]
    assert car.coasts(10_000 + 2 * SILENCE_MS, places) == [], "once"


def test_a_silent_car_is_not_carried_far(places: Places) -> None:
    car = at(LAP_M - 72 / 3.6 * COAST_MS / 1_000 - 1.0)
    assert LINES not in [line for _, line in car.coasts(SILENCE_MS, places)]


def test_a_car_that_stood_when_it_fell_silent_stays(places: Places) -> None:
    assert at(LAP_M - 0.1, speed=0.0).coasts(SILENCE_MS, places) == []


def test_the_start_is_at_the_nearest_finish_line(car: Car, places: Places) -> None:
    """After a formation lap the grid is just short of it; from a pit lane beyond it, just after."""
    for metres in (LAP_M - 30.0, -30.0, 3 * LAP_M - 30.0):
        car.progress.m = metres
        car.starts(5_000, places)
        assert car.progress.m == pytest.approx(-30.0)
        assert car.measured_line == -2
    car.progress.m = LAP_M + 30.0
    car.starts(5_000, places)
    assert car.progress.m == pytest.approx(30.0)
    assert car.line_ms == 5_000


def test_found_on_a_line_laid_in_mid_race_a_car_is_on_the_lap_after_those_it_has_officially_ended() -> None:
    for along in (0.01, 0.4, 0.9):
        car = at(along * LAP_M)
        car.measured_line, car.line = -1, 3 * LINES
        car.found(LAP_M)
        assert car.progress.m == pytest.approx((3 + along) * LAP_M)
        assert car.measured_line == int((3 + along) * LINES + 1e-9)


def test_found_again_a_measured_car_is_at_the_nearest_place() -> None:
    for before, along, laps in ((2.9, 0.05, 3), (3.1, 0.95, 2)):
        car = at(along * LAP_M)
        car.measured_line = car.line = int(before * LINES)
        car.found(LAP_M)
        assert car.progress.m == pytest.approx((laps + along) * LAP_M)


def test_an_official_lap_count_is_taken_over_when_measuring_lost_laps() -> None:
    car = at(5.0)
    car.count_laps(12, LAP_M)
    assert car.progress.m == pytest.approx(12 * LAP_M + 5.0)
    assert car.measured_line == 12 * LINES


def test_an_official_lap_count_a_moment_early_or_late_is_no_loss() -> None:
    for metres in (12 * LAP_M - 15.0, 12 * LAP_M + 15.0):
        car = at(metres)
        car.count_laps(12, LAP_M)
        assert car.progress.m == metres


def test_the_longest_stay_of_a_visit_is_the_stop(car: Car) -> None:
    car.visits.append(Visit(lap=9, in_ms=0))
    for t, speed in [(0, 80), (500, 1), (1_500, 0), (1_600, 60), (2_000, 0.5), (4_300, 0), (4_400, 30)]:
        car.stands(t, speed)
    assert car.visits[-1].standing_ms == 2_300


def test_tyres_age_by_a_lap_each_lap(car: Car) -> None:
    car.wears("MEDIUM", 4, lap=10)
    car.crosses(10 * LINES, 600_000)
    assert car.tyre_age() == 4
    car.crosses(13 * LINES, 780_000)
    assert car.tyre_age() == 7


def test_the_age_of_a_set_nobody_told_is_unknown(car: Car) -> None:
    car.wears("MEDIUM", None, lap=10)
    assert car.compound == "MEDIUM"
    assert car.tyre_age() is None


def visit(car: Car, lap: int, samples: list[tuple[int, float]], until_ms: int = 20_000) -> None:
    """Through the pit lane on ``lap``, from 0 on; ``samples``: (ms, km/h)."""
    car.visits.append(Visit(lap, 0))
    for t, speed in samples:
        car.stands(t, speed)
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
    car.fit(fitted(1), racing=True)
    visit(car, 10, samples)
    car.fit(fitted(11, compound), racing=True)
    car.crosses(15 * LINES, 900_000)
    assert [stop.lap for stop in car.stops()] == stops
    assert car.tyre_age() == (5 if stops else 15)


def test_a_correction_is_of_the_set_first_driven_on_its_lap(car: Car) -> None:
    car.fit(fitted(1, "WET"), racing=True)
    visit(car, 10, [])
    car.fit(fitted(11, "HARD", 3), racing=True)
    car.fit(fitted(1, "SOFT", 2), racing=True)
    car.fit(fitted(11, "MEDIUM", 4), racing=True)
    assert [(one.compound, one.first_lap, one.life_before) for one in car.sets] == [("SOFT", 1, 2), ("MEDIUM", 11, 4)]
    assert [stop.lap for stop in car.stops()] == [10]


def test_a_change_that_was_none_is_taken_back_and_records_of_laps_do_not_bring_it_back(car: Car) -> None:
    car.fit(fitted(1), racing=True)
    visit(car, 10, [])
    car.fit(fitted(11), racing=True)
    car.fit(fitted(11, changed=False), racing=True)
    car.wears("HARD", 12, lap=12)
    car.crosses(12 * LINES, 900_000)
    assert ([one.first_lap for one in car.sets], car.stops(), car.tyre_age()) == ([1], [], 12)


def test_a_set_announced_after_the_flag_was_not_driven(car: Car) -> None:
    car.fit(fitted(1), racing=True)
    car.crosses(20 * LINES, 900_000)
    car.finished = True
    visit(car, 21, [])
    car.fit(fitted(22, "SOFT"), racing=True)
    assert (car.compound, car.stops()) == ("HARD", [])
    car.fit(fitted(1, "MEDIUM"), racing=True)
    assert car.compound == "MEDIUM", "what it raced on may still be corrected"


def test_sets_of_before_we_listened_are_stops_and_count_laps(car: Car) -> None:
    for lap, compound in ((1, "SOFT"), (13, "HARD")):
        car.fit(fitted(lap, compound).model_copy(update={"on_lap": 21}), racing=True)
    assert (car.tyre_age(), car.stops(), car.stops_unseen()) == (8, [], 1)


def test_an_unknown_compound_of_a_lap_replaces_none_that_is_known(car: Car) -> None:
    car.fit(fitted(1), racing=True)
    car.wears("UNKNOWN", None, lap=2)
    assert car.compound == "HARD"


def test_only_changed_tyres_make_a_visit_a_stop(car: Car) -> None:
    drive_through, stop = Visit(9, 0), Visit(20, 0, changed=True)
    under_red = Visit(30, 0, changed=True, suspended=True)
    car.visits += [drive_through, stop, under_red]
    assert car.stops() == [stop]
