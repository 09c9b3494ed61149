"""Practice and qualifying beside the feed's own timing: it is used where lap records have no fact."""

from __future__ import annotations

from typing import Any

import pytest

from f1stream.race.bests import DELETION_LAG_MS
from f1stream.race.car_facts import apply_lap
from f1stream.race.frames import FrameBuilder
from f1stream.race.session_facts import apply_message, apply_time
from f1stream.race.state import Race
from models import Entry, LapUpdate, PartBest, SessionInfo, SessionPart, SessionStatus, Timing

CARS = ("1", "4", "16", "44")


def race_of(kind: str, *, started: bool = True) -> Race:
    race = Race.of(
        [
            Entry(driver_number=car, tla=car, name=car, team="", team_color="000000", grid_position=None)
            for car in CARS
        ]
    )
    apply_message(race, 
        SessionInfo(
            session_time_ms=0, name=kind, type=kind, meeting="", location="", country_code="", circuit="",
            total_laps=None, t0_utc_ms=0, start_ms=0, source="x",
        )
    )  # fmt: skip
    if started:
        apply_message(race, SessionStatus(session_time_ms=0, status="Started"))
    return race


@pytest.fixture
def practice() -> Race:
    return race_of("Practice")


@pytest.fixture
def qualifying() -> Race:
    race = race_of("Qualifying")
    apply_message(race, SessionPart(session_time_ms=0, part=1, entries=4, goes_on=2))
    return race


def drive(race: Race, number: str, lap: int, ms: int | None, end_ms: int, **fields: Any) -> None:
    update = {
        "emitted_ms": end_ms, "lap_number": lap, "end_ms": end_ms, "lap_time_ms": ms, "compound": None,
        "tyre_life": None, "speed_st": None, "deleted": False, "official": True,
    }  # fmt: skip
    apply_lap(race, race.cars[number], LapUpdate.model_validate(update | fields))


def show(race: Race, number: str, at_ms: int, *bests: int | None, **fields: Any) -> None:
    """The feed's timing of a car; ``bests``: by part, its best laps."""
    shown = [PartBest(part=part, ms=ms) for part, ms in enumerate(bests, 1)]
    apply_message(race, Timing(session_time_ms=at_ms, driver_number=number, bests=shown, **fields))


def order(race: Race, at_ms: int) -> list[str]:
    apply_time(race, at_ms)
    return race.order


def best_ms(race: Race, number: str) -> int | None:
    apply_time(race, 1_000_000)
    return FrameBuilder(race).frame(1_000_000).cars[number].best_lap_ms


@pytest.mark.parametrize("kind", ["Practice", "Qualifying"])
def test_a_lap_that_begins_or_ends_in_the_pit_lane_is_no_best_lap_of_practice_or_qualifying(kind: str) -> None:
    race = race_of(kind)
    drive(race, "4", 2, 88_037, 100_000, in_or_out_lap=True)
    assert race.bests.fastest() is None
    drive(race, "4", 3, 90_000, 190_000)
    assert race.bests.fastest() == ("4", 3, 90_000)


def test_in_a_race_an_in_lap_can_be_the_fastest() -> None:
    race = race_of("Race")
    drive(race, "4", 2, 88_037, 100_000, in_or_out_lap=True)
    assert race.bests.fastest() == ("4", 2, 88_037)


def test_a_lap_counts_in_the_part_in_which_it_ended_whenever_it_becomes_known(qualifying: Race) -> None:
    apply_message(qualifying, SessionPart(session_time_ms=500_000, part=2, entries=2, goes_on=None))
    drive(qualifying, "16", 5, 80_000, 490_000, emitted_ms=510_000)
    assert qualifying.bests.laps == {}, "no car has a time in the second part"
    drive(qualifying, "16", 6, 90_000, 590_000)
    assert qualifying.bests.laps == {"16": (90_000, 6)}
    assert qualifying.bests.best(qualifying.cars["16"], 0) == (80_000, 5)


def test_an_eliminated_car_shows_its_best_lap_not_the_lap_into_its_garage(qualifying: Race) -> None:
    for n, number in enumerate(CARS):
        drive(qualifying, number, 2, 80_000 + n, 100_000 + n)
    apply_message(qualifying, SessionPart(session_time_ms=500_000, part=2, entries=2, goes_on=None))
    drive(qualifying, "44", 3, 106_872, 510_000, in_or_out_lap=True)
    assert best_ms(qualifying, "44") == 80_003


def test_cars_without_a_time_and_cars_of_equal_times_are_in_the_order_that_the_feed_shows(practice: Race) -> None:
    for position, number in enumerate(("44", "1", "16", "4"), 1):
        show(practice, number, 1_000, position=position)
    assert order(practice, 1_200) == ["44", "1", "16", "4"]
    drive(practice, "4", 2, 80_000, 100_000)
    drive(practice, "16", 2, 80_000, 101_000)
    assert order(practice, 101_200) == ["16", "4", "44", "1"]


def test_a_best_lap_driven_before_we_listened_counts_until_a_faster_one(practice: Race) -> None:
    show(practice, "44", 1_000, 81_000)
    show(practice, "4", 1_000, 80_000)
    assert order(practice, 1_200)[:2] == ["4", "44"]
    drive(practice, "44", 10, 85_000, 100_000)
    assert best_ms(practice, "44") == 81_000
    drive(practice, "44", 11, 79_000, 180_000)
    assert practice.bests.fastest() == ("44", 11, 79_000)
    assert order(practice, 180_200)[0] == "44"


def test_joined_late_a_car_has_the_laps_that_it_drove_before(practice: Race) -> None:
    show(practice, "44", 1_000, laps=9)
    assert practice.cars["44"].lap == 8, "on its ninth, or in its garage after it"
    drive(practice, "44", 9, 85_000, 100_000)
    assert practice.cars["44"].lap == 9


def test_a_lap_that_the_feed_takes_back_without_a_message_counts_no_more(practice: Race) -> None:
    drive(practice, "4", 2, 81_000, 100_000)
    drive(practice, "4", 3, 79_000, 180_000)
    show(practice, "4", 180_100, 79_000)
    show(practice, "4", 200_000, 81_000)
    assert practice.bests.fastest() == ("4", 2, 81_000)
    show(practice, "4", 210_000, None)
    assert practice.bests.fastest() is None


def test_in_a_race_too_the_feed_takes_laps_back_without_a_message() -> None:
    race = race_of("Race")
    drive(race, "4", 2, 81_000, 100_000)
    drive(race, "4", 3, 79_000, 180_000)
    show(race, "4", 180_100, 79_000)
    assert race.bests.fastest() == ("4", 3, 79_000)
    show(race, "4", 190_000, 81_000)
    assert race.bests.fastest() == ("4", 2, 81_000)


def test_a_deleted_lap_that_the_feed_goes_on_showing_gives_way_in_the_end(practice: Race) -> None:
    drive(practice, "4", 2, 81_000, 100_000)
    drive(practice, "4", 3, 79_000, 180_000)
    show(practice, "4", 180_100, 79_000)
    drive(practice, "4", 3, 79_000, 180_000, deleted=True, emitted_ms=200_000)
    order(practice, 200_000 + DELETION_LAG_MS)
    assert practice.bests.fastest() == ("4", 3, 79_000), "the feed follows race control late"
    order(practice, 201_000 + DELETION_LAG_MS)
    assert practice.bests.fastest() == ("4", 2, 81_000)


def test_the_frame_in_which_a_deleted_lap_gives_way_says_so_where_the_order_stays(practice: Race) -> None:
    drive(practice, "4", 2, 81_000, 100_000)
    drive(practice, "4", 3, 79_000, 180_000)
    show(practice, "4", 180_100, 79_000)
    drive(practice, "4", 3, 79_000, 180_000, deleted=True, emitted_ms=201_000)
    frames = FrameBuilder(practice)
    frames.frame(200_000 + DELETION_LAG_MS)
    changed = frames.frame(202_000 + DELETION_LAG_MS)
    assert (changed.kind, changed.cars["4"].best_lap_ms) == ("delta", 81_000)


def test_a_lap_that_is_reinstated_in_time_never_gave_way(practice: Race) -> None:
    drive(practice, "4", 3, 79_000, 180_000)
    show(practice, "4", 180_100, 79_000)
    for at_ms, deleted in ((200_000, True), (230_000, False)):
        drive(practice, "4", 3, 79_000, 180_000, deleted=deleted, emitted_ms=at_ms)
    order(practice, 400_000)
    assert practice.bests.fastest() == ("4", 3, 79_000)


def test_who_is_knocked_out_in_the_feed_is_behind_all_others_even_before_the_next_part_begins(
    qualifying: Race,
) -> None:
    for n, number in enumerate(CARS):
        show(qualifying, number, 100_000 + n, 80_000 + n, position=n + 1)
    show(qualifying, "16", 400_000, position=3, knocked_out=True)
    show(qualifying, "44", 400_000, position=4, knocked_out=True)
    for number in ("1", "4"):
        show(qualifying, number, 400_000, None, position=CARS.index(number) + 1)
    assert order(qualifying, 400_200) == list(CARS)
    assert [car.number for car in qualifying.cars.values() if car.eliminated] == ["16", "44"]


def test_joined_in_the_last_part_earlier_parts_have_no_times_of_ours() -> None:
    race = race_of("Qualifying")
    apply_message(race, SessionPart(session_time_ms=0, part=3, entries=2))
    assert race.parts is not None
    assert len(race.parts.entries) == len(race.bests.began_ms) == 3
    drive(race, "16", 12, 80_000, 90_000)
    assert race.bests.laps == {"16": (80_000, 12)}


@pytest.mark.parametrize("started", [False, True])
def test_cars_in_their_garages_are_in_the_pits_before_the_start_and_until_they_leave(started: bool) -> None:
    race = race_of("Practice", started=started)
    show(race, "4", 1_000, in_pit=True)
    show(race, "16", 1_000, in_pit=False)
    assert apply_time(race, 1_200)
    cars = FrameBuilder(race).frame(1_200).cars
    assert [cars[number].status for number in ("4", "16")] == ["pit", "running"]


def test_no_car_is_on_a_grid_before_a_practice() -> None:
    race = race_of("Practice", started=False)
    apply_time(race, 0)
    assert {car.status for car in FrameBuilder(race).frame(0).cars.values()} == {"pit"}


def test_what_the_feed_shows_is_read_back_from_a_checkpoint(practice: Race) -> None:
    drive(practice, "4", 3, 79_000, 180_000)
    show(practice, "4", 180_100, 79_000, position=1)
    drive(practice, "4", 3, 79_000, 180_000, deleted=True, emitted_ms=200_000)
    again = Race.load(practice.dump())
    assert again.dump() == practice.dump()
    assert again.cars["4"].feed_bests == practice.cars["4"].feed_bests
