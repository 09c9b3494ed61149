"""What the Mexico City recording lacks: a race's grid, retirements, and values that FastF1 does not know."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from f1stream.sources.fastf1 import tables
from models import Lap
from tests.support.required import DATA, missing

TIMES = {
    "Time", "LapTime", "PitOutTime", "PitInTime", "Sector1Time", "Sector2Time", "Sector3Time",
    "Sector1SessionTime", "Sector2SessionTime", "Sector3SessionTime", "LapStartTime",
}  # fmt: skip


@pytest.fixture(scope="module")
def race(archive_path: Path) -> Any:
    """The Australian Grand Prix in FastF1's form: the archive's laps and drivers, and Jolpica's result."""
    answer = DATA / "jolpica" / "captured" / "2025" / "1" / "results.json"
    if not answer.exists():
        missing(f"Jolpica's answer at {answer} is not there")
    laps = pd.DataFrame([json.loads(line) for line in (archive_path / "laps.jsonl").read_text().splitlines()])
    for name in TIMES:
        laps[name] = pd.to_timedelta(laps[name], unit="ms")
    laps["LapStartDate"] = pd.to_datetime(laps["LapStartDate"]).dt.tz_localize(None)
    laps["DeletedReason"] = laps["DeletedReason"].fillna("")
    results = pd.DataFrame(json.loads((archive_path / "drivers.json").read_text())).set_index(
        "DriverNumber", drop=False
    )
    official = {
        row["number"]: row
        for row in json.loads(answer.read_text())["MRData"]["RaceTable"]["Races"][0]["Results"]
    }  # fmt: skip
    for name, theirs in (("Position", "position"), ("GridPosition", "grid"), ("Points", "points"), ("Laps", "laps")):
        results[name] = [float(official[number][theirs]) for number in results["DriverNumber"]]
    for name, theirs in (("ClassifiedPosition", "positionText"), ("Status", "status")):
        results[name] = [official[number][theirs] for number in results["DriverNumber"]]
    for name in ("Q1", "Q2", "Q3", "Time"):
        results[name] = pd.NaT
    start = pd.Timedelta(json.loads((archive_path / "session.json").read_text())["session_start_ms"], "ms")
    return SimpleNamespace(laps=laps, results=results, session_start_time=start)


def test_grid_of_a_race_with_starts_from_the_pit_lane(race: Any, archive_path: Path) -> None:
    """Jolpica gives LAW and BEA places 18 and 20; the archive's grid, from another source, has the pit lane."""
    assert tables.grid(race) == json.loads((archive_path / "grid.json").read_text())


def test_zero_is_jolpicas_older_value_for_the_pit_lane(race: Any) -> None:
    results = race.results.copy()
    results.loc["4", "GridPosition"] = 0.0
    last = tables.grid(SimpleNamespace(**{**vars(race), "results": results}))[-1]
    assert last == {"GridPosition": None, "PitLaneStart": True, "DriverNumber": "4", "Driver": "NOR"}


def test_restart_after_a_red_flag_is_no_start_from_the_pit_lane(race: Any) -> None:
    laps = race.laps.copy()
    laps.loc[laps["LapNumber"] == 1, "PitOutTime"] = race.session_start_time + pd.Timedelta(minutes=20)
    assert not any(row["PitLaneStart"] for row in tables.grid(SimpleNamespace(**{**vars(race), "laps": laps})))


def test_car_that_did_not_start_has_no_place(race: Any) -> None:
    results = race.results.copy()
    results.loc["6", "GridPosition"] = float("nan")
    assert "HAD" not in {row["Driver"] for row in tables.grid(SimpleNamespace(**{**vars(race), "results": results}))}


def test_laps_of_a_race_with_six_retirements_are_the_archives(race: Any, archive_path: Path) -> None:
    notes: list[str] = []
    laps = tables.laps(race, notes.append)
    assert laps == [json.loads(line) for line in (archive_path / "laps.jsonl").read_text().splitlines()]
    assert sum(lap["FastF1Generated"] for lap in laps) == 6
    assert notes == []


def test_laps_without_an_end_are_noted_and_left_out(race: Any) -> None:
    laps = race.laps.copy()
    laps.loc[0, "Time"] = pd.NaT
    notes: list[str] = []
    assert len(tables.laps(SimpleNamespace(**{**vars(race), "laps": laps}), notes.append)) == len(laps) - 1
    assert notes == ["1 laps have no end and are left out: NOR 1."]


def test_unknown_values_of_a_lap_are_null(race: Any) -> None:
    laps = race.laps.head(1).copy()
    laps["Deleted"] = None  # no race control messages were available
    laps["Compound"], laps["TyreLife"], laps["Position"] = "nan", float("nan"), float("nan")
    (lap,) = tables.laps(SimpleNamespace(**{**vars(race), "laps": laps}), pytest.fail)
    assert {name: lap[name] for name in ("Deleted", "Compound", "TyreLife", "Position")} == dict.fromkeys(
        ("Deleted", "Compound", "TyreLife", "Position")
    )
    Lap.model_validate(lap)


def test_results_with_retirements(race: Any) -> None:
    results = {row["Abbreviation"]: row for row in tables.results(race)}
    assert results["NOR"]["Position"] == 1
    assert (results["HAD"]["ClassifiedPosition"], results["HAD"]["Status"], results["HAD"]["Laps"]) == (
        "R",
        "Retired",
        0,
    )


def test_driver_who_is_known_from_the_result_alone(race: Any) -> None:
    results = race.results.copy()
    results.loc["81", ["TeamColor", "BroadcastName", "HeadshotUrl"]] = float("nan")
    rows = tables.drivers(SimpleNamespace(**{**vars(race), "results": results}))
    piastri = next(row for row in rows if row["DriverNumber"] == "81")
    assert (piastri["TeamColor"], piastri["BroadcastName"]) == ("FF8000", ""), "his team mate's colour"


def test_offset_of_the_clock_is_written_as_the_feed_does() -> None:
    facts = tables._json({"GmtOffset": pd.Timedelta(hours=-6).to_pytimedelta()})
    assert facts == {"GmtOffset": "-06:00:00"}
