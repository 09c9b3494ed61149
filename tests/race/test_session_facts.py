"""Start, suspension, flag, and information that goes to viewers unchanged."""

from __future__ import annotations

import pytest

from f1stream.race.session_facts import apply_message
from f1stream.race.state import Race
from models import Notice, PitIn, PitOut, RaceControl, TyreChange
from tests.support.oval import LAP_MS, MEASURED_MS, Oval


def test_before_the_start_the_order_is_the_grid_and_there_are_no_gaps() -> None:
    oval = Oval("4", "81", "1")
    oval.go(2)
    assert oval.race.order == ["4", "81", "1"]
    assert {oval.shown_status(number) for number in oval.race.cars} == {"grid"}
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


def test_a_pit_lane_starter_is_behind_everybody_until_it_has_left() -> None:
    """Its place in the lane can lie beyond the finish line, and it rolls to the exit while the others start."""
    oval = Oval("22", "4", "81", pit_lane_start=("22",))
    oval.metres["22"] = 100.0
    oval.go(1)
    assert oval.race.order == ["4", "81", "22"]
    oval.start()
    oval.go(2)
    assert oval.race.order == ["4", "81", "22"], "it has passed more lines, but in the pit lane"
    oval.drive("22", speed=0)
    oval.go(10)
    oval.apply(PitOut(session_time_ms=oval.now, driver_number="22", lap=1))
    oval.drive("22", speed=150)
    oval.go(15)
    assert oval.race.order[0] == "22", "on the track it is ranked like the others"


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
    oval.stop("4")
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


def test_at_the_flag_every_car_finishes_its_lap() -> None:
    oval = Oval("4", "81", "1")
    oval.set_total_laps(2)
    oval.start()
    oval.drive("1", speed=48)
    oval.go(121)
    assert [oval.shown_status(number) for number in ("4", "81", "1")] == ["finished", "running", "running"]
    oval.go(1)
    assert oval.shown_status("81") == "finished"
    oval.go(62)
    assert oval.shown_status("1") == "finished"
    assert oval.race.order == ["4", "81", "1"]


def test_a_lapped_car_is_finished_a_lap_down_at_its_next_crossing() -> None:
    oval = Oval("4", "81")
    oval.set_total_laps(3)
    oval.start()
    oval.drive("81", speed=40)
    oval.go(182)
    assert oval.shown_status("4") == "finished"
    assert oval.shown_status("81") == "running"
    oval.go(40)
    assert oval.shown_status("81") == "finished"
    assert oval.race.cars["81"].lap == 2
    assert oval.race.gaps["81"].laps == 1


def test_after_the_flag_the_slowing_down_lap_changes_nothing() -> None:
    oval = Oval("4", "81")
    oval.set_total_laps(1)
    oval.start()
    oval.go(62)
    oval.drive("4", speed=20)
    oval.go(90)
    assert oval.race.order == ["4", "81"]
    assert [car.lap for car in oval.race.cars.values()] == [1, 1]
    assert oval.race.gaps["81"].ms == pytest.approx(500, abs=MEASURED_MS)


def test_a_race_cut_short_ends_with_the_feeds_status() -> None:
    oval = Oval("4", "81")
    oval.set_total_laps(9)
    oval.start()
    oval.go(60.8)
    oval.status("Finished")
    assert oval.shown_status("4") == "finished", "its crossing was a moment before the status"
    assert oval.shown_status("81") == "running"
    oval.go(1)
    assert oval.shown_status("81") == "finished"


def test_the_feeds_status_a_moment_before_the_leaders_crossing_waits_for_it() -> None:
    oval = Oval("4", "81")
    oval.set_total_laps(9)
    oval.start()
    oval.go(60.0)
    oval.status("Finished")
    assert oval.shown_status("4") == "running"
    oval.go(2)
    assert [oval.shown_status(number) for number in ("4", "81")] == ["finished", "finished"]


def test_drs_and_the_overtake_mode_are_what_race_control_published_last() -> None:
    race = Race.of([])
    for text, expected in (
        ("DRS ENABLED", ("DRS", True)), ("DRS DISABLED IN ZONE 1", ("DRS", True)), ("DRS DISABLED", ("DRS", False)),
        ("OVERTAKE ENABLED", ("OVERTAKE", True)), ("OVERTAKE DISABLED", ("OVERTAKE", False)),
    ):  # fmt: skip
        apply_message(race, RaceControl(session_time_ms=0, category="Other", message=text))
        assert race.broadcast.overtaking == expected


def test_a_notice_is_shown_until_it_is_withdrawn() -> None:
    race = Race.of([])
    apply_message(race, Notice(session_time_ms=0, about="Position.z", text="No positions."))
    apply_message(race, Notice(session_time_ms=0, about="TimingData", text="No timing."))
    apply_message(race, Notice(session_time_ms=9, about="Position.z", text=None))
    assert race.broadcast.notices == {"TimingData": "No timing."}
