"""Best laps and sectors."""

from __future__ import annotations

import pytest

from f1stream.race.bests import Bests
from f1stream.race.car import Car


@pytest.fixture
def nor() -> Car:
    return Car("4", 0)


@pytest.fixture
def ver() -> Car:
    return Car("1", 1)


def drove(bests: Bests, car: Car, lap: int, ms: int) -> None:
    bests.lap(car, lap, ms)
    car.last_lap = (lap, ms)


def test_there_is_no_fastest_lap_before_the_first_lap(nor: Car) -> None:
    assert Bests().fastest() is None
    assert Bests().mark(nor) is None


def test_of_two_equal_laps_the_earlier_is_the_fastest(nor: Car, ver: Car) -> None:
    bests = Bests()
    drove(bests, nor, 12, 82_167)
    drove(bests, ver, 11, 82_167)
    assert bests.fastest() == ("1", 11, 82_167)


def test_a_deleted_lap_gives_way_to_the_next_best(nor: Car, ver: Car) -> None:
    bests = Bests()
    drove(bests, nor, 10, 82_000)
    drove(bests, nor, 11, 81_000)
    drove(bests, ver, 11, 81_500)
    bests.lap(nor, 11, None)
    assert bests.fastest() == ("1", 11, 81_500)
    assert bests.laps["4"] == (82_000, 10)


def test_a_reinstated_lap_is_the_fastest_again(nor: Car, ver: Car) -> None:
    bests = Bests()
    drove(bests, nor, 11, 81_000)
    drove(bests, ver, 11, 81_500)
    bests.lap(nor, 11, None)
    bests.lap(nor, 11, 81_000)
    assert bests.fastest() == ("4", 11, 81_000)


def test_a_car_without_a_valid_lap_has_no_best(nor: Car) -> None:
    bests = Bests()
    drove(bests, nor, 11, 81_000)
    bests.lap(nor, 11, None)
    assert bests.laps == {}
    assert bests.fastest() is None


def test_deleting_a_lap_that_was_never_timed_changes_nothing(nor: Car) -> None:
    bests = Bests()
    drove(bests, nor, 11, 81_000)
    bests.lap(nor, 12, None)
    assert bests.fastest() == ("4", 11, 81_000)


def test_the_last_lap_is_marked_overall_personal_or_not(nor: Car, ver: Car) -> None:
    bests = Bests()
    drove(bests, nor, 10, 82_000)
    assert bests.mark(nor) == "overall"
    drove(bests, ver, 10, 83_000)
    assert bests.mark(ver) == "personal"
    drove(bests, nor, 11, 84_000)
    assert bests.mark(nor) is None


def test_sectors_are_marked_against_own_and_all_others(nor: Car, ver: Car) -> None:
    bests = Bests()
    marks = []
    for car, ms in ((nor, 28_000), (ver, 28_500), (ver, 28_600), (ver, 27_900)):
        bests.sector(car, 1, ms)
        sector = car.sectors[0]
        assert sector is not None
        marks.append(sector.mark)
    assert marks == ["overall", "personal", None, "overall"]


def test_the_first_sector_of_a_lap_clears_those_of_the_lap_before(nor: Car) -> None:
    bests = Bests()
    for sector in (1, 2, 3, 1):
        bests.sector(nor, sector, 28_000)
    assert [sector is not None for sector in nor.sectors] == [True, False, False]


def test_a_sector_without_a_time_is_shown_and_is_nobodys_best(nor: Car) -> None:
    bests = Bests()
    bests.sector(nor, 1, None)
    assert nor.sectors[0] is not None
    assert nor.sectors[0].ms is None
    assert bests.sectors == [None] * 3
