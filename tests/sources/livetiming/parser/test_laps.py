"""A car's laps and tyres from the feed's changes."""

from __future__ import annotations

from typing import Any

import pytest

from f1stream.sources.livetiming.parser.car_laps import CarLaps
from f1stream.sources.livetiming.parser.laps import SessionLaps
from f1stream.sources.livetiming.parser.merge import MergeError, merge
from f1stream.sources.livetiming.parser.reconcile_laps import reconcile_laps
from f1stream.sources.livetiming.parser.values import as_float, as_int, gap
from f1stream.sources.timestamps import duration_ms
from models import Entry, Lap


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
def test_a_number_that_no_record_can_hold_is_none(value: Any) -> None:
    assert as_int(value) is None or abs(as_int(value) or 0) < 2**63
    assert as_float(value) is None
    assert (as_int("12"), as_float("12.5")) == (12, 12.5)


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
    with pytest.raises(MergeError):
        merge({"Lines": {"4": {}}}, {"Lines": "x"})
    with pytest.raises(MergeError):
        merge({"Line": 4}, {"Line": {"x": 1}})


def lap_line(at: int, count: int, lap_ms: str, sectors: tuple[str, str, str]) -> list[tuple[dict[str, Any], int]]:
    """A lap as the feed sends it: two sectors during the lap, the third and the time with the count."""
    return [
        ({"Sectors": {"0": {"Value": sectors[0]}}}, at - 50_000),
        ({"Sectors": {"1": {"Value": sectors[1]}}}, at - 20_000),
        ({"Sectors": {"2": {"Value": sectors[2]}}, "LastLapTime": {"Value": lap_ms}, "NumberOfLaps": count}, at),
    ]


def test_values_received_just_after_a_lap_belong_to_it() -> None:
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


def test_a_sector_that_equals_the_lap_before_is_not_sent_and_is_filled_in() -> None:
    car = CarLaps()
    car.take({"InPit": False}, 0)
    for line, at in lap_line(90_000, 1, "1:30.000", ("30.000", "30.000", "30.000")):
        car.take(line, at)
    car.take({"Sectors": {"0": {"Value": "29.000"}}}, 119_000)
    line = {"Sectors": {"2": {"Value": "30.500"}}, "LastLapTime": {"Value": "1:29.500"}, "NumberOfLaps": 2}
    car.take(line, 179_500)
    assert reconcile_laps(car.driven(is_over=False))[1].sectors == [29_000, 30_000, 30_500]


def test_laps_of_a_late_joiner_have_the_feeds_numbers() -> None:
    car = CarLaps()
    car.take({"InPit": False, "NumberOfLaps": 12}, 0, snapshot=True)
    for line, at in lap_line(80_000, 13, "1:30.000", ("30.000", "30.000", "30.000")):
        car.take(line, at)
    assert car.laps_before + reconcile_laps(car.driven(is_over=False))[0].number == 13
    assert car.lap_number == 14


def test_laps_missed_while_disconnected_are_left_out_and_the_next_has_its_number() -> None:
    car = CarLaps()
    car.take({"InPit": False}, 0)
    for line, at in lap_line(90_000, 1, "1:30.000", ("30.000", "30.000", "30.000")):
        car.take(line, at)
    car.take({"InPit": False, "NumberOfLaps": 3}, 300_000, snapshot=True)
    for line, at in lap_line(360_000, 4, "1:30.000", ("30.000", "30.000", "30.000")):
        car.take(line, at)
    assert [lap.number for lap in reconcile_laps(car.driven(is_over=False))] == [1, 4]


def test_a_deleted_lap_is_published_again_and_so_is_a_reinstated_one() -> None:
    book = SessionLaps(statuses=[(0, "1")])
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


def norris() -> Entry:
    return Entry(driver_number="4", tla="NOR", name="", team="", team_color="", grid_position=None)


def racing() -> SessionLaps:
    """A race that started at 60 s, with one car."""
    book = SessionLaps(statuses=[(0, "1")], is_race=True, entries={"4": norris()}, started_ms=60_000)
    book.take_timing("4", {"InPit": False}, 2_000)
    return book


def practising() -> SessionLaps:
    """A practice that started at 60 s; the car leaves its garage at 100 s, which the feed counts as a lap."""
    book = SessionLaps(statuses=[(0, "1")], entries={"4": norris()}, started_ms=60_000)
    book.take_timing("4", {"InPit": True}, 2_000)
    book.take_timing("4", {"InPit": False, "NumberOfLaps": 1}, 100_000)
    return book


def laps_at(book: SessionLaps, at_ms: int) -> dict[int, Lap]:
    """By number, as known by then."""
    book.due(at_ms)
    return book.cars["4"].published


def take_laps(book: SessionLaps, *laps: tuple[int, int, str]) -> None:
    """Laps of three equal sectors: (the feed's count, end, time)."""
    for count, end, text in laps:
        third = f"{(duration_ms(text) or 0) / 3_000:.3f}"
        for line, at in lap_line(end, count, text, (third, third, third)):
            book.take_timing("4", line, at)


def test_laps_keep_the_feeds_numbers_when_it_was_silent_and_those_missed_are_left_out() -> None:
    book = racing()
    book.take_timing("4", {"NumberOfLaps": 1}, 150_000)
    book.take_timing("4", {"NumberOfLaps": 6, "LastLapTime": {"Value": "1:21.000"}}, 550_000)
    book.take_timing("4", {"NumberOfLaps": 7, "LastLapTime": {"Value": "1:21.000"}}, 631_000)
    laps = laps_at(book, 700_000)
    assert sorted(laps) == [1, 6, 7]
    assert [(lap.start_ms, lap.end_ms) for _, lap in sorted(laps.items())] == [
        (60_000, 150_000), (469_000, 550_000), (550_000, 631_000),
    ]  # fmt: skip
    assert book.cars["4"].laps.lap_number == 8


def test_a_lap_after_a_silence_has_what_was_sent_of_it_and_nothing_of_the_lap_before_the_silence() -> None:
    book = racing()
    take_laps(book, (1, 150_000, "1:30.000"))
    book.take_timing("4", {"Sectors": {"0": {"Value": "30.100"}}, "Speeds": {"I1": {"Value": "290"}}}, 180_100)
    book.take_timing("4", {"Sectors": {"1": {"Value": "30.200"}}}, 600_000)  # of lap 6
    line = {"Sectors": {"2": {"Value": "29.800"}}, "LastLapTime": {"Value": "1:30.000"}, "NumberOfLaps": 6}
    book.take_timing("4", line, 629_800)
    lap = laps_at(book, 700_000)[6]
    assert (lap.sector1_ms, lap.sector2_ms, lap.sector3_ms) == (None, 30_200, 29_800)
    assert lap.speed_i1 is None
    assert lap.start_ms == 539_800


@pytest.mark.parametrize("count", [9, 900, 10**9])
def test_a_lap_count_that_is_impossible_in_the_time_counts_as_one_lap(count: int) -> None:
    book = racing()
    take_laps(book, (1, 150_000, "1:30.000"))
    take_laps(book, (count, 240_000, "1:30.000"), (3, 330_000, "1:30.000"))
    assert sorted(laps_at(book, 400_000)) == [1, 2, 3]


def test_a_snapshot_with_an_impossible_lap_count_makes_no_laps() -> None:
    book = racing()
    take_laps(book, (1, 150_000, "1:30.000"))
    book.take_timing("4", {"InPit": False, "NumberOfLaps": 10**9}, 160_000, snapshot=True)
    take_laps(book, (2, 240_000, "1:30.000"))
    assert sorted(laps_at(book, 300_000)) == [1, 2]
    assert len(book.cars["4"].laps.rows) == 3


def test_a_client_that_joins_on_lap_13_does_not_know_when_the_race_started() -> None:
    book = SessionLaps(statuses=[(0, "1")], is_race=True, entries={"4": norris()}, started_ms=0)
    book.take_timing("4", {"InPit": False, "NumberOfLaps": 12}, 0, snapshot=True)
    take_laps(book, (13, 85_000, "1:30.000"))
    assert laps_at(book, 100_000)[13].start_ms == -5_000


def test_a_lap_time_of_more_than_150_s_that_comes_before_its_third_sector_counts() -> None:
    """2018 Azerbaijan, behind the safety car: the time is sent 0.1 s before the sector that adds up to it."""
    book = racing()
    take_laps(book, (1, 150_000, "1:30.000"))
    book.take_timing("4", {"Sectors": {"0": {"Value": "56.000"}}}, 206_000)
    book.take_timing("4", {"Sectors": {"1": {"Value": "74.000"}}}, 280_000)
    book.take_timing("4", {"LastLapTime": {"Value": "2:47.342"}, "NumberOfLaps": 2}, 317_342)
    book.take_timing("4", {"Sectors": {"2": {"Value": "37.342"}}}, 317_450)
    assert laps_at(book, 330_000)[2].lap_time_ms == 167_342


def test_the_time_since_a_lap_of_the_part_before_is_not_the_time_of_the_out_lap() -> None:
    book = practising()
    take_laps(book, (2, 190_000, "1:30.000"), (3, 280_000, "1:30.000"))
    book.take_timing("4", {"InPit": True}, 360_000)
    book.take_timing("4", {"InPit": False, "NumberOfLaps": 4, "Sectors": {"0": {"Value": ""}}}, 700_000)
    book.take_timing("4", {"Sectors": {"1": {"Value": "40.000"}}}, 760_000)
    book.take_timing("4", {"LastLapTime": {"Value": "8:30.000"}, "NumberOfLaps": 5}, 790_000)
    book.take_timing("4", {"Sectors": {"2": {"Value": "30.000"}}}, 790_200)
    assert laps_at(book, 800_000)[4].lap_time_ms is None


def test_three_sectors_that_are_longer_than_the_lap_time_sent_with_them_are_the_lap_time() -> None:
    book = practising()
    take_laps(book, (2, 190_000, "1:30.000"))
    lines = [line for line, _ in lap_line(0, 3, "1:00.000", ("50.000", "30.000", "20.000"))]
    for line, at in zip(lines, (240_000, 270_000, 290_000), strict=True):
        book.take_timing("4", line, at)
    assert laps_at(book, 300_000)[2].lap_time_ms == 100_000


def test_sectors_that_were_not_driven_one_after_the_other_make_no_lap_time() -> None:
    """A car that stops and is pushed in is sent the third sector of the lap before."""
    book = practising()
    take_laps(book, (2, 190_000, "1:30.000"))
    lines = [line for line, _ in lap_line(0, 3, "1:00.000", ("50.000", "30.000", "20.000"))]
    for line, at in zip(lines, (240_000, 270_000, 400_000), strict=True):
        book.take_timing("4", line, at)
    assert laps_at(book, 410_000)[2].lap_time_ms is None


def test_a_car_that_goes_out_and_comes_in_on_one_lap_left_the_pits_on_it() -> None:
    book = practising()
    book.take_timing("4", {"Sectors": {"1": {"Value": "30.000"}}}, 160_000)
    book.take_timing("4", {"InPit": True}, 190_000)
    book.take_timing("4", {"InPit": False, "PitOut": True, "NumberOfLaps": 2}, 400_000)
    take_laps(book, (3, 500_000, "1:40.000"))
    laps = laps_at(book, 600_000)
    assert [(lap.start_ms, lap.pit_out_ms, lap.pit_in_ms) for _, lap in sorted(laps.items())] == [
        (100_000, 100_000, 190_000), (400_000, 400_000, None),
    ]  # fmt: skip


@pytest.mark.parametrize("between", [(), ("Inactive",)], ids=["at once", "after it was inactive"])
def test_the_first_lap_after_a_red_flag_in_practice_starts_with_the_pits(between: tuple[str, ...]) -> None:
    book = practising()
    take_laps(book, (2, 190_000, "1:30.000"), (3, 280_000, "1:30.000"))
    book.take_status("Aborted", 300_000)
    book.take_timing("4", {"InPit": True}, 360_000)
    for status in (*between, "Started"):
        book.take_status(status, 900_000)
    book.take_timing("4", {"InPit": False, "NumberOfLaps": 4}, 1_000_000)
    take_laps(book, (5, 1_090_000, "1:30.000"), (6, 1_180_000, "1:30.000"))
    starts = {number: lap.start_ms for number, lap in laps_at(book, 1_200_000).items()}
    assert starts == {1: 100_000, 2: 190_000, 3: 280_000, 4: 1_000_000, 5: 1_090_000}


def test_a_lap_that_ends_before_the_start_is_not_part_of_the_race() -> None:
    book = SessionLaps(statuses=[(0, "1")], is_race=True, entries={"4": norris()}, started_ms=60_000)
    for at, is_in in ((10_000, False), (20_000, True), (30_000, False)):
        book.take_timing("4", {"InPit": is_in}, at)
    book.take_timing("4", {"Speeds": {"ST": {"Value": "240"}}}, 69_000)
    assert book.finish() == []


def test_a_stop_of_50_minutes_is_part_of_the_lap_that_it_ends_and_no_lap_time() -> None:
    """A race that stands still under a red flag for 50:37.323, its cars in the pit lane."""
    assert duration_ms("50:37.323") == 3_037_323
    book = racing()
    take_laps(book, (1, 150_000, "1:30.000"))
    book.take_timing("4", {"InPit": True}, 235_000)
    take_laps(book, (2, 240_000, "1:30.000"))
    book.take_status("Aborted", 241_000)
    book.take_status("Started", 3_270_000)
    book.take_timing("4", {"InPit": False}, 3_272_323)
    book.take_timing("4", {"LastLapTime": {"Value": "50:37.323"}, "NumberOfLaps": 3}, 3_277_323)
    lap = laps_at(book, 3_300_000)[3]
    assert (lap.lap_time_ms, lap.pit_out_ms, lap.start_ms) == (None, 3_272_323, 3_270_000)


def test_the_best_time_of_a_car_that_was_deleted_on_one_lap_is_its_best_on_the_other() -> None:
    book = racing()
    take_laps(book, (1, 150_000, "1:33.000"))
    for count in (2, 3, 4):
        time = "1:30.000" if count != 3 else "1:31.000"
        take_laps(book, (count, count * 91_000, time))
        book.take_timing("4", {"BestLapTime": {"Value": "1:30.000"}}, count * 91_000)
    book.take_race_control("CAR 4 (NOR) TIME 1:30.000 DELETED - TRACK LIMITS AT TURN 12 LAP 2 12:20:19", 400_000)
    laps = laps_at(book, 400_000)
    assert {n: (lap.deleted, lap.is_personal_best) for n, lap in laps.items() if n in (2, 4)} == {
        2: (True, False), 4: (False, True),
    }  # fmt: skip


def test_a_best_time_that_the_feed_takes_back_in_a_race_was_deleted() -> None:
    """Qatar 2023, recorded without race control: Gasly's 1:25.793 gave way to his 1:26.310 after a minute."""
    book = racing()
    for count, time in ((1, "1:33.000"), (2, "1:30.000")):
        take_laps(book, (count, count * 93_000, time))
        book.take_timing("4", {"BestLapTime": {"Value": time}}, count * 93_000)
    deleted = {}
    for at, best in ((250_000, "1:33.000"), (300_000, "1:30.000")):
        book.take_timing("4", {"BestLapTime": {"Value": best}}, at)
        lap = laps_at(book, at)[2]
        deleted[best] = lap.deleted, lap.deleted_reason, lap.is_personal_best
    assert deleted == {"1:33.000": (True, None, False), "1:30.000": (False, None, True)}


def test_a_car_of_another_series_with_the_same_number_loses_its_own_time() -> None:
    book = racing()
    take_laps(book, (1, 150_000, "1:33.000"))
    book.take_race_control("CAR 4 (BAD) TIME 1:33.000 DELETED - TRACK LIMITS AT TURN 4 LAP 1 15:05:03", 160_000)
    assert laps_at(book, 170_000)[1].deleted is False
