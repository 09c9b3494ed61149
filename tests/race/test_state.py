"""Cases of the rules: what happens in a race, told by samples and messages."""

from __future__ import annotations

from itertools import pairwise

import pytest

from f1stream.race.crossings import apply_sample
from f1stream.race.retirements import SILENT_MS
from f1stream.race.session_facts import apply_message
from f1stream.race.state import Race
from models import LapCount, Notice, PitIn, PitOut, RaceControl, Retirement, SectorTime, Timing, TyreChange
from tests.support.oval import GRID_SLOT_M, LAP_M, LAP_MS, SAMPLE_MS, Oval

MEASURED_MS = 60
"""Line crossings are interpolated between samples, and a start from standing is sudden here."""


def state(oval: Oval, number: str) -> str:
    return oval.frames._status(oval.race.cars[number])


def comes_in(oval: Oval, number: str, stands_s: float = 3.0, tyres: str | None = "HARD") -> None:
    """A stop: slow in, stand, off again."""
    lap = oval.race.cars[number].lap + 1
    oval.apply(PitIn(session_time_ms=oval.now, driver_number=number, lap=lap))
    oval.drive(number, speed=0)
    oval.go(stands_s)
    oval.drive(number)
    if tyres is not None:
        oval.apply(
            TyreChange(
                session_time_ms=oval.now, driver_number=number, lap=lap + 1, compound=tyres, tyre_life=0, fresh=True
            )
        )
    oval.apply(PitOut(session_time_ms=oval.now, driver_number=number, lap=lap))


def total_laps(oval: Oval, laps: int) -> None:
    oval.apply(LapCount(session_time_ms=oval.now, lap=1, total_laps=laps))


# -- the start -----------------------------------------------------------------------------------------


def test_before_the_start_the_order_is_the_grid_and_there_are_no_gaps() -> None:
    oval = Oval("4", "81", "1")
    oval.go(2)
    assert oval.race.order == ["4", "81", "1"]
    assert {state(oval, number) for number in oval.race.cars} == {"grid"}
    assert oval.race.lap == 0
    assert [gap.ms for gap in oval.race.gaps.values()] == [0, None, None]


def test_laps_driven_to_the_grid_do_not_count() -> None:
    oval = Oval("4", "81")
    oval.drive("4", "81")
    oval.go(LAP_MS / 1_000)
    oval.start()
    oval.go(1)
    assert [car.lap for car in oval.race.cars.values()] == [0, 0]
    oval.go(LAP_MS / 1_000)
    assert [car.lap for car in oval.race.cars.values()] == [1, 1]


def test_the_gap_off_the_grid_is_the_time_between_two_cars_at_a_line() -> None:
    oval = Oval("4", "81")
    oval.start()
    oval.go(20)
    assert oval.race.gaps["81"].ms == pytest.approx(GRID_SLOT_M / 20 * 1_000, abs=MEASURED_MS)


def test_the_feeds_own_gap_is_held_against_ours() -> None:
    """Not before the start, not for the leader, not in the pits: there the feed and we mean different things."""
    oval = Oval("4", "81")

    def told(number: str, gap_ms: int | None) -> None:
        oval.apply(Timing(session_time_ms=oval.now, driver_number=number, gap_ms=gap_ms))

    told("81", 900)
    oval.start()
    oval.go(20)
    ours = oval.race.gaps["81"].ms
    assert ours is not None
    told("4", None)
    told("81", ours - 70)
    told("81", ours + 30)
    oval.apply(PitIn(session_time_ms=oval.now, driver_number="81", lap=1))
    told("81", ours)
    assert oval.race.gap_errors == [70, -30]


def test_an_overtake_changes_the_order() -> None:
    oval = Oval("4", "81")
    oval.start()
    oval.drive("81", speed=90)
    oval.go(10)
    assert oval.race.order == ["81", "4"]


def test_a_pit_lane_starter_is_behind_everybody_until_it_has_left() -> None:
    """Its place in the lane can lie beyond the finish line, and it rolls to the exit while the others start."""
    oval = Oval("22", "4", "81", pit_lane_start=("22",))
    oval.metres["22"] = 100.0
    oval.go(1)
    assert oval.race.order == ["4", "81", "22"]
    oval.start()
    oval.go(2)
    assert oval.race.order == ["4", "81", "22"], "it has passed more lines than the others, in the pit lane"
    oval.drive("22", speed=0)
    oval.go(10)
    oval.apply(PitOut(session_time_ms=oval.now, driver_number="22", lap=1))
    oval.drive("22", speed=150)
    oval.go(15)
    assert oval.race.order[0] == "22", "out on the track it races like the others"


def test_after_an_aborted_start_the_next_start_is_the_start() -> None:
    oval = Oval("4", "81")
    oval.start()
    oval.go(10)
    first = oval.race.started_ms
    oval.apply(RaceControl(session_time_ms=oval.now, category="Other", message="ABORTED START"))
    oval.go(50)  # round to the grid again
    oval.drive("4", "81", speed=0)
    oval.start()
    oval.go(2)
    assert oval.race.started_ms != first
    oval.go(LAP_MS / 1_000)
    assert [car.lap for car in oval.race.cars.values()] == [1, 1]


def test_a_race_that_is_on_cannot_have_its_start_aborted() -> None:
    oval = Oval("4")
    oval.start()
    oval.go(61)
    oval.apply(RaceControl(session_time_ms=oval.now, category="Other", message="ABORTED START"))
    assert oval.race.started_ms is not None
    assert oval.race.cars["4"].lap == 1


# -- laps ----------------------------------------------------------------------------------------------


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
    total_laps(oval, 9)
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


def test_an_official_lap_end_told_before_the_sample_counts_the_lap_once() -> None:
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


# -- stops, suspension ---------------------------------------------------------------------------------


def test_a_stop_is_a_visit_that_changed_tyres() -> None:
    oval = Oval("4", "81")
    oval.start()
    oval.go(30)
    comes_in(oval, "4")
    comes_in(oval, "81", tyres=None)
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
    assert state(oval, "4") == "pit"
    oval.apply(PitOut(session_time_ms=oval.now + 20_000, driver_number="4", lap=1))
    assert state(oval, "4") == "running"


def test_gaps_pause_while_the_race_is_suspended() -> None:
    oval = Oval("4", "81")
    oval.start()
    oval.go(30)
    oval.status("Aborted")
    oval.go(0.2)
    paused = dict(oval.race.gaps)
    oval.drive("81", speed=20)
    oval.go(40)
    assert oval.race.gaps == paused
    oval.status("Started")
    oval.go(4)
    assert oval.race.gaps != paused


@pytest.mark.parametrize("in_the_pits_already", [True, False])
def test_tyres_changed_under_the_red_flag_are_no_stop(in_the_pits_already: bool) -> None:
    oval = Oval("4", "81")
    oval.start()
    oval.go(30)
    if in_the_pits_already:
        oval.apply(PitIn(session_time_ms=oval.now, driver_number="4", lap=1))
        oval.status("Aborted")
    else:
        oval.status("Aborted")
        oval.apply(PitIn(session_time_ms=oval.now, driver_number="4", lap=1))
    oval.drive("4", speed=0)
    oval.go(60)
    oval.status("Started")
    oval.apply(
        TyreChange(session_time_ms=oval.now, driver_number="4", lap=2, compound="HARD", tyre_life=0, fresh=True)
    )
    oval.apply(PitOut(session_time_ms=oval.now, driver_number="4", lap=1))
    assert oval.race.cars["4"].stops() == []
    assert oval.race.cars["4"].compound == "HARD"
    oval.drive("4")
    oval.go(30)
    comes_in(oval, "4")
    assert len(oval.race.cars["4"].stops()) == 1, "the next one is a stop again"


def test_the_restart_is_no_second_start() -> None:
    oval = Oval("4", "81")
    oval.start()
    oval.go(90)
    oval.status("Aborted")
    oval.drive("4", "81", speed=0)
    oval.go(60)
    oval.status("Started")
    oval.drive("4", "81")
    oval.go(35)
    assert [car.lap for car in oval.race.cars.values()] == [2, 2]


# -- out of the race -----------------------------------------------------------------------------------


def test_a_car_that_crosses_no_line_for_two_minutes_is_out_until_it_does() -> None:
    oval = Oval("4", "81", "1")
    oval.start()
    oval.go(10)
    oval.drive("4", speed=0)
    oval.go(SILENT_MS / 1_000 - 2)
    assert not oval.race.cars["4"].retired
    oval.go(4)
    assert state(oval, "4") == "retired"
    assert oval.race.order == ["81", "1", "4"]
    assert oval.race.gaps["4"].ms is None
    oval.drive("4")
    oval.go(3)
    assert state(oval, "4") == "running", "it was only stuck"
    assert oval.race.gaps["4"].laps == 2


def test_a_car_the_feed_retires_stays_out_however_far_it_rolls() -> None:
    oval = Oval("4", "81")
    oval.start()
    oval.go(10)
    oval.apply(Retirement(session_time_ms=oval.now, driver_number="4"))
    oval.go(10)
    assert state(oval, "4") == "retired"


def test_a_car_the_feed_retires_drops_behind_those_running() -> None:
    oval = Oval("4", "81")
    oval.start()
    oval.go(10)
    oval.apply(Retirement(session_time_ms=oval.now, driver_number="4"))
    oval.go(1)
    assert oval.race.order == ["81", "4"]
    assert oval.race.gaps["81"].ms == 0, "it leads now"


@pytest.mark.parametrize("why", ["suspended", "in the pits", "not started"])
def test_a_car_may_stand_as_long_as_it_likes(why: str) -> None:
    oval = Oval("4")
    if why != "not started":
        oval.start()
    oval.go(10)
    if why == "suspended":
        oval.status("Aborted")
    if why == "in the pits":
        oval.apply(PitIn(session_time_ms=oval.now, driver_number="4", lap=1))
    oval.drive("4", speed=0)
    oval.go(SILENT_MS / 1_000 + 30)
    assert not oval.race.cars["4"].retired


def test_after_a_suspension_the_two_minutes_begin_anew() -> None:
    oval = Oval("4", "81")
    oval.start()
    oval.go(10)
    oval.status("Aborted")
    oval.drive("4", "81", speed=0)
    oval.go(SILENT_MS / 1_000)
    oval.status("Started")
    oval.go(30)
    assert not oval.race.cars["4"].retired


# -- the flag ------------------------------------------------------------------------------------------


def test_at_the_flag_every_car_finishes_its_lap() -> None:
    oval = Oval("4", "81", "1")
    total_laps(oval, 2)
    oval.start()
    oval.drive("1", speed=48)
    oval.go(121)
    assert [state(oval, number) for number in ("4", "81", "1")] == ["finished", "running", "running"]
    oval.go(1)
    assert state(oval, "81") == "finished"
    oval.go(62)
    assert state(oval, "1") == "finished"
    assert oval.race.order == ["4", "81", "1"]


def test_a_lapped_car_is_finished_a_lap_down_at_its_next_crossing() -> None:
    oval = Oval("4", "81")
    total_laps(oval, 3)
    oval.start()
    oval.drive("81", speed=40)
    oval.go(182)
    assert state(oval, "4") == "finished"
    assert state(oval, "81") == "running"
    oval.go(40)
    assert state(oval, "81") == "finished"
    assert oval.race.cars["81"].lap == 2
    assert oval.race.gaps["81"].laps == 1


def test_after_the_flag_the_slowing_down_lap_changes_nothing() -> None:
    oval = Oval("4", "81")
    total_laps(oval, 1)
    oval.start()
    oval.go(62)
    oval.drive("4", speed=20)
    oval.go(90)
    assert oval.race.order == ["4", "81"]
    assert [car.lap for car in oval.race.cars.values()] == [1, 1]
    assert oval.race.gaps["81"].ms == pytest.approx(500, abs=MEASURED_MS)


def test_a_race_cut_short_ends_with_the_feeds_word() -> None:
    oval = Oval("4", "81")
    total_laps(oval, 9)
    oval.start()
    oval.go(60.8)
    oval.status("Finished")
    assert state(oval, "4") == "finished", "its crossing was a moment before the word"
    assert state(oval, "81") == "running"
    oval.go(1)
    assert state(oval, "81") == "finished"


def test_the_feeds_word_a_moment_before_the_leaders_crossing_waits_for_it() -> None:
    oval = Oval("4", "81")
    total_laps(oval, 9)
    oval.start()
    oval.go(60.0)
    oval.status("Finished")
    assert state(oval, "4") == "running"
    oval.go(2)
    assert [state(oval, number) for number in ("4", "81")] == ["finished", "finished"]


# -- bad and silent samples ----------------------------------------------------------------------------


def test_a_repeated_or_late_sample_is_not_raced() -> None:
    oval = Oval("4")
    oval.start()
    oval.go(10)
    before = oval.race.dump()
    car = oval.race.cars["4"]
    apply_sample(oval.race, car, oval.now, 700.0, 1.0, 1.0, 10.0)
    apply_sample(oval.race, car, oval.now - 50, 700.0, 1.0, 1.0, 10.0)
    assert oval.race.dump() == before


def test_a_car_at_zero_zero_is_nowhere() -> None:
    """The feed's way to say that it does not know: the position goes, the car keeps its place by its speed."""
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


def test_a_race_read_back_goes_on_as_if_nothing_had_happened() -> None:
    oval = Oval("4", "81")
    oval.start()
    oval.go(45)
    copy = Race.load(oval.race.dump())
    assert copy == oval.race
    assert copy.dump() == oval.race.dump()


def test_a_race_is_kept_in_the_same_bytes_whichever_car_was_touched_first() -> None:
    numbers = [str(n) for n in range(1, 100)]  # with so many a set's own order does depend on it
    there, back = Race({}), Race({})
    there.touched.update(numbers)
    back.touched.update(reversed(numbers))
    assert list(there.touched) != list(back.touched)
    assert there.dump() == back.dump()


def test_drs_and_the_overtake_mode_are_what_race_control_said_last() -> None:
    race = Race.of([])
    for text, expected in (
        ("DRS ENABLED", ("DRS", True)), ("DRS DISABLED IN ZONE 1", ("DRS", True)), ("DRS DISABLED", ("DRS", False)),
        ("OVERTAKE ENABLED", ("OVERTAKE", True)), ("OVERTAKE DISABLED", ("OVERTAKE", False)),
    ):  # fmt: skip
        apply_message(race, RaceControl(session_time_ms=0, category="Other", message=text))
        assert race.broadcast.overtaking == expected


def test_a_notice_stands_until_it_is_taken_back() -> None:
    race = Race.of([])
    apply_message(race, Notice(session_time_ms=0, about="Position.z", text="No positions."))
    apply_message(race, Notice(session_time_ms=0, about="TimingData", text="No timing."))
    apply_message(race, Notice(session_time_ms=9, about="Position.z", text=None))
    assert race.broadcast.notices == {"TimingData": "No timing."}
