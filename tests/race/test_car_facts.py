"""Laps, official times and stops of a car."""

from __future__ import annotations

import pytest

from models import PitIn, PitOut, Timing
from tests.support.oval import LAP_MS, SAMPLE_MS, Oval


def test_the_feeds_own_gap_is_compared_with_ours() -> None:
    """Not before the start, for the leader or in the pits, where the feed's gap means something else."""
    oval = Oval("4", "81")

    def show_gap(number: str, gap_ms: int | None) -> None:
        oval.apply(Timing(session_time_ms=oval.now, driver_number=number, gap_ms=gap_ms))

    show_gap("81", 900)
    oval.start()
    oval.go(20)
    ours = oval.race.gaps["81"].ms
    assert ours is not None
    show_gap("4", None)
    show_gap("81", ours - 70)
    show_gap("81", ours + 30)
    oval.apply(PitIn(session_time_ms=oval.now, driver_number="81", lap=1))
    show_gap("81", ours)
    assert oval.race.gap_errors == [70, -30]


def test_official_times_do_not_correct_a_race_that_is_only_measured() -> None:
    oval = Oval("4", "81", official=False)
    oval.start()
    oval.go(61)
    before = list(oval.race.cars["4"].times)
    oval.ends_lap("4", 1, end_ms=oval.now - 900)
    assert oval.race.cars["4"].times == before
    assert [c.official_ms for c in oval.race.compared if c.car == "4"] == [oval.now - 900]


def test_an_official_lap_end_corrects_the_gaps_of_all() -> None:
    oval = Oval("4", "81")
    oval.start()
    oval.go(60.8)  # the leader has crossed the line
    assert oval.race.cars["4"].lap == 1
    measured = oval.race.cars["4"].time_at(60)
    assert measured is not None
    oval.ends_lap("4", 1, end_ms=measured - 40)
    assert oval.race.cars["4"].time_at(60) == measured - 40
    oval.go(0.6)
    end = oval.race.cars["81"].time_at(60)
    assert end is not None
    oval.ends_lap("81", 1, end_ms=end + 30)
    oval.go(0.2)
    assert oval.race.gaps["81"].ms == end + 30 - (measured - 40)


def test_an_official_lap_end_known_before_the_sample_counts_the_lap_once() -> None:
    oval = Oval("4")
    oval.start()
    oval.go(60.3)
    assert oval.race.cars["4"].lap == 0
    oval.ends_lap("4", 1)
    oval.go(1)
    assert oval.race.cars["4"].lap == 1
    assert oval.race.cars["4"].last_lap == (1, LAP_MS)


def test_a_revised_lap_that_is_over_does_not_disturb_the_count() -> None:
    oval = Oval("4", "81")
    oval.start()
    for lap in (1, 2, 3):
        oval.go(LAP_MS / 1_000)
        oval.go(1 if lap == 1 else 0)
        oval.ends_lap("4", lap, ms=LAP_MS + lap)
    car = oval.race.cars["4"]
    before = (car.line, list(car.times), car.last_lap)
    oval.ends_lap("4", 2, end_ms=oval.now - LAP_MS - 150, ms=LAP_MS - 5_000)
    assert (car.line, list(car.times), car.last_lap) == before
    assert oval.race.bests.fastest() == ("4", 2, LAP_MS - 5_000), "its time counts all the same"


def test_a_deleted_and_a_reinstated_lap_move_the_fastest_lap() -> None:
    oval = Oval("4", "81")
    oval.start()
    oval.go(62)
    oval.ends_lap("4", 1, ms=60_100)
    oval.ends_lap("81", 1, ms=60_500)
    held = [oval.race.bests.fastest()]
    oval.ends_lap("4", 1, end_ms=oval.now, ms=60_100, deleted=True)
    held.append(oval.race.bests.fastest())
    oval.ends_lap("4", 1, end_ms=oval.now, ms=60_100)
    held.append(oval.race.bests.fastest())
    assert held == [("4", 1, 60_100), ("81", 1, 60_500), ("4", 1, 60_100)]


def test_a_stop_is_a_visit_that_changed_tyres() -> None:
    oval = Oval("4", "81")
    oval.start()
    oval.go(30)
    oval.stop("4")
    oval.stop("81", tyres=None)
    stops = oval.race.cars["4"].stops()
    assert [stop.lap for stop in stops] == [1]
    assert stops[0].stationary_ms == pytest.approx(3_000, abs=2 * SAMPLE_MS)
    assert oval.race.cars["4"].compound == "HARD"
    assert oval.race.cars["81"].stops() == []


def test_a_car_in_the_pit_lane_reads_pit() -> None:
    oval = Oval("4")
    oval.start()
    oval.go(30)
    oval.apply(PitIn(session_time_ms=oval.now, driver_number="4", lap=1))
    assert oval.shown_status("4") == "pit"
    oval.apply(PitOut(session_time_ms=oval.now + 20_000, driver_number="4", lap=1))
    assert oval.shown_status("4") == "running"
