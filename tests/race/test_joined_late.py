"""A run that begins in the middle of the race: the feed's first answer is used."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.small_race import SmallRace


def joined(**of_first: Any) -> SmallRace:
    """Five cars after nine laps: one laps down, one in the pits, one stopped, one retired."""
    race = SmallRace(("4", "81", "1", "16", "44"))
    first = {
        "81": {"Position": "1", "NumberOfLaps": 9, "InPit": False} | of_first,
        "1": {"Position": "2", "NumberOfLaps": 9, "InPit": True},
        "4": {"Position": "3", "NumberOfLaps": 8, "InPit": False},
        "16": {"Position": "4", "NumberOfLaps": 5, "InPit": False, "Stopped": True},
        "44": {"Position": "5", "NumberOfLaps": 2, "InPit": True, "Retired": True},
    }
    race.say(2, "TimingData", {"Lines": first}, snapshot=True)
    race.say(2, "LapCount", {"CurrentLap": 10, "TotalLaps": 50}, snapshot=True)
    race.say(2, "SessionStatus", {"Status": "Started"}, snapshot=True)
    race.goes_on(40)
    return race


def test_place_laps_and_who_is_out_or_in_the_pits_are_shown_at_once() -> None:
    shown = joined().at(30)
    assert shown.order == ["81", "1", "4", "16", "44"]
    assert {number: car.lap for number, car in shown.cars.items()} == {"81": 9, "1": 9, "4": 8, "16": 5, "44": 2}
    assert shown.status == {"81": "running", "1": "pit", "4": "running", "16": "retired", "44": "retired"}
    assert shown.race.lap == 10


def test_no_gap_and_no_lap_time_is_made_of_the_moment_at_which_we_joined() -> None:
    race = joined()
    race.lap(50, "81", 10, Speeds={"FL": {"Value": "290"}})
    race.lap(52, "4", 9, "1:31.000", GapToLeader="1L")
    race.goes_on(60)
    shown = race.at(45)
    assert [gap.ms for number, gap in shown.race.gaps.items() if number != "81"] == [None] * 4
    shown = race.at(68)
    assert (shown.cars["81"].last_lap_ms, shown.cars["4"].last_lap_ms) == (None, 91_000)
    assert (shown.cars["81"].lap, shown.cars["4"].lap, shown.race.lap) == (10, 9, 11)


@pytest.mark.parametrize("status_first", [True, False])
def test_joined_on_the_second_lap_the_first_one_counts(status_first: bool) -> None:
    race = SmallRace(("4", "81"))
    for_all = {"NumberOfLaps": 1, "InPit": False}
    lines = {"Lines": {"4": for_all | {"Position": "2"}, "81": for_all | {"Position": "1"}}}
    answer = [("SessionStatus", {"Status": "Started"}), ("TimingData", lines)]
    for topic, data in answer if status_first else reversed(answer):
        race.say(2, topic, data, snapshot=True)
    race.goes_on(40)
    shown = race.at()
    assert ([car.lap for car in shown.cars.values()], shown.order) == ([1, 1], ["81", "4"])


def test_laps_driven_while_the_feed_was_silent_count() -> None:
    race = SmallRace(("4", "81"))
    race.start()
    for lap in (1, 2):
        race.lap(60 + 80 * lap, "4", lap, "1:20.000")
        race.lap(61 + 80 * lap, "81", lap, "1:20.000")
    again = {"NumberOfLaps": 7, "InPit": False}
    race.say(650, "TimingData", {"Lines": {"4": again | {"Position": "2"}, "81": again | {"Position": "1"}}},
             snapshot=True)  # fmt: skip
    race.goes_on(660)
    shown = race.at()
    assert ([car.lap for car in shown.cars.values()], shown.order) == ([7, 7], ["81", "4"])
    assert set(shown.status.values()) == {"running"}
