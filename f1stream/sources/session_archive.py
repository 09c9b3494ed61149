"""``archive:PATH``: reads a session archive, the folder of a finished session. See docs/sources.md for the files."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from f1stream.sources.archive_lap_facts import lap_counts, laps_as_known, messages_of_cars
from f1stream.sources.archive_samples import COLUMN_NAMES, read_samples
from f1stream.sources.session import Columns, Session, SourceError
from f1stream.sources.timestamps import gmt_offset_ms
from models import (
    Entries,
    Entry,
    Lap,
    Message,
    RaceControl,
    SessionInfo,
    SessionStatus,
    Track,
    TrackStatus,
    Weather,
)
from models.session_type import is_race

log = logging.getLogger(__name__)

PREAMBLE_MS = 60_000
"""A replay begins this long before the start of the session."""


def read_archive(folder: Path) -> Session:
    """Read an archive. Raises SourceError when a file is missing or damaged."""
    facts = _read_json(folder, "session.json")
    try:
        t0_utc_ms = _utc_ms(facts["t0_utc"])
        laps = _read_laps(folder)
        telemetry = read_samples(folder)
        entries = _entries(folder)
        start_ms = int(facts["session_start_ms"])
        info = facts["session_info"]
        messages = [
            SessionInfo(
                session_time_ms=0, name=info["Name"], type=info["Type"], meeting=info["Meeting"]["Name"],
                location=info["Meeting"]["Location"], country_code=info["Meeting"]["Country"]["Code"],
                circuit=info["Meeting"]["Circuit"]["ShortName"], total_laps=facts.get("total_laps"),
                t0_utc_ms=t0_utc_ms, start_ms=start_ms - PREAMBLE_MS, source=f"archive:{folder.name}",
                gmt_offset_ms=gmt_offset_ms(info.get("GmtOffset")), path=info.get("Path") or None,
            ),
            Entries(session_time_ms=0, entries=entries),
            *_track(folder),
            *sorted(
                [
                    *_session_facts(folder, facts, t0_utc_ms),
                    *lap_counts(laps, start_ms, facts.get("total_laps")),
                    *messages_of_cars(laps, telemetry, entries, start_ms),
                ],
                key=lambda message: message.session_time_ms,
            ),
        ]  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(f"{folder} is damaged: {type(error).__name__} {error}. Fetch it again.") from error
    missing: Columns = {name: np.array([]) for name in COLUMN_NAMES}
    telemetry = {e.driver_number: telemetry.get(e.driver_number, missing) for e in entries}
    last = [int(columns["session_time_ms"][-1]) for columns in telemetry.values() if len(columns["session_time_ms"])]
    known = laps_as_known(laps, messages, shift=0 if is_race(info["Type"]) else 1)
    return Session(
        session_key=str(info["Key"]),
        t0_utc_ms=t0_utc_ms,
        start_ms=start_ms,
        end_ms=max([*last, *(lap.end_ms for lap in laps), *(message.session_time_ms for message in messages)]),
        telemetry=telemetry,
        laps=[lap for _, lap in known],
        messages=messages,
        laps_known_ms=[at_ms for at_ms, _ in known],
    )


def _read_json(folder: Path, name: str) -> Any:
    path = folder / name
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise SourceError(f"{path} is missing: the session archive is not complete. Fetch it again.") from None
    except (OSError, ValueError) as error:
        raise SourceError(f"{path} cannot be read: {error}. Fetch the archive again.") from None


def _read_laps(folder: Path) -> list[Lap]:
    path = folder / "laps.jsonl"
    laps = []
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        raise SourceError(f"{path} is missing: the session archive is not complete. Fetch it again.") from None
    for number, line in enumerate(lines, 1):
        try:
            laps.append(Lap.model_validate_json(line))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise SourceError(f"{path}, line {number}: {where}: {first['msg']}. Fetch the archive again.") from None
    return sorted(laps, key=lambda lap: lap.end_ms)


def _utc_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def _entries(folder: Path) -> list[Entry]:
    """The entries in grid order, cars without a grid position last."""
    drivers = {driver["DriverNumber"]: driver for driver in _read_json(folder, "drivers.json")}
    grid = {place["DriverNumber"]: place for place in _read_json(folder, "grid.json")}
    order = sorted(drivers, key=lambda number: (list(grid).index(number) if number in grid else len(grid), number))
    return [
        Entry(
            driver_number=number,
            tla=drivers[number]["Abbreviation"],
            name=drivers[number]["FullName"],
            team=drivers[number]["TeamName"],
            team_color=drivers[number]["TeamColor"],
            grid_position=grid.get(number, {}).get("GridPosition"),
            pit_lane_start=grid.get(number, {}).get("PitLaneStart", False),
        )
        for number in order
    ]


def _track(folder: Path) -> Iterator[Track]:
    """The track, if it is valid. Without one, as when its lap was not driven, the page shows the cars on a ring."""
    if not (folder / "track_outline.json").exists():
        return
    corners = _read_json(folder, "corners.json") if (folder / "corners.json").exists() else {}
    circuit = _read_json(folder, "circuit.json") if (folder / "circuit.json").exists() else {}
    named = zip(corners.get("CornerNumber", []), corners.get("X", []), corners.get("Y", []), strict=True)
    try:
        track = Track(
            session_time_ms=0,
            outline=_read_json(folder, "track_outline.json")["points"],
            corners=tuple((str(number), round(x, 1), round(y, 1)) for number, x, y in named),
            rotation=circuit.get("Rotation"),
            marshal_sectors=tuple(
                (sector["Number"], round(sector["X"], 1), round(sector["Y"], 1))
                for sector in circuit.get("MarshalSectors", [])
            ),
        )
    except ValidationError as error:
        log.warning("The track of %s is left out: %s.", folder.name, error.errors(include_url=False)[0]["msg"])
        return
    yield track


def _session_facts(folder: Path, facts: dict[str, Any], t0_utc_ms: int) -> Iterator[Message]:
    for row in facts["session_status"]:
        yield SessionStatus(session_time_ms=row["Time"], status=row["Status"])
    for row in _read_json(folder, "track_status.json"):
        yield TrackStatus(session_time_ms=row["Time"], status=row["Status"], message=row["Message"])
    for row in _read_json(folder, "weather.json"):
        yield Weather(
            session_time_ms=row["Time"], air_temp=row["AirTemp"], track_temp=row["TrackTemp"],
            humidity=row["Humidity"], pressure=row["Pressure"], rainfall=row["Rainfall"],
            wind_direction=row["WindDirection"], wind_speed=row["WindSpeed"],
        )  # fmt: skip
    for row in _read_json(folder, "race_control.json"):
        yield RaceControl(
            session_time_ms=_utc_ms(row["Time"]) - t0_utc_ms, category=row["Category"], message=row["Message"],
            status=row["Status"], flag=row["Flag"], scope=row["Scope"],
            sector=None if row["Sector"] is None else int(row["Sector"]),
            driver_number=row["RacingNumber"], lap=row["Lap"],
        )  # fmt: skip
