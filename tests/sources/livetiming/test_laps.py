"""What the feed says of a car's laps and tyres, and what it means."""

from __future__ import annotations

from typing import Any

import pytest

from f1stream.sources.livetiming.car_laps import CarLaps
from f1stream.sources.livetiming.lap_book import LapBook
from f1stream.sources.livetiming.merge import Misfit, merge
from f1stream.sources.livetiming.settle import settle
from f1stream.sources.livetiming.values import duration_ms, gap, number, whole
from models import Entry


@pytest.mark.parametrize(
    ("text", "ms"),
    [("1:18.964", 78_964), ("23.456", 23_456), ("1:02:03.4", 3_723_400), ("+0.879", 879), ("", None),
     ("LAP 12", None), (None, None), ("1:2.3.4", None)],
)  # fmt: skip
def test_durations(text: Any, ms: int | None) -> None:
    assert duration_ms(text) == ms


@pytest.mark.parametrize(
    ("text", "expected"),
    [("+1.234", (1_234, None)), ("1L", (None, 1)), ("+1 LAP", (None, 1)), ("2 LAPS", (None, 2)),
     ("LAP 12", (None, None)), ("", (None, None)), (None, (None, None))],
)  # fmt: skip
def test_a_gap_is_a_time_or_laps_and_the_leader_has_none(text: Any, expected: tuple[int | None, int | None]) -> None:
    assert gap(text) == expected


@pytest.mark.parametrize(
    "value", ["9" * 900, "9" * 4_300, "9" * 5_000, 1e400, "nan", "inf", -1e400, 2**64, None, "x", [1]], ids=repr
)
def test_a_number_that_no_record_has_room_for_is_none(value: Any) -> None:
    assert whole(value) is None or abs(whole(value) or 0) < 2**63
    assert number(value) is None
    assert (whole("12"), number("12.5")) == (12, 12.5)


@pytest.mark.parametrize("digits", [900, 4_300])
def test_a_duration_or_a_gap_of_many_digits_is_none(digits: int) -> None:
    many = "1" * digits
    assert duration_ms(f"{many}:02:03.4") is None
    assert duration_ms(f"{many}.4") is None
    assert gap(f"{many}L") == (None, None)


def test_lists_change_by_index_and_empty_texts_clear() -> None:
    state = {"Sectors": [{"Value": "23.4"}, {"Value": "30.1"}], "Line": 3}
    changed = merge(state, {"Sectors": {"1": {"Value": ""}, "2": {"Value": "19.9"}}})
    assert changed == {"Sectors": [{"Value": "23.4"}, {"Value": ""}, {"Value": "19.9"}], "Line": 3}
    assert merge(changed, {"_deleted": ["Line"]}).keys() == {"Sectors"}
    assert state["Sectors"][1] == {"Value": "30.1"}, "the state before is left as it was"


def test_a_change_that_does_not_fit_is_refused() -> None:
    with pytest.raises(Misfit):
        merge({"Lines": {"4": {}}}, {"Lines": "x"})
    with pytest.raises(Misfit):
        merge({"Line": 4}, {"Line": {"x": 1}})


def lap_line(at: int, count: int, lap_ms: str, sectors: tuple[str, str, str]) -> list[tuple[dict[str, Any], int]]:
    """A lap as the feed tells it: two sectors on the way, the third and the time with the count."""
    return [
        ({"Sectors": {"0": {"Value": sectors[0]}}}, at - 50_000),
        ({"Sectors": {"1": {"Value": sectors[1]}}}, at - 20_000),
        ({"Sectors": {"2": {"Value": sectors[2]}}, "LastLapTime": {"Value": lap_ms}, "NumberOfLaps": count}, at),
    ]


def test_values_that_come_a_moment_late_are_of_the_lap_before() -> None:
    car = CarLaps()
    car.take({"InPit": False}, 0)
    for line, at in lap_line(90_000, 1, "1:30.000", ("30.000", "30.000", "30.000")):
        car.take(line, at)
    car.take({"Speeds": {"FL": {"Value": "290"}, "ST": {"Value": "330"}}}, 91_000)
    assert car.rows[0].speeds == {"FL": 290}
    assert car.rows[1].speeds == {"ST": 330}, "but the trap on the straight is on the next lap already"


def test_the_time_between_two_parts_of_a_qualifying_is_no_lap_time() -> None:
    car = CarLaps()
    car.take({"InPit": False}, 0)
    car.take({"LastLapTime": {"Value": "9:30.000"}}, 570_000)
    assert car.rows[0].lap_time_ms is None


def test_a_sector_that_is_as_long_as_on_the_lap_before_is_not_sent_and_is_known() -> None:
    car = CarLaps()
    car.take({"InPit": False}, 0)
    for line, at in lap_line(90_000, 1, "1:30.000", ("30.000", "30.000", "30.000")):
        car.take(line, at)
    car.take({"Sectors": {"0": {"Value": "29.000"}}}, 119_000)
    line = {"Sectors": {"2": {"Value": "30.500"}}, "LastLapTime": {"Value": "1:29.500"}, "NumberOfLaps": 2}
    car.take(line, 179_500)
    assert settle(car.rows, is_over=False)[1].sectors == [29_000, 30_000, 30_500]


def test_who_listens_late_numbers_laps_as_the_feed_does() -> None:
    car = CarLaps()
    car.take({"InPit": False, "NumberOfLaps": 12}, 0, snapshot=True)
    for line, at in lap_line(80_000, 13, "1:30.000", ("30.000", "30.000", "30.000")):
        car.take(line, at)
    assert car.laps_before + settle(car.rows, is_over=False)[0].number == 13
    assert car.lap_number == 14


def test_laps_missed_in_a_loss_of_the_connection_are_left_out_and_the_next_has_its_number() -> None:
    car = CarLaps()
    car.take({"InPit": False}, 0)
    for line, at in lap_line(90_000, 1, "1:30.000", ("30.000", "30.000", "30.000")):
        car.take(line, at)
    car.take({"InPit": False, "NumberOfLaps": 3}, 300_000, snapshot=True)
    for line, at in lap_line(360_000, 4, "1:30.000", ("30.000", "30.000", "30.000")):
        car.take(line, at)
    assert [lap.number for lap in settle(car.rows, is_over=False)] == [1, 4]


def test_a_deleted_lap_is_told_again_and_so_is_a_reinstated_one() -> None:
    book = LapBook(statuses=[(0, "1")])
    book.entries = {"4": Entry(driver_number="4", tla="NOR", name="", team="", team_color="", grid_position=None)}
    book.take_timing("4", {"InPit": False}, 0)
    for line, at in lap_line(90_000, 1, "1:30.000", ("30.000", "30.000", "30.000")):
        book.take_timing("4", line, at)
    assert [(lap.lap_number, lap.deleted) for lap in book.due(90_000)] == [(1, False)]
    assert book.due(96_000) == [], "nothing has changed"
    book.take_race_control("CAR 4 (NOR) TIME 1:30.000 DELETED - TRACK LIMITS AT TURN 12 LAP 1 15:03:34", 120_000)
    (deleted,) = book.due(120_000)
    assert (deleted.deleted, deleted.deleted_reason) == (True, "TRACK LIMITS AT TURN 12 LAP 1")
    book.take_race_control("CAR 4 (NOR) TIME 1:30.000 REINSTATED", 150_000)
    (again,) = book.due(150_000)
    assert (again.deleted, again.deleted_reason) == (False, None)
