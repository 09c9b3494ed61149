"""``archive:PATH``: a session archive, a finished session in a folder.

Facts that have a time of their own (pit in and out, tyre changes, sectors, retirement, a deleted time) are told
at that time, not with the lap's record at its end.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from f1stream.sources.lap_deletions import Deletion, TimedLap, deletion_changes, parse_deletion
from f1stream.sources.session import Columns, Session, SourceError
from f1stream.sources.timestamps import gmt_offset_ms
from models import (
    Entries,
    Entry,
    Lap,
    LapCount,
    Message,
    PitIn,
    PitOut,
    RaceControl,
    Retirement,
    SectorTime,
    SessionInfo,
    SessionStatus,
    Track,
    TrackStatus,
    TyreChange,
    Weather,
)
from models.session_type import is_race

log = logging.getLogger(__name__)

DECIMALS = {"X": 1, "Y": 1, "Z": 1, "Speed": 2, "RPM": 2, "Throttle": 2, "Distance": 2, "RelativeDistance": 6,
            "DistanceToDriverAhead": 2}  # fmt: skip
"""Archives store these as 32-bit floats rounded to so many places; the rounding is restored in 64 bits."""
COLUMN_NAMES = {
    "session_time_ms": "session_time_ms", "x": "X", "y": "Y", "z": "Z", "speed": "Speed", "rpm": "RPM",
    "throttle": "Throttle", "brake": "Brake", "gear": "nGear", "drs": "DRS", "status": "Status", "lap": "Lap",
    "distance": "Distance", "relative_distance": "RelativeDistance", "driver_ahead": "DriverAhead",
    "distance_to_driver_ahead": "DistanceToDriverAhead",
}  # fmt: skip
"""A packet's column: the archive's."""
OPTIONAL = {"DRS", "Status", "Lap", "Distance", "RelativeDistance", "DriverAhead", "DistanceToDriverAhead"}
OPEN = 12
"""One of the feed's codes for open DRS; in them 1 is closed."""
PREAMBLE_MS = 60_000
"""A replay starts so long before the session does."""


def read_archive(folder: Path) -> Session:
    """Read a whole archive. Raises SourceError when a file is missing or damaged."""
    require_archive(folder)
    side = _read_json(folder, "session.json")
    try:
        t0_utc_ms = _utc_ms(side["t0_utc"])
        laps = _read_laps(folder)
        telemetry = _read_telemetry(folder)
        entries = _entries(folder)
        start_ms = int(side["session_start_ms"])
        info = side["session_info"]
        messages = [
            SessionInfo(
                session_time_ms=0, name=info["Name"], type=info["Type"], meeting=info["Meeting"]["Name"],
                location=info["Meeting"]["Location"], country_code=info["Meeting"]["Country"]["Code"],
                circuit=info["Meeting"]["Circuit"]["ShortName"], total_laps=side.get("total_laps"),
                t0_utc_ms=t0_utc_ms, start_ms=start_ms - PREAMBLE_MS, source=f"archive:{folder.name}",
                gmt_offset_ms=gmt_offset_ms(info.get("GmtOffset")), path=info.get("Path") or None,
            ),
            Entries(session_time_ms=0, entries=entries),
            *_track(folder),
            *sorted(
                [
                    *_session_facts(folder, side, t0_utc_ms),
                    *_lap_counts(laps, start_ms, side.get("total_laps")),
                    *_car_facts(laps, telemetry, entries, start_ms),
                ],
                key=lambda message: message.session_time_ms,
            ),
        ]  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"{folder} is damaged: {type(error).__name__} {error}. Fetch it again.") from error
    missing: Columns = {name: np.array([]) for name in COLUMN_NAMES}
    telemetry = {e.driver_number: telemetry.get(e.driver_number, missing) for e in entries}
    last = [int(columns["session_time_ms"][-1]) for columns in telemetry.values() if len(columns["session_time_ms"])]
    told = _as_they_became_known(laps, messages, shift=0 if is_race(info["Type"]) else 1)
    return Session(
        session_key=str(info["Key"]),
        t0_utc_ms=t0_utc_ms,
        start_ms=start_ms,
        end_ms=max([*last, *(lap.end_ms for lap in laps), *(message.session_time_ms for message in messages)]),
        telemetry=telemetry,
        laps=[lap for _, lap in told],
        messages=messages,
        laps_known_ms=[at_ms for at_ms, _ in told],
    )


def require_archive(folder: Path) -> None:
    """Raise SourceError when there is nothing to read; whether it can be read shows in reading."""
    if not folder.is_dir():
        raise SourceError(f"There is no session archive at {folder}: no such folder.")


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


def _as_they_became_known(laps: list[Lap], messages: list[Message], shift: int) -> list[tuple[int, Lap]]:
    """Each lap at its end, as it counted then, and again whenever race control deleted or reinstated it.

    FastF1 marks every lap that has a deleted time, also where it was driven twice. ``shift``: see ``deleted_lap``.
    """
    said: defaultdict[str, list[tuple[int, Deletion]]] = defaultdict(list)
    for message in messages:
        if isinstance(message, RaceControl) and (of := parse_deletion(message.message)):
            said[of.driver_number].append((message.session_time_ms, of))
    changes = {
        number: deletion_changes(each, [_timed(lap) for lap in laps if lap.driver_number == number], shift)
        for number, each in said.items()
    }
    told: list[tuple[int, Lap]] = []
    for lap in laps:
        number = lap.driver_number
        of_lap = [
            (at_ms, reason) for at_ms, of_number, reason in changes.get(number, ()) if of_number == lap.lap_number
        ]
        is_anothers = lap.lap_time_ms in {each.lap_time_ms for _, each in said[number]}
        if not of_lap and not (lap.deleted and is_anothers):
            told.append((lap.end_ms, lap))
            continue
        before = [reason for at_ms, reason in of_lap if at_ms <= lap.end_ms]
        told.append((lap.end_ms, _deleted(lap, before[-1] if before else None)))
        told += [(at_ms, _deleted(lap, reason)) for at_ms, reason in of_lap if at_ms > lap.end_ms]
    return sorted(told, key=lambda each: each[0])


def _timed(lap: Lap) -> TimedLap:
    return TimedLap(lap.lap_number, lap.end_ms, lap.lap_time_ms)


def _deleted(lap: Lap, reason: str | None) -> Lap:
    """``lap``, deleted for ``reason``; reinstated when that is None."""
    if reason is not None and lap.deleted:
        return lap
    return lap.model_copy(update={"deleted": reason is not None, "deleted_reason": reason})


def _read_telemetry(folder: Path) -> dict[str, Columns]:
    """By driver number; the rows of a car in time order."""
    path = folder / "telemetry.parquet"
    try:
        table = pq.read_table(path)
        beside = folder / "driver_ahead.parquet"
        if "DriverAhead" not in table.column_names and beside.exists():
            path = beside
            for name, column in zip((extra := pq.read_table(beside)).column_names, extra.columns, strict=True):
                table = table.append_column(name, column)
    except FileNotFoundError:
        raise SourceError(f"{path} is missing: the session archive is not complete. Fetch it again.") from None
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{path} cannot be read: {error}. Fetch the archive again.") from None
    for name in COLUMN_NAMES.values():
        if name not in table.column_names and name not in OPTIONAL:
            raise SourceError(f"{path} has no column {name}. Fetch the archive again.")
    drivers = table["DriverNumber"].cast(pa.string()).to_numpy()
    columns = {
        ours: _column(table[theirs], theirs) for ours, theirs in COLUMN_NAMES.items() if theirs in table.column_names
    }
    if "drs" in columns and set(np.unique(columns["drs"])) == {0, 1}:
        columns["drs"] = columns["drs"] * OPEN  # of an archive that has lost the codes
    return {
        str(number): {name: column[rows] for name, column in columns.items()}
        for number in np.unique(drivers)
        for rows in [np.flatnonzero(drivers == number)]
    }


def _column(column: pa.ChunkedArray, name: str) -> Any:
    if pa.types.is_dictionary(column.type):
        column = column.cast(pa.string())
    if name == "Brake":
        return column.to_numpy().astype(bool)
    values = column.to_numpy()
    if name in DECIMALS:
        values = np.round(values.astype(np.float64), DECIMALS[name])
    if column.null_count:
        values = np.where(column.is_null().to_numpy(), None, values.astype(object))
    return values


def _utc_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def _entries(folder: Path) -> list[Entry]:
    """In grid order, cars without a grid position last."""
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
    """The track. One that cannot be, as of a lap that was not driven, is left out: cars go round a ring then."""
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


def _session_facts(folder: Path, side: dict[str, Any], t0_utc_ms: int) -> Iterator[Message]:
    for row in side["session_status"]:
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


def _lap_counts(laps: list[Lap], start_ms: int, total_laps: int | None) -> Iterator[LapCount]:
    """The leader starts lap n + 1 when the first car ends lap n."""
    if not total_laps:
        return
    yield LapCount(session_time_ms=start_ms, lap=1, total_laps=total_laps)
    begun = 1
    for lap in laps:
        if not lap.generated and lap.lap_number == begun < total_laps:
            begun += 1
            yield LapCount(session_time_ms=lap.end_ms, lap=begun, total_laps=total_laps)


def _car_facts(
    laps: list[Lap], telemetry: dict[str, Columns], entries: list[Entry], start_ms: int
) -> Iterator[Message]:
    for number, own in groupby(sorted(laps, key=lambda lap: (lap.driver_number, lap.lap_number)), _number):
        driven = list(own)
        yield from _tyre_changes(driven, start_ms)
        for lap in driven:
            yield from _pit_and_sectors(lap)
        if driven[-1].generated and number in telemetry:
            yield Retirement(session_time_ms=int(telemetry[number]["session_time_ms"][-1]), driver_number=number)
    driving = {lap.driver_number for lap in laps}
    for entry in entries:
        if entry.driver_number not in driving:
            yield Retirement(session_time_ms=start_ms, driver_number=entry.driver_number)


def _number(lap: Lap) -> str:
    return lap.driver_number


def _pit_and_sectors(lap: Lap) -> Iterator[Message]:
    who = {"driver_number": lap.driver_number, "lap": lap.lap_number}
    if lap.pit_in_ms is not None:
        yield PitIn(session_time_ms=lap.pit_in_ms, **who)
    if lap.pit_out_ms is not None:
        yield PitOut(session_time_ms=lap.pit_out_ms, **who)
    sectors = ((1, lap.sector1_end_ms, lap.sector1_ms), (2, lap.sector2_end_ms, lap.sector2_ms),
               (3, lap.sector3_end_ms, lap.sector3_ms))  # fmt: skip
    for sector, end_ms, time_ms in sectors:
        if end_ms is not None:
            yield SectorTime(session_time_ms=end_ms, sector=sector, time_ms=time_ms, **who)


def _tyre_changes(laps: list[Lap], start_ms: int) -> Iterator[TyreChange]:
    """The starting set, and another one whenever a car left the pits with other tyres than it came with.

    FastF1's ``Stint`` counts drive-throughs too; a change shows in the compound, or in the tyre's life.
    """

    def fitted(lap: Lap, at: int) -> TyreChange:
        before = None if lap.tyre_life is None else max(lap.tyre_life - 1, 0)
        return TyreChange(
            session_time_ms=at, driver_number=lap.driver_number, lap=lap.lap_number,
            compound=lap.compound or "UNKNOWN", tyre_life=before, fresh=lap.fresh_tyre,
        )  # fmt: skip

    yield fitted(laps[0], start_ms)
    for before, lap in pairwise(laps):
        aged = None not in {before.tyre_life, lap.tyre_life} and lap.tyre_life != (before.tyre_life or 0) + 1
        if lap.pit_out_ms is not None and (lap.compound != before.compound or aged):
            yield fitted(lap, lap.pit_out_ms)
