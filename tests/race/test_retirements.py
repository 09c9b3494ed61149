"""Which cars are out of a race: retired by the feed, or silent."""

from __future__ import annotations

import pytest

from f1stream.race.crossings import apply_sample
from f1stream.race.retirements import GARAGE_LAPS, SILENT_MS, STOPPED_MS
from f1stream.race.session_facts import apply_message, apply_time
from f1stream.race.state import Race
from models import Entry, PitIn, Retirement, SessionStatus
from tests.support.oval import Oval
from tests.support.small_race import START_S, SmallRace

SILENT_S, STOPPED_S = SILENT_MS / 1_000, STOPPED_MS / 1_000
LAP_S = 80


def racing(*numbers: str, until_s: float = 900, without: dict[str, float] | None = None) -> SmallRace:
    """Cars that pass a mini-sector every 10 s and end a lap every ``LAP_S``; ``without``: until when each does."""
    race = SmallRace(numbers)
    race.start()
    for nth, number in enumerate(numbers):
        last = (without or {}).get(number, until_s)
        at, mini = START_S + 10 + nth, 0
        while at <= last:
            race.mini(at, number, mini % 8)
            mini += 1
            if mini % 8 == 0:
                race.lap(at, number, mini // 8, "1:20.000")
                race.cleared(at + 3, number)
            at += 10
    return race


def test_a_slow_first_lap_behind_the_safety_car_retires_no_car() -> None:
    race = SmallRace()
    race.start()
    for mini in range(6):
        for nth, number in enumerate(race.numbers):
            race.mini(70 + 20 * mini + nth, number, mini)
    race.lap(220, "4", 1)
    race.lap(221, "81", 1)
    race.goes_on(260)
    for at in (START_S + SILENT_S + 5, 200, 259):
        assert race.at(at).status == {"4": "running", "81": "running"}, at


def test_slow_laps_of_a_feed_that_publishes_laps_only_retire_no_car() -> None:
    race = SmallRace(("4", "81", "1", "16"))
    race.start()
    for lap, end in enumerate((210, 370, 530), 1):  # 150 s, then 160 s; the field is 45 s apart
        for nth, number in enumerate(race.numbers):
            race.lap(end + 15 * nth, number, lap)
    race.goes_on(600)
    for at in range(70, 600, 10):
        assert set(race.at(at).status.values()) == {"running"}, at


def test_a_car_of_which_nothing_is_heard_while_others_go_on_is_out_after_two_minutes() -> None:
    race = racing("4", "81", "1", without={"4": 200}, until_s=500)
    assert race.at(200 + SILENT_S - 5).status["4"] == "running"
    shown = race.at(200 + SILENT_S + 15)
    assert shown.status == {"4": "retired", "81": "running", "1": "running"}
    assert shown.order == ["81", "1", "4"]


def test_while_the_feed_is_silent_no_car_is_out_nor_when_it_is_heard_again() -> None:
    race = racing("4", "81", "1", without=dict.fromkeys(("4", "81", "1"), 200))
    race.mini(800, "81", 3)
    race.mini(810, "1", 3)
    race.mini(820, "4", 3)
    race.goes_on(830)
    for at in (400, 799, 801, 825):
        assert set(race.at(at).status.values()) == {"running"}, at


def test_after_a_silence_of_the_feed_no_car_is_out_until_two_minutes_after_others_are_heard_again() -> None:
    race = racing("4", "81", "1", without=dict.fromkeys(("4", "81", "1"), 200))
    for number in ("4", "81"):
        race.cleared(799, number)
    for nth in range(16):
        for number, first in (("4", 0), ("81", 5)):
            if nth >= first:
                race.mini(800 + 10 * nth, number, nth % 8)
            if nth % 8 == 7:
                race.cleared(803 + 10 * nth, number)
    race.goes_on(970)
    assert {race.at(at).status["81"] for at in range(800, 860, 5)} == {"running"}
    assert race.at(915).status["1"] == "running"
    assert race.at(940).status == {"4": "running", "81": "running", "1": "retired"}


def test_a_car_that_the_feed_says_has_stopped_is_out_under_the_red_flag_too() -> None:
    race = racing("4", "81", until_s=160)
    race.lines(170, "81", Stopped=True)
    race.status(175, "Aborted")
    race.goes_on(1_500)
    assert race.at(171).status["81"] == "running", "a moment ago it passed a mini-sector"
    for at in (160 + STOPPED_S + 5, 1_500):
        assert race.at(at).status == {"4": "running", "81": "retired"}, at


def test_a_car_that_drives_so_slowly_that_the_feed_says_stopped_is_not_out() -> None:
    """As at the end of an in-lap in Baku 2023: ``Stopped`` for 22 s, a mini-sector passed every 10 s."""
    race = racing("4", "81", until_s=300)
    race.lines(153, "81", Stopped=True)
    race.lines(175, "81", Stopped=False)
    for at in range(150, 200, 2):
        assert race.at(at).status["81"] == "running", at


@pytest.mark.parametrize("sign", ["a mini-sector", "a lap", "no longer stopped"])
def test_a_stopped_car_that_moves_is_back_in_the_race(sign: str) -> None:
    race = racing("4", "81", until_s=500, without={"81": 145})
    race.lines(160, "81", Stopped=True)
    if sign == "a mini-sector":
        race.mini(250, "81", 2)
    elif sign == "a lap":
        race.lap(250, "81", 2)
    else:
        race.lines(250, "81", Stopped=False)
    assert race.at(249).status["81"] == "retired"
    assert race.at(265).status["81"] == "running"


def test_a_mini_sector_marked_as_the_place_where_a_car_stopped_was_not_passed() -> None:
    race = racing("4", "81", until_s=600, without={"81": 141})
    race.mini(165, "81", 1, 2052)
    race.lines(168, "81", Stopped=True)
    assert race.at(170).status["81"] == "retired"


def test_a_car_that_crashes_on_the_last_lap_is_out() -> None:
    race = racing("4", "81", until_s=380, without={"81": 345})
    race.status(380, "Finished")
    race.lines(400, "81", Stopped=True)
    race.goes_on(420)
    assert race.at().status == {"4": "finished", "81": "retired"}


def test_a_car_that_does_not_come_to_the_flag_is_out_after_two_minutes() -> None:
    race = racing("4", "81", "1", until_s=385, without={"81": 345})
    race.status(380, "Finished")
    race.goes_on(600)
    assert race.at(390).status == {"4": "finished", "81": "running", "1": "finished"}
    assert race.at().status["81"] == "retired"


def test_a_race_that_is_not_resumed_is_finished_for_all_that_are_in_it() -> None:
    race = racing("4", "81", "1", until_s=300, without={"1": 150})
    race.lines(190, "1", Stopped=True)
    race.status(305, "Aborted")
    race.lines(350, "4", "81", InPit=True)
    race.status(1_500, "Finished")
    race.status(1_600, "Finalised")
    assert race.at().status == {"4": "finished", "81": "finished", "1": "retired"}


def test_a_retirement_that_the_feed_takes_back_is_none() -> None:
    race = racing("4", "81", until_s=400)
    race.lines(200, "4", Retired=True)
    race.lines(250, "4", Retired=False)
    assert race.at(240).status["4"] == "retired"
    assert race.at(252).status["4"] == "running"


def test_a_car_that_stays_in_its_garage_is_retired_once_the_leader_has_gone_on_for_some_laps() -> None:
    race = racing("81", "4", "1", until_s=900, without={"81": 225, "1": 175})
    race.lines(180, "1", Retired=True)
    race.lines(230, "81", InPit=True)
    shown = race.at(240)
    assert (shown.status["81"], shown.order) == ("pit", ["4", "81", "1"])
    shown = race.at(220 + (GARAGE_LAPS + 1) * LAP_S + 10)
    assert (shown.status["81"], shown.order) == ("retired", ["4", "81", "1"])
    race.lines(700, "81", InPit=False, PitOut=True)
    race.mini(710, "81", 0)
    assert race.at(715).status["81"] == "running", "it was repaired"


def test_a_repaired_car_that_drives_out_of_its_garage_is_in_the_pits_until_it_leaves_them() -> None:
    race = racing("81", "4", "1", until_s=900, without={"81": 225})
    race.lines(230, "81", InPit=True)
    for nth in range(8):
        race.mini(690.5 + 2.5 * nth, "81", nth)
    race.lines(715, "81", InPit=False, PitOut=True)
    assert race.at(690).status["81"] == "retired"
    assert {race.at(at).status["81"] for at in range(691, 715)} == {"pit"}


def test_a_car_that_was_in_the_pits_when_we_joined_is_not_in_its_garage_because_of_laps_before() -> None:
    race = SmallRace(("4", "81"))
    race.status(1, "Started")
    race.lines(2, "4", NumberOfLaps=40, Position="1", InPit=False)
    race.lines(2, "81", NumberOfLaps=40, Position="2", InPit=True)
    race.mini(4, "81", 0)  # it drives in, and is repaired
    for mini in range(8):
        race.mini(5 + 10 * mini, "4", mini)
    race.goes_on(80)
    assert race.at(75).status == {"4": "running", "81": "pit"}


def test_a_car_that_the_feed_retires_in_the_pits_is_retired() -> None:
    race = racing("4", "81", until_s=400, without={"81": 225})
    race.lines(230, "81", InPit=True)
    race.lines(260, "81", Stopped=True, Retired=True)
    assert race.at(255).status["81"] == "pit"
    assert race.at(262).status["81"] == "retired"


@pytest.mark.parametrize("place", ["in its garage", "on the grid"])
def test_a_car_that_does_not_start_is_retired_with_no_lap_and_ranked_last(place: str) -> None:
    """As four cars in China in 2026: they have tyres, and no laps."""
    race = racing("1", "4", "81", until_s=400, without={"1": 0})
    race.lines(2.5, "1", InPit=place == "in its garage")
    stint = {"Compound": "SOFT", "New": "true", "TyresNotChanged": "0", "StartLaps": 0, "TotalLaps": 0}
    race.say(5, "TimingAppData", {"Lines": {"1": {"Stints": {"0": stint}}}})
    shown = race.at(START_S + SILENT_S + 20)
    assert shown.order == ["4", "81", "1"]
    assert (shown.status["1"], shown.cars["1"].lap) == ("retired", 0)
    assert race.at().order == ["4", "81", "1"]


def test_without_any_timing_no_car_is_out() -> None:
    race = SmallRace(("4", "81"))
    race.status(START_S, "Started")
    race.say(400, "LapCount", {"CurrentLap": 3, "TotalLaps": 50})
    race.status(900, "Finished")
    race.goes_on(1_300)
    for at in (800, 1_300):
        assert race.at(at).status == {"4": "running", "81": "running"}


def test_out_on_lap_1_after_laps_to_the_grid_a_car_stays_out_with_no_lap() -> None:
    race = SmallRace()
    race.lines(2, InPit=True)
    for at, is_in in ((10, False), (20, True), (30, False)):
        race.lines(at, InPit=is_in)
    race.status(START_S, "Started")
    race.lines(69, "81", Speeds={"ST": {"Value": "240"}})
    race.lines(80, "81", Stopped=True)
    for lap in range(1, 5):
        race.lap(START_S + LAP_S * lap, "4", lap, "1:20.000")
    race.status(380.1, "Finished")
    race.status(500, "Ends")
    shown = race.at()
    assert (shown.status["81"], shown.cars["81"].lap) == ("retired", 0)
    assert [lap for lap in race.session().laps if lap.driver_number == "81"] == []


def test_speed_is_a_sign_of_life_before_the_track_is_known() -> None:
    entries = [
        Entry(driver_number=n, tla=n, name=n, team="T", team_color="ffffff", grid_position=g)
        for g, n in enumerate(("4", "81"), 1)
    ]
    race = Race.of(entries)
    apply_message(race, SessionStatus(session_time_ms=0, status="Started"))
    for t in range(200, 200_000, 200):
        apply_sample(race, race.cars["4"], t, 0.0, 1.0, 1.0, 120.0)
        apply_sample(race, race.cars["81"], t, 0.0, 1.0, 1.0, 0.0)
        apply_time(race, t)
    assert {number: car.retired for number, car in race.cars.items()} == {"4": False, "81": True}


def test_a_car_that_crosses_no_line_for_two_minutes_is_out_until_it_does() -> None:
    oval = Oval("4", "81", "1")
    oval.start()
    oval.go(10)
    oval.drive("4", speed=0)
    oval.go(SILENT_MS / 1_000 - 2)
    assert not oval.race.cars["4"].retired
    oval.go(4)
    assert oval.shown_status("4") == "retired"
    assert oval.race.order == ["81", "1", "4"]
    assert oval.race.gaps["4"].ms is None
    oval.drive("4")
    oval.go(3)
    assert oval.shown_status("4") == "running", "it was only delayed"
    assert oval.race.gaps["4"].laps == 2


def test_a_car_the_feed_retires_stays_out_however_far_it_rolls() -> None:
    oval = Oval("4", "81")
    oval.start()
    oval.go(10)
    oval.apply(Retirement(session_time_ms=oval.now, driver_number="4"))
    oval.go(10)
    assert oval.shown_status("4") == "retired"


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


def test_after_a_suspension_the_two_minutes_begin_again() -> None:
    oval = Oval("4", "81")
    oval.start()
    oval.go(10)
    oval.status("Aborted")
    oval.drive("4", "81", speed=0)
    oval.go(SILENT_MS / 1_000)
    oval.status("Started")
    oval.go(30)
    assert not oval.race.cars["4"].retired
