"""Samples become lines crossed, laps and gaps."""

from __future__ import annotations

from itertools import pairwise

import pytest

from f1stream.race.crossings import apply_sample
from models import SectorTime
from tests.support.oval import GRID_SLOT_M, LAP_M, LAP_MS, MEASURED_MS, SAMPLE_MS, Oval


def test_the_gap_off_the_grid_is_the_time_between_two_cars_at_a_line() -> None:
    oval = Oval("4", "81")
    oval.start()
    oval.go(20)
    assert oval.race.gaps["81"].ms == pytest.approx(GRID_SLOT_M / 20 * 1_000, abs=MEASURED_MS)


def test_an_overtake_changes_the_order() -> None:
    oval = Oval("4", "81")
    oval.start()
    oval.drive("81", speed=90)
    oval.go(10)
    assert oval.race.order == ["81", "4"]


def test_a_lapped_car_shows_laps_and_the_rest_in_ms() -> None:
    oval = Oval("4", "81")
    oval.start()
    oval.drive("81", speed=48)
    oval.go(4 * LAP_MS / 1_000)
    gap = oval.race.gaps["81"]
    behind_m = oval.metres["4"] - oval.metres["81"]
    assert gap.laps == int(behind_m // LAP_M) == 1
    # The rest at the same place of the track: the leader drives it at 20 m/s.
    assert gap.ms == pytest.approx((behind_m - LAP_M) / 20 * 1_000, abs=1_000)


def test_unlapping_takes_the_lap_back() -> None:
    oval = Oval("4", "81")
    oval.start()
    oval.drive("81", speed=36)
    oval.go(2.5 * LAP_MS / 1_000)
    assert oval.race.gaps["81"].laps == 1
    oval.drive("4", speed=36)
    oval.drive("81", speed=108)
    oval.go(30)
    assert oval.race.gaps["81"].laps == 0
    assert oval.race.order == ["4", "81"], "it is still behind"


def test_the_leaders_crossing_starts_the_next_lap() -> None:
    oval = Oval("4", "81")
    oval.set_total_laps(9)
    oval.start()
    assert oval.race.lap == 1
    oval.go(61)
    assert oval.race.lap == 2


def test_measured_lap_times_count_without_official_ones() -> None:
    oval = Oval("4", official=False)
    oval.start()
    oval.go(130)
    fastest = oval.race.bests.fastest()
    assert fastest is not None
    assert fastest[:2] == ("4", 2)
    assert fastest[2] == pytest.approx(LAP_MS, abs=MEASURED_MS)


def test_a_sector_line_is_learned_from_the_first_lap_and_measured_from_then_on() -> None:
    oval = Oval("4")
    oval.start()
    for lap in (1, 2, 3):
        while oval.metres["4"] < (lap - 1) * LAP_M + 413.0:
            oval.go(SAMPLE_MS / 1_000)
        oval.apply(SectorTime(session_time_ms=oval.now, driver_number="4", lap=lap, sector=1, time_ms=20_000))
        while oval.metres["4"] < lap * LAP_M:
            oval.go(SAMPLE_MS / 1_000)
        oval.ends_lap("4", lap)
    compared = [c for c in oval.race.compared if c.point == 1]
    assert [c.lap for c in compared] == [2, 3]
    assert all(abs(c.measured_ms - c.official_ms) <= 2 * SAMPLE_MS for c in compared)


def test_a_repeated_or_late_sample_is_ignored() -> None:
    oval = Oval("4")
    oval.start()
    oval.go(10)
    before = oval.race.dump()
    car = oval.race.cars["4"]
    apply_sample(oval.race, car, oval.now, 700.0, 1.0, 1.0, 10.0)
    apply_sample(oval.race, car, oval.now - 50, 700.0, 1.0, 1.0, 10.0)
    assert oval.race.dump() == before


def test_a_car_at_zero_zero_is_off_the_map_and_moves_by_its_speed() -> None:
    """The feed sends (0, 0) for an unknown position: the car leaves the map and moves on by its speed."""
    oval = Oval("4", "81")
    oval.start()
    oval.go(10)
    car = oval.race.cars["4"]
    for _ in range(5):
        oval.now += SAMPLE_MS
        apply_sample(oval.race, car, oval.now, 0.0, 0.0, 0.0, 72.0)
    assert oval.race.columns.x[car.grid] is None
    assert car.progress.m == pytest.approx(oval.metres["4"] + 10.0, abs=1.0)


def test_a_silent_car_keeps_its_place_until_others_pass() -> None:
    oval = Oval("4", "81")
    oval.start()
    oval.go(10)
    oval.silent.add("4")
    oval.go(0.4)
    assert oval.race.order == ["4", "81"]
    oval.go(10)
    assert oval.race.order == ["81", "4"]


def test_crossing_times_never_fall() -> None:
    oval = Oval("4", "81", "1")
    oval.start()
    for seconds, official in ((60.8, "4"), (0.6, "81"), (0.6, "1")):
        oval.go(seconds)
        end = oval.race.cars[official].time_at(60)
        assert end is not None
        oval.ends_lap(official, 1, end_ms=end - 300)
        oval.ends_lap(official, 1, end_ms=end + 300)
    oval.go(20)
    for car in oval.race.cars.values():
        assert all(later >= earlier for earlier, later in pairwise(car.times))
