"""A real qualifying session, loaded by FastF1 from a recording, as a session archive: every value is FastF1's."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from f1stream.sources.archive_samples import DECIMALS
from f1stream.sources.fastf1.fetch import write
from f1stream.sources.packing import pack
from f1stream.sources.session import Session
from f1stream.sources.session_archive import read_archive
from models import Entries, RaceControl, SessionInfo, SessionStatus, Track, TrackStatus, Weather
from tests.support.fastf1_mexico import known, loaded, ms

pytestmark = [
    pytest.mark.system,  # FastF1 needs half a minute for the session
    pytest.mark.filterwarnings("ignore:Passing a BlockManager:DeprecationWarning"),
]
COMPARED = ("NOR", "HUL", "ALO")
"""Drivers whose samples are compared with FastF1's own, which take a third of a second a lap."""


@dataclass
class Converted:
    theirs: Any
    """FastF1's session."""
    folder: Path
    session: Session
    """The archive, read back."""


@pytest.fixture(scope="module")
def mexico(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Converted]:
    folder = tmp_path_factory.mktemp("mexico")
    (folder / "archive").mkdir()
    with loaded(folder) as session:
        write(session, folder / "archive")
        yield Converted(session, folder / "archive", read_archive(folder / "archive"))


def test_all_laps_with_all_fields(mexico: Converted) -> None:
    laps = mexico.theirs.laps
    written = [json.loads(line) for line in (mexico.folder / "laps.jsonl").read_text().splitlines()]
    assert len(written) == len(laps) == len({(lap.driver, lap.lap_number) for lap in mexico.session.laps}) == 307
    assert set(written[0]) == set(laps.columns)
    ours = {(lap["DriverNumber"], lap["LapNumber"]): lap for lap in written}
    for name in laps.columns:
        found = [ours[key][name] for key in zip(laps["DriverNumber"], laps["LapNumber"], strict=True)]
        if laps[name].dtype.kind == "m":
            assert found == ms(laps[name]), name
        elif name == "LapStartDate":
            assert [datetime.fromisoformat(at.rstrip("Z")) for at in found] == list(laps[name])
        else:
            theirs = [None if value == "" else value for value in known(laps[name])]
            assert found == theirs, name
    assert [lap["Time"] for lap in written] == sorted(lap["Time"] for lap in written)


def test_every_sample_is_fastf1s(mexico: Converted) -> None:
    table = pq.read_table(mexico.folder / "telemetry.parquet")
    ahead = pq.read_table(mexico.folder / "driver_ahead.parquet")
    for name in ahead.column_names:
        table = table.append_column(name, ahead[name].cast(pa.string()) if name == "DriverAhead" else ahead[name])
    ours = table.to_pandas().groupby(["Driver", "Lap"], observed=True)
    assert len(ours) == 307, "no lap without samples"
    for _, lap in mexico.theirs.laps.pick_drivers(list(COMPARED)).iterlaps():
        theirs, own = lap.get_telemetry(), ours.get_group((lap["Driver"], int(lap["LapNumber"])))
        where = f"{lap['Driver']} lap {lap['LapNumber']:.0f}"
        assert own["session_time_ms"].tolist() == ms(theirs["SessionTime"]), where
        assert own["Date"].dt.tz_localize(None).tolist() == theirs["Date"].tolist(), where
        for name in ("Brake", "DRS", "nGear", "Status"):
            assert own[name].tolist() == theirs[name].tolist(), f"{where} {name}"
        assert own["DriverAhead"].fillna("").tolist() == theirs["DriverAhead"].tolist(), where
        placed = (theirs["DriverAhead"] != "").to_numpy()
        assert own["DistanceToDriverAhead"].notna().tolist() == placed.tolist(), where
        for name, decimals in DECIMALS.items():
            rows = placed if name == "DistanceToDriverAhead" else np.full(len(own), True)
            expected = np.round(theirs[name].to_numpy()[rows], decimals).astype(np.float32)
            np.testing.assert_array_equal(own[name].to_numpy()[rows], expected, err_msg=f"{where} {name}")


def test_samples_lie_in_the_order_and_types_of_an_archive(mexico: Converted, archive_path: Path) -> None:
    for name in ("telemetry.parquet", "driver_ahead.parquet"):
        fetched, known = (pq.read_schema(folder / name) for folder in (mexico.folder, archive_path))
        assert [(field.name, field.type) for field in fetched][: len(known)] == [(f.name, f.type) for f in known]
    table = pq.read_table(
        mexico.folder / "telemetry.parquet", columns=["session_time_ms", "DriverNumber"]
    ).to_pandas()
    order = list(zip(table["session_time_ms"], table["DriverNumber"].astype(int), strict=True))
    assert order == sorted(order)


def test_other_files_have_the_form_of_an_archives(mexico: Converted, archive_path: Path) -> None:
    for name in ("session", "drivers", "race_control", "weather", "track_status", "track_outline"):
        fetched, known = (
            json.loads((folder / f"{name}.json").read_text()) for folder in (mexico.folder, archive_path)
        )
        assert _form(fetched) == _form(known), name


def _form(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _form(part) for name, part in value.items() if name != "SessionStatus"}  # new in late 2025
    return [_form(value[0])] if isinstance(value, list) else "value"


def test_facts_of_the_session_are_fastf1s(mexico: Converted) -> None:
    theirs, messages = mexico.theirs, mexico.session.messages
    assert mexico.session.session_key == "9873"
    assert mexico.session.start_ms == round(theirs.session_start_time.total_seconds() * 1000)
    assert mexico.session.t0_utc_ms == round(theirs.t0_date.timestamp() * 1000)
    info = next(m for m in messages if isinstance(m, SessionInfo))
    assert (info.name, info.meeting, info.country_code, info.total_laps) == (
        "Qualifying", "Mexico City Grand Prix", "MEX", None,
    )  # fmt: skip
    status = [(m.session_time_ms, m.status) for m in messages if isinstance(m, SessionStatus)]
    assert status == list(zip(ms(theirs.session_status["Time"]), theirs.session_status["Status"], strict=True))
    track = [(m.session_time_ms, m.status, m.message) for m in messages if isinstance(m, TrackStatus)]
    rows = theirs.track_status
    assert track == list(zip(ms(rows["Time"]), rows["Status"], rows["Message"], strict=True))
    weather = [m for m in messages if isinstance(m, Weather)]
    rows = theirs.weather_data
    assert [m.session_time_ms for m in weather] == ms(rows["Time"])
    for ours, name in (
        ("air_temp", "AirTemp"), ("humidity", "Humidity"), ("pressure", "Pressure"), ("rainfall", "Rainfall"),
        ("track_temp", "TrackTemp"), ("wind_direction", "WindDirection"), ("wind_speed", "WindSpeed"),
    ):  # fmt: skip
        assert [getattr(m, ours) for m in weather] == rows[name].tolist(), name
    control = [m for m in messages if isinstance(m, RaceControl)]
    rows = theirs.race_control_messages.sort_values("Time", kind="stable")
    assert [m.session_time_ms for m in control] == ms(rows["Time"] - theirs.t0_date)
    for ours, name in (
        ("category", "Category"), ("message", "Message"), ("flag", "Flag"), ("scope", "Scope"), ("sector", "Sector"),
        ("driver_number", "RacingNumber"), ("status", "Status"), ("lap", "Lap"),
    ):  # fmt: skip
        assert [getattr(m, ours) for m in control] == known(rows[name]), name


def test_drivers_result_and_the_fastest_laps_line(mexico: Converted) -> None:
    results = json.loads((mexico.folder / "results.json").read_text())
    theirs = mexico.theirs.results
    for part in ("Q1", "Q2", "Q3"):
        assert [row[part] for row in results] == ms(theirs[part])
    assert [row["Position"] for row in results] == theirs["Position"].tolist()
    assert json.loads((mexico.folder / "grid.json").read_text()) == [], "a qualifying has none"
    entries = next(m for m in mexico.session.messages if isinstance(m, Entries)).entries
    assert {(e.driver_number, e.tla, e.team) for e in entries} == set(
        zip(theirs["DriverNumber"], theirs["Abbreviation"], theirs["TeamName"], strict=True)
    )
    track = next(m for m in mexico.session.messages if isinstance(m, Track))
    fastest = mexico.theirs.laps.pick_fastest().get_telemetry()
    np.testing.assert_allclose(track.outline, np.round(fastest[["X", "Y"]].to_numpy(), 1))


def test_archive_is_replayed_completely(mexico: Converted) -> None:
    session = mexico.session
    records = Counter(item.topic for item in pack(session, 1, 1_000, session.start_ms, session.end_ms))
    assert records["laps"] == 307 + 2, "two laps are published again when they are deleted"
    known = Counter((lap.driver, lap.lap_number) for lap in session.laps)
    laps = mexico.theirs.laps
    deleted = laps[laps["Deleted"].fillna(False).astype(bool)]
    with_time = set(zip(deleted["Driver"], deleted["LapNumber"], strict=True))
    assert {key for key, times in known.items() if times > 1} == {*with_time, ("COL", 8)}
    assert records["telemetry"] > 20 * 3_000


def test_fastf1_is_unpatched_afterwards(mexico: Converted) -> None:
    from fastf1.core import Telemetry

    assert Telemetry.calculate_driver_ahead.__module__ == "fastf1.core"
