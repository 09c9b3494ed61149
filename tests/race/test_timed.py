"""Practice and qualifying: the order is by best lap, part by part; laps can be deleted."""

from __future__ import annotations

import pytest

from f1stream.race.car_facts import apply_lap
from f1stream.race.frames import FrameBuilder
from f1stream.race.session_facts import apply_message, apply_time
from f1stream.race.state import Race
from models import Entry, LapUpdate, SessionInfo, SessionPart, SessionStatus

CARS = ("1", "4", "16", "44")


def lap_of(number: str, lap: int, ms: int | None, *, deleted: bool = False) -> tuple[str, LapUpdate]:
    return number, LapUpdate(
        emitted_ms=lap * 100_000, lap_number=lap, end_ms=lap * 100_000, lap_time_ms=ms, compound=None, tyre_life=None,
        speed_st=None, deleted=deleted, official=True,
    )  # fmt: skip


@pytest.fixture
def race() -> Race:
    entries = [
        Entry(driver_number=car, tla=car, name=car, team="", team_color="000000", grid_position=None) for car in CARS
    ]
    race = Race.of(entries)
    apply_message(race, 
        SessionInfo(
            session_time_ms=0, name="Qualifying", type="Qualifying", meeting="", location="", country_code="",
            circuit="", total_laps=None, t0_utc_ms=0, start_ms=0, source="x",
        )
    )  # fmt: skip
    apply_message(race, SessionPart(session_time_ms=0, part=1, entries=4, goes_on=2))
    apply_message(race, SessionStatus(session_time_ms=0, status="Started"))
    return race


def drive(race: Race, *laps: tuple[str, LapUpdate]) -> list[str]:
    for number, lap in laps:
        apply_lap(race, race.cars[number], lap)
    apply_time(race, 1_000_200)
    return race.order


def test_the_best_lap_leads_and_who_has_none_comes_last_in_the_order_of_entry(race: Race) -> None:
    assert drive(race, lap_of("16", 2, 80_000), lap_of("44", 2, 79_000)) == ["44", "16", "1", "4"]
    assert (race.gaps["16"].ms, race.intervals["16"].ms, race.gaps["1"].ms) == (1_000, 1_000, None)


def test_a_deleted_lap_gives_way_to_the_next_best_and_a_reinstated_one_comes_back(race: Race) -> None:
    drive(race, lap_of("1", 2, 80_000), lap_of("4", 2, 81_000), lap_of("1", 4, 78_000))
    assert race.order[:2] == ["1", "4"]
    assert drive(race, lap_of("1", 4, 78_000, deleted=True), lap_of("1", 2, 80_000, deleted=True))[0] == "4"
    assert drive(race, lap_of("1", 4, 78_000))[0] == "1"
    assert race.bests.fastest() == ("1", 4, 78_000)


def test_those_behind_the_cut_are_out_and_the_next_part_starts_without_times(race: Race) -> None:
    drive(race, lap_of("1", 2, 80_000), lap_of("4", 2, 81_000), lap_of("16", 2, 82_000), lap_of("44", 2, 83_000))
    apply_message(race, SessionPart(session_time_ms=250_000, part=2, entries=2, goes_on=None))
    assert drive(race) == ["1", "4", "16", "44"]
    states = FrameBuilder(race).frame(1_000_400).cars
    assert [states[car].status == "eliminated" for car in CARS] == [False, False, True, True]
    assert drive(race, lap_of("4", 4, 84_000))[:2] == ["4", "1"], "slower than in the first part, but the only time"
    assert race.gaps["16"].ms == 2_000, "eliminated cars have their gap in their last part"


def test_a_lap_of_the_first_part_that_is_deleted_in_the_second_changes_who_went_on(race: Race) -> None:
    drive(race, lap_of("1", 2, 80_000), lap_of("4", 2, 81_000), lap_of("16", 2, 82_000), lap_of("44", 2, 83_000))
    apply_message(race, SessionPart(session_time_ms=250_000, part=2, entries=2, goes_on=None))
    assert drive(race, lap_of("4", 2, 81_000, deleted=True)) == ["1", "16", "44", "4"]
    assert race.cars["4"].eliminated
    assert not race.cars["16"].eliminated


def test_no_car_takes_the_flag_or_retires_by_standing_still(race: Race) -> None:
    drive(race, lap_of("1", 2, 80_000))
    apply_message(race, SessionStatus(session_time_ms=900_000, status="Finished"))
    for at in range(1_000_000, 1_400_000, 1_000):
        apply_time(race, at)
    assert not any(car.finished or car.retired for car in race.cars.values())
    assert race.lap == 0


def test_a_state_read_back_goes_on_the_same(race: Race) -> None:
    drive(race, lap_of("1", 2, 80_000), lap_of("4", 2, 81_000))
    apply_message(race, SessionPart(session_time_ms=250_000, part=2, entries=2, goes_on=None))
    drive(race, lap_of("4", 4, 79_000))
    again = Race.load(race.dump())
    assert drive(again, lap_of("1", 4, 78_000)) == drive(race, lap_of("1", 4, 78_000)) == ["1", "4", "16", "44"]
    assert again.dump() == race.dump()
