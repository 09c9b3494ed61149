"""The Miami sprint of 2025: its archive and its recording describe the same session."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from f1stream.sources.archive_samples import COLUMN_NAMES, OPTIONAL_COLUMNS
from f1stream.sources.fastf1 import tables
from f1stream.sources.livetiming.as_session import as_session
from f1stream.sources.livetiming.recording.reader import open_recording
from f1stream.sources.session import Session
from f1stream.sources.session_archive import read_archive
from models import Entries, SessionInfo

SPRINT = Path("livetiming_frozen/2025-05-04_Miami__2025-05-03_Sprint")


def the(session: Session, kind: type[Any]) -> Any:
    return next(message for message in session.messages if isinstance(message, kind))


def as_archive(recorded: Session, feed_info: dict[str, Any], folder: Path) -> Path:
    """The archive that ``f1stream fetch`` writes, without laps and samples: FastF1's values as our tables."""
    hours, minutes, seconds = (abs(int(part)) for part in feed_info["GmtOffset"].split(":"))
    fastf1 = SimpleNamespace(
        t0_date=datetime.fromtimestamp(recorded.t0_utc_ms / 1000, UTC).replace(tzinfo=None),
        session_start_time=timedelta(milliseconds=recorded.start_ms),
        _total_laps=the(recorded, SessionInfo).total_laps,
        session_status=pd.DataFrame({"Time": [timedelta(milliseconds=recorded.start_ms)], "Status": ["Started"]}),
        session_info=feed_info | {
            "StartDate": datetime.fromisoformat(feed_info["StartDate"]),
            "EndDate": datetime.fromisoformat(feed_info["EndDate"]),
            "GmtOffset": -timedelta(hours=hours, minutes=minutes, seconds=seconds),
        },
    )  # fmt: skip
    drivers = [
        {"DriverNumber": entry.driver_number, "Abbreviation": entry.tla, "FullName": entry.name,
         "TeamName": entry.team, "TeamColor": entry.team_color}
        for entry in the(recorded, Entries).entries
    ]  # fmt: skip
    files = {"session": tables.session_facts(fastf1), "drivers": drivers}
    for name in ("session", "drivers", "grid", "race_control", "weather", "track_status"):
        (folder / f"{name}.json").write_text(json.dumps(files.get(name, [])))
    (folder / "laps.jsonl").write_text("")
    columns = {name: pa.array([], pa.float64()) for name in COLUMN_NAMES.values() if name not in OPTIONAL_COLUMNS}
    pq.write_table(pa.table(columns | {"DriverNumber": pa.array([], pa.string())}), folder / "telemetry.parquet")
    return folder


def test_archive_and_recording_give_the_same_session_info(recordings: Path, tmp_path: Path) -> None:
    feed = list(open_recording(recordings / SPRINT))
    feed_info = next(message.data for message in feed if message.topic == "SessionInfo")
    assert (feed_info["Type"], feed_info["Name"]) == ("Race", "Sprint"), "the feed's own words"
    recorded, _ = as_session(feed, "recording:miami")
    archived = read_archive(as_archive(recorded, feed_info, tmp_path))
    from_archive, from_recording = the(archived, SessionInfo), the(recorded, SessionInfo)
    assert from_archive.model_copy(update={"source": from_recording.source}) == from_recording
    assert from_archive.type == "Sprint"
