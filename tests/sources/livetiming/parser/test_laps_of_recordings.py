"""The laps of recorded sessions beside FastF1's, field by field, and where FastF1's differ."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from f1stream.sources.livetiming.as_session import as_session
from f1stream.sources.livetiming.parser.car_laps import LONGEST_MS
from f1stream.sources.timestamps import duration_ms
from models import Lap
from tests.support.fastf1_recording import Key, differences, fastf1_laps, recorded, with_long_times_again

TYRES = {"Stint", "Compound", "TyreLife", "FreshTyre"}
"""Tyres have rules of their own."""


@cache
def laps_of(name: str) -> dict[Key, Lap]:
    session, _ = as_session(recorded(name), "recording:x")
    return {(lap.driver_number, lap.lap_number): lap for lap in session.laps}


@pytest.mark.system
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(
    ("name", "ours_only"),
    [
        ("2022_saudi_qualifying", {}),
        ("2025_dutch_practice2", {}),
        # Deletions with times of ten minutes and more: the times since the cars' last laps in the part before.
        ("2024_chinese_sprint_qualifying", {("27", 7): True, ("4", 9): True}),
        # The time was driven on lap 8 too, which is the lap that race control named.
        ("2025_austin_sprint", {("1", 12): False}),
    ],
)
def test_laps_of_every_kind_of_session_are_fastf1s_field_by_field(
    name: str, ours_only: dict[Key, bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = laps_of(name)
    theirs = fastf1_laps(list(with_long_times_again(recorded(name))), tmp_path, monkeypatch)
    assert set(ours) == set(theirs)
    assert differences(ours, theirs, but=TYRES) == {("Deleted", key) for key in ours_only}
    assert {key: ours[key].deleted for key in ours_only} == ours_only


def test_a_lap_time_of_150_s_counts_where_the_sectors_add_up_to_it_and_nowhere_else() -> None:
    """Azerbaijan 2023 sprint shootout: cars waited on the track for others to pass. All 47 such times of the feed."""
    laps = laps_of("2023_azerbaijan_sprint_shootout")
    sent = {
        (car, time)
        for message in recorded("2023_azerbaijan_sprint_shootout")
        if message.topic == "TimingData"
        for car, line in message.data["Lines"].items()
        if "LastLapTime" in line and (time := duration_ms(line["LastLapTime"].get("Value")) or 0) >= LONGEST_MS
    }
    sums = {
        (car, lap.sector1_ms + lap.sector2_ms + lap.sector3_ms)
        for (car, _), lap in laps.items()
        if lap.sector1_ms is not None and lap.sector2_ms is not None and lap.sector3_ms is not None
    }
    times = {(car, lap.lap_time_ms) for (car, _), lap in laps.items()}
    assert (len(sent), len(sent & sums)) == (47, 21)
    assert sent & times == sent & sums


def test_a_lap_that_was_not_driven_to_its_end_has_no_time_though_three_sectors_were_sent() -> None:
    """Azerbaijan 2023 qualifying: Hamilton's car stopped, and was pushed in two minutes later; the third sector sent
    then is that of the lap before."""
    feed = recorded("2023_azerbaijan_qualifying")
    session, _ = as_session(
        [message for message in feed if message.topic != "TimingData" or "44" in message.data.get("Lines", {})], "x"
    )
    laps = {lap.lap_number: lap for lap in session.laps if lap.driver == "HAM"}
    assert max(laps) == 24
    assert laps[24].sector3_ms == laps[23].sector3_ms
    assert laps[24].lap_time_ms is None


def test_the_time_that_was_driven_twice_is_deleted_on_the_lap_that_race_control_names() -> None:
    """United States 2025 sprint: Verstappen drove 1:37.895 on laps 8 and 12; lap 8 was deleted after lap 12."""
    laps = laps_of("2025_austin_sprint")
    assert {n: laps["1", n].deleted for n in (8, 12)} == {8: True, 12: False}
    assert laps["1", 8].lap_time_ms == laps["1", 12].lap_time_ms == 97_895


def test_a_lap_is_deleted_and_reinstated_as_race_control_says() -> None:
    """China 2024 sprint qualifying: Norris' pole lap, deleted at 16:19:42 and reinstated a minute later."""
    session, _ = as_session(recorded("2024_chinese_sprint_qualifying"), "recording:x")
    deleted = [lap.deleted for lap in session.laps if (lap.driver, lap.lap_number) == ("NOR", 12)]
    assert deleted[0] is False
    assert True in deleted
    assert deleted[-1] is False
    final = laps_of("2024_chinese_sprint_qualifying")
    deleted = {(lap.driver, lap.lap_number) for lap in final.values() if lap.deleted}
    # NOR 9 and HUL 7 have times since their laps in the part before: 13:43.007 and 12:06.908.
    assert deleted == {
        ("HUL", 7), ("NOR", 9), ("VER", 9), ("ZHO", 13), ("HAM", 12), ("VER", 10), ("NOR", 11), ("PER", 11),
    }  # fmt: skip


def test_a_car_that_stops_on_the_first_lap_has_no_lap_that_ends_before_the_start() -> None:
    """Qatar 2023: Hamilton left the race in turn 1; on his way to the grid he had been through the pits."""
    feed = recorded("2023_qatar_race")
    started_ms = next(m.sent_ms for m in feed if m.topic == "SessionStatus" and m.data["Status"] == "Started")
    session, _ = as_session([message for message in feed if message.sent_ms < started_ms + 600_000], "recording:x")
    assert {lap.lap_number for lap in session.laps if lap.driver == "HAM"} == set()
    assert {lap.lap_number for lap in session.laps if lap.driver == "VER"} == {1, 2, 3, 4}
