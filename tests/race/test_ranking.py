"""What a race's order is by: lines where cars are measured, else the feed's positions; the result is the feed's."""

from __future__ import annotations

import pytest

from f1stream.race.car import LINES
from f1stream.race.frames import FrameBuilder
from f1stream.race.ranking import SETTLED_MS, UNSEEN_MS
from f1stream.race.session_facts import apply_message
from models import LapCount, RaceControl, Timing
from tests.support.oval import LAP_M, LAP_MS, Oval
from tests.support.small_race import START_S, SmallRace


def positions(oval: Oval, *numbers: str) -> None:
    """Publish the feed's own order."""
    for position, number in enumerate(numbers, 1):
        oval.apply(Timing(session_time_ms=oval.now, driver_number=number, position=position))


def changes_places(race: SmallRace) -> None:
    """The first two do, and again."""
    for at, first, second in ((5, "2", "1"), (10, "1", "2")):
        race.lines(START_S + at, race.numbers[0], Position=first)
        race.lines(START_S + at, race.numbers[1], Position=second)


def test_on_a_first_lap_without_samples_the_order_is_the_feeds_from_its_first_change_on() -> None:
    race = SmallRace(("4", "81", "1"))
    race.start()
    race.lines(START_S + 5, "1", Position="1")
    race.lines(START_S + 5, "4", Position="2")
    race.lines(START_S + 5, "81", Position="3")
    race.lap(START_S + 90, "1", 1)
    assert race.at(START_S + 4).order == ["4", "81", "1"]
    assert race.at(START_S + 6).order == ["1", "4", "81"]


def test_positions_from_before_the_start_are_no_order_of_the_race() -> None:
    """They can still be those of the qualifying, before penalties on the grid."""
    race = SmallRace(("4", "81"))
    race.lines(2, "4", InPit=False, Position="2")
    race.lines(2, "81", InPit=False, Position="1")
    race.status(START_S, "Started")
    race.lines(START_S + 9, "4", Position="1")
    race.lines(START_S + 9, "81", Position="2")
    assert race.at(START_S + 8).order == ["4", "81"]


def test_measured_cars_are_in_the_order_of_their_lines_whatever_the_feed_says() -> None:
    oval = Oval("4", "81")
    oval.start()
    oval.drive("81", speed=90)
    oval.go(10)
    positions(oval, "4", "81")
    oval.go(2)
    assert oval.race.order == ["81", "4"]


def test_once_no_car_has_samples_any_more_the_order_is_the_feeds() -> None:
    oval = Oval("4", "81")
    oval.start()
    oval.go(10)
    oval.silent.update(["4", "81"])
    oval.go(2)
    positions(oval, "81", "4")
    oval.go(UNSEEN_MS / 1_000 - 4)
    assert oval.race.order == ["4", "81"]
    oval.go(4)
    assert oval.race.order == ["81", "4"]
    oval.silent.clear()
    oval.go(2)
    assert oval.race.order == ["4", "81"]


def test_when_the_track_becomes_known_in_mid_race_cars_are_measured_on_the_lap_they_are_on() -> None:
    oval = Oval("4", "81")
    oval.race.timing_points = None
    oval.start()
    oval.go(1)
    positions(oval, "81", "4")
    oval.go(61)
    for number in ("4", "81"):
        oval.ends_lap(number, 1)
    oval.go(20)
    assert (oval.race.order_by, oval.race.order) == ("feed", ["81", "4"])
    oval.race.set_reference_line(LAP_M)
    oval.go(3)
    assert (oval.race.order_by, oval.race.order) == ("lines", ["4", "81"])
    assert [car.line for car in oval.race.cars.values()] == [LINES + 24] * 2


def test_a_retired_car_is_last_where_the_order_is_the_feeds_and_the_result_has_it_in_its_place() -> None:
    """The feed keeps it in its place until others have passed; the result counts its laps."""
    race = SmallRace(("4", "81", "1"))
    race.start()
    for lap in (1, 2):
        for nth, number in enumerate(("4", "81")):
            race.lap(START_S + 80 * lap + nth, number, lap, "1:20.000")
    changes_places(race)
    race.lap(START_S + 100, "1", 1, "1:40.000")
    race.lines(START_S + 170, "81", Retired=True)
    race.lap(START_S + 200, "1", 2, "1:40.000")
    race.lap(START_S + 240, "4", 3, "1:20.000")
    race.status(START_S + 240, "Finished")
    assert race.at(START_S + 180).order == ["4", "1", "81"]
    race.lap(START_S + 300, "1", 3, "1:40.000")
    race.status(START_S + 330, "Finalised")
    assert race.at().order == ["4", "81", "1"]


def finished(*apart_s: int) -> SmallRace:
    """Three cars and two laps without samples, so far apart at the flag."""
    race = SmallRace(("4", "81", "1"))
    race.start()
    for nth, number in enumerate(race.numbers):
        race.lap(START_S + 80, number, 1, "1:20.000")
        race.lap(START_S + 160 + apart_s[nth], number, 2, f"1:{20 + apart_s[nth]}.000")
    changes_places(race)
    race.status(START_S + 160.05, "Finished")
    return race


def test_at_the_end_the_official_position_wins_over_line_times_and_the_difference_is_counted() -> None:
    """Bahrain 2025: a transponder was lost; by their last laps second and third were 6 ms apart, the wrong way."""
    oval = Oval("4", "81", "1")
    oval.apply(LapCount(session_time_ms=0, lap=1, total_laps=1))
    oval.start()
    oval.go(20)
    positions(oval, "4", "1", "81")
    oval.go(42)
    oval.ends_lap("4", 1, end_ms=oval.race.started_ms + LAP_MS)
    oval.ends_lap("81", 1, end_ms=oval.race.started_ms + LAP_MS + 900)
    oval.ends_lap("1", 1, end_ms=oval.race.started_ms + LAP_MS + 906)
    oval.go(1)
    assert oval.race.order == ["4", "81", "1"], "by their times, until the feed has published all"
    oval.go(SETTLED_MS / 1_000)
    assert oval.race.order == ["4", "1", "81"]
    assert oval.race.put_back == ["81"]
    assert oval.frames.frame(oval.now).cars.keys() <= {"4", "81", "1"}


def test_where_the_official_result_is_that_of_the_lines_no_difference_is_counted() -> None:
    race = finished(0, 1, 2)
    race.goes_on(300)
    shown = race.at()
    assert (shown.order, shown.race.order_by, shown.race.put_back) == (["4", "81", "1"], "result", [])


def test_the_result_stays_the_order_when_a_car_that_was_out_moves_again() -> None:
    race = SmallRace(("4", "81", "1"))
    race.start()
    for lap in (1, 2):
        for nth, number in enumerate(("4", "81")):
            race.lap(START_S + 80 * lap + nth, number, lap, "1:20.000")
    changes_places(race)
    race.lap(START_S + 90, "1", 1, "1:30.000")
    race.lines(START_S + 120, "1", Stopped=True)
    race.status(START_S + 160.05, "Finished")
    race.lines(START_S + 250, "1", Stopped=False)
    race.goes_on(START_S + 280)
    assert race.at(START_S + 240).status["1"] == "retired"
    assert race.at(START_S + 252).status["1"] == "running"
    assert [race.at(START_S + at).race.order_by for at in (240, 252, 270)] == ["result"] * 3


def test_who_wins_by_a_pass_that_the_feed_has_not_shown_yet_is_finished_at_the_flag() -> None:
    race = SmallRace(("4", "81"))
    race.start()
    changes_places(race)
    for lap, first, second in ((1, "4", "81"), (2, "81", "4")):
        race.lap(START_S + 80 * lap + 0.1, first, lap, "1:20.000")
        race.lap(START_S + 80 * lap + 0.4, second, lap, "1:20.300")
    race.status(START_S + 160.9, "Finished")
    for place, number in enumerate(("81", "4"), 1):
        race.lines(START_S + 162, number, Position=str(place))
    race.goes_on(START_S + 180)
    shown = race.at()
    assert (shown.order, shown.status) == (["81", "4"], {"4": "finished", "81": "finished"})


def test_a_penalty_that_the_result_has_applied_is_not_added_again() -> None:
    race = finished(0, 1, 8)
    message = {"Utc": "2025-05-03T16:50:00", "Lap": 2, "Category": "Other",
               "Message": "FIA STEWARDS: 10 SECOND TIME PENALTY FOR CAR 81 (T81) - UNSAFE RELEASE"}  # fmt: skip
    race.say(START_S + 100, "RaceControlMessages", {"Messages": {"1": message}})
    assert race.at(START_S + 168).cars["81"].position_with_penalties == 3
    race.lines(START_S + 170, "1", Position="2")
    race.lines(START_S + 170, "81", Position="3", GapToLeader="+11.000")
    race.goes_on(300)
    shown = race.at()
    assert (shown.order, shown.race.put_back) == (["4", "1", "81"], ["81"])
    assert [car.position_with_penalties for car in shown.cars.values()] == [None] * 3
    assert shown.race.intervals["81"].ms is None, "by their times it is not behind the car ahead"


@pytest.mark.parametrize("total", [None, 5])
def test_after_the_flag_the_lap_is_the_leaders_last(total: int | None) -> None:
    """Also if the number of laps is unknown, or fewer are driven."""
    race = SmallRace()
    race.start()
    if total is not None:
        race.say(5, "LapCount", {"CurrentLap": 1, "TotalLaps": total})
    for lap in range(1, 5):
        race.lap(START_S + 80 * lap, "4", lap, "1:20.000")
    race.status(START_S + 320.05, "Finished")
    race.goes_on(400)
    assert [race.at(at).race.lap for at in (START_S + 100, START_S + 310)] == [2, 4]
    assert race.at().race.lap == 4


def test_a_penalty_of_a_car_that_the_result_left_in_its_place_still_counts() -> None:
    race = finished(0, 1, 8)
    race.goes_on(300)
    shown = race.at()
    apply_message(shown.race, RaceControl(
        session_time_ms=301_000, category="Other",
        message="FIA STEWARDS: 10 SECOND TIME PENALTY FOR CAR 81 (T81) - UNSAFE RELEASE",
    ))  # fmt: skip
    assert FrameBuilder(shown.race).frame(301_000).cars["81"].position_with_penalties == 3
