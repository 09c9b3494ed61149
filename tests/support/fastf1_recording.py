"""FastF1's laps of any recording in ``data/sessions``: the reference for our laps, field by field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from f1stream.settings import Settings
from f1stream.sources.fastf1.client import fastf1
from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.parser.car_laps import LATE_MS, LONGEST_MS
from f1stream.sources.livetiming.recording.reader import open_recording
from f1stream.sources.timestamps import duration_ms
from models import Lap
from tests.support.fastf1_mexico import known, ms
from tests.support.required import DATA, missing

FIELDS = {
    "Time": "end_ms", "Driver": "driver", "LapTime": "lap_time_ms", "Stint": "stint", "PitOutTime": "pit_out_ms",
    "PitInTime": "pit_in_ms", "Sector1Time": "sector1_ms", "Sector2Time": "sector2_ms", "Sector3Time": "sector3_ms",
    "Sector1SessionTime": "sector1_end_ms", "Sector2SessionTime": "sector2_end_ms",
    "Sector3SessionTime": "sector3_end_ms", "SpeedI1": "speed_i1", "SpeedI2": "speed_i2", "SpeedFL": "speed_fl",
    "SpeedST": "speed_st", "IsPersonalBest": "is_personal_best", "Compound": "compound", "TyreLife": "tyre_life",
    "FreshTyre": "fresh_tyre", "Team": "team", "LapStartTime": "start_ms", "TrackStatus": "track_status",
    "Position": "position", "Deleted": "deleted", "FastF1Generated": "generated", "IsAccurate": "is_accurate",
}  # fmt: skip
"""FastF1's lap fields, except the key and two that are compared separately."""
Key = tuple[str, int]


def recorded(name: str) -> list[FeedMessage]:
    """The messages of the recording ``name``, all but car data and positions."""
    folder = DATA / "sessions" / name
    if not folder.is_dir():
        missing(f"the recorded session at {folder} is not there")
    file = folder / "recording.jsonl.gz"
    return [message for message in open_recording(file if file.exists() else folder) if ".z" not in message.topic]


def with_long_times_again(messages: Iterable[FeedMessage]) -> Iterator[FeedMessage]:
    """The same; a lap time of 150 s or more is sent once more with the third sector, which came after it.

    FastF1 takes such a time only when it has all three sectors, and drops it otherwise.
    """
    long: dict[str, tuple[int, str]] = {}
    for message in messages:
        yield message
        lines = message.data.get("Lines", {}) if message.topic == "TimingData" and not message.snapshot else {}
        for car, line in lines.items():
            time, sectors = line.get("LastLapTime", {}).get("Value"), line.get("Sectors", {})
            if (duration_ms(time) or 0) >= LONGEST_MS:
                long[car] = message.sent_ms, time
            third = sectors.get("2", {}).get("Value") if isinstance(sectors, dict) else None
            if third and car in long and message.sent_ms - long[car][0] < LATE_MS:
                again = {"Lines": {car: {"LastLapTime": {"Value": long.pop(car)[1]}}}}
                yield FeedMessage("TimingData", again, message.sent_ms)


def fastf1_laps(
    messages: list[FeedMessage], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[Key, dict[str, Any]]:
    """By car and lap number FastF1's fields, times in ms; ``folder`` is for its files.

    Without its shift of each car's ``Time`` in races (docs/laps.md).
    """
    from fastf1 import _api
    from fastf1.core import Session
    from fastf1.livetiming.data import LiveTimingData

    recording = LiveTimingData()
    recording._files_read = True
    for message in messages:
        at = timedelta(milliseconds=message.sent_ms - messages[0].sent_ms)
        recording._add_to_category(message.topic, [at, message.data])
    recording.data.setdefault("RaceControlMessages", [])
    monkeypatch.setattr(_api, "_align_laps", lambda *_: None)
    monkeypatch.setattr(Session, "_drivers_results_from_ergast", lambda *_, **__: None)
    monkeypatch.setattr(Session, "_add_first_lap_time_from_ergast", lambda *_: None)
    with fastf1(Settings(_env_file=None, fastf1_cache=folder / "cache")):
        session = _session(next(message.data for message in messages if message.topic == "SessionInfo"))
        session.load(livedata=recording, telemetry=False, weather=False)
    laps = session.laps
    columns = {name: ms(laps[name]) if laps[name].dtype.kind == "m" else known(laps[name]) for name in laps.columns}
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return {(row["DriverNumber"], int(row["LapNumber"])): row for row in rows if not row["FastF1Generated"]}


def _session(info: dict[str, Any]) -> Any:
    """FastF1's session, built without its calendar, not loaded."""
    import pandas as pd
    from fastf1.core import Session
    from fastf1.events import Event

    start = pd.Timestamp(info["StartDate"])
    event = {
        "RoundNumber": 1, "Country": "", "Location": "", "OfficialEventName": "", "EventDate": start.normalize(),
        "EventName": info["Meeting"]["Name"], "EventFormat": "conventional", "F1ApiSupport": True,
    }  # fmt: skip
    for number in range(1, 6):
        event |= {f"Session{number}": f"{number}", f"Session{number}Date": pd.NaT, f"Session{number}DateUtc": pd.NaT}
    event |= {"Session4": info["Name"], "Session4Date": start, "Session4DateUtc": start}
    return Session(Event(event, year=start.year), info["Name"], f1_api_support=True)


def differences(
    ours: dict[Key, Lap], theirs: dict[Key, dict[str, Any]], but: Iterable[str] = ()
) -> set[tuple[str, Key]]:
    """The differences of common laps: (FastF1's name of the field, car and lap), without the fields ``but``."""
    found = set()
    for key, row in theirs.items():
        for name, field in FIELDS.items():
            value = row.get(name)
            if name not in but and name in row and (getattr(ours[key], field) or None) != (value or None):
                found.add((name, key))
    return found
