"""All of a session except its samples, as rows of an archive: plain values, times in ms, null for unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from f1stream.sources.archive_samples import DECIMALS
from models import Lap

LAP_COLUMNS = tuple(str(field.validation_alias) for field in Lap.model_fields.values())
DRIVER_COLUMNS = (
    "DriverNumber", "BroadcastName", "Abbreviation", "DriverId", "TeamName", "TeamColor", "TeamId",
    "FirstName", "LastName", "FullName", "HeadshotUrl", "CountryCode",
)  # fmt: skip
RESULT_COLUMNS = (
    "DriverNumber", "Abbreviation", "Position", "ClassifiedPosition", "GridPosition", "Q1", "Q2", "Q3",
    "Time", "Status", "Points", "Laps",
)  # fmt: skip
WEATHER_COLUMNS = (
    "AirTemp", "Humidity", "Pressure", "Rainfall", "TrackTemp", "WindDirection", "WindSpeed", "Time",
)  # fmt: skip
NO_COLOR = "808080"
PIT_LANE_START_S = 60
"""A car that leaves the pits within this time of the start has started from there."""
LAST = 99
"""Sorts after every grid place."""
NOTHING = {None, "", "nan", "None"}
"""FastF1's values for a missing text."""
Row = dict[str, Any]


def plain(value: Any) -> Any:
    """A cell as a JSON value: durations and session times in ms, instants in ISO 8601 (UTC), missing as null."""
    import pandas as pd  # noqa: PLC0415 - FastF1's

    if pd.isna(value):
        return None
    if isinstance(value, timedelta):  # includes pandas' own
        return round(value.total_seconds() * 1000)
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds") + "Z"
    value = value.item() if hasattr(value, "item") else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def laps(session: Any, note: Callable[[str], None]) -> list[Row]:
    """Laps with all of FastF1's fields, ordered by their end; ``note`` gets a sentence if one has no end."""
    rows = [{name: plain(lap[name]) for name in LAP_COLUMNS} for _, lap in session.laps.iterrows()]
    endless = [f"{row['Driver']} {row['LapNumber']}" for row in rows if row["Time"] is None]
    if endless:
        note(f"{len(endless)} laps have no end and are left out: {', '.join(endless)}.")
    for row in rows:
        row["Driver"], row["Team"] = row["Driver"] or row["DriverNumber"], row["Team"] or ""
        for name in ("DeletedReason", "Compound", "TrackStatus"):
            row[name] = None if row[name] in NOTHING else row[name]
        for name in ("IsPersonalBest", "FreshTyre", "Deleted", "FastF1Generated", "IsAccurate"):
            row[name] = None if row[name] is None else bool(row[name])
    kept = [row for row in rows if row["Time"] is not None]
    return sorted(kept, key=lambda row: (row["Time"], row["LapNumber"], int(row["DriverNumber"])))


def drivers(session: Any) -> list[Row]:
    """The drivers in the order of the result; "" for unknown fields."""
    rows = [{name: plain(row[name]) or "" for name in DRIVER_COLUMNS} for _, row in session.results.iterrows()]
    colors = {row["TeamName"]: row["TeamColor"] for row in rows if row["TeamColor"]}
    for row in rows:
        row["TeamColor"] = row["TeamColor"] or colors.get(row["TeamName"], NO_COLOR)
        row["Abbreviation"] = row["Abbreviation"] or row["DriverNumber"]
        row["FullName"] = row["FullName"] or row["Abbreviation"]
    return rows


def grid(session: Any) -> list[Row]:
    """The starting grid of a race or sprint; other sessions have none.

    For a start from the pit lane Jolpica has the last places, or 0. It shows in a first lap that leaves the pits
    just after the start (a restart takes longer), unless most laps do: then the race began behind the safety car from
    there. Such a car has no grid position but keeps its place in the order.
    """
    first = session.laps[session.laps["LapNumber"] == 1]
    late = (first["PitOutTime"] - session.session_start_time).dt.total_seconds().between(0, PIT_LANE_START_S)
    from_pit_lane = set(first.loc[late, "DriverNumber"]) if late.mean() < 0.5 else set()
    places = [
        (place or LAST, row["DriverNumber"], row["Abbreviation"], place == 0 or row["DriverNumber"] in from_pit_lane)
        for _, row in session.results.iterrows()
        if (place := plain(row["GridPosition"])) is not None
    ]
    return [
        {"GridPosition": None if pits else place, "PitLaneStart": pits, "DriverNumber": number, "Driver": driver}
        for place, number, driver, pits in sorted(places)
    ]


def results(session: Any) -> list[Row]:
    """The result, times in ms."""
    return [{name: plain(row[name]) for name in RESULT_COLUMNS} for _, row in session.results.iterrows()]


def weather(session: Any) -> list[Row]:
    """Weather once a minute: degrees Celsius, per cent, hPa, degrees, m/s."""
    rows = [{name: plain(row[name]) for name in WEATHER_COLUMNS} for _, row in _rows(session, "_weather_data")]
    return [
        {name: value if name in {"Rainfall", "Time"} else float(value) for name, value in row.items()}
        for row in rows
        if None not in row.values()
    ]


def race_control(session: Any) -> list[Row]:
    """Race control messages; their time is UTC."""
    columns = ("Time", "Category", "Message", "Status", "Flag", "Scope", "Sector", "RacingNumber", "Lap")
    return [{name: plain(row.get(name)) for name in columns} for _, row in _rows(session, "_race_control_messages")]


def _rows(session: Any, attribute: str) -> Iterator[Any]:
    frame = getattr(session, attribute, None)
    return iter(()) if frame is None else frame.iterrows()


def statuses(frame: Any, *columns: str) -> list[Row]:
    """Session status or track status, with the time of each change."""
    return [{name: plain(row[name]) for name in ("Time", *columns)} for _, row in frame.iterrows()]


def session_facts(session: Any) -> Row:
    """session.json: clock, start, distance, status, and the feed's session information."""
    return {
        "t0_utc": plain(session.t0_date),
        "session_start_ms": plain(session.session_start_time),
        "total_laps": plain(getattr(session, "_total_laps", None)),
        "session_status": statuses(session.session_status, "Status"),
        "session_info": _json(session.session_info),
    }


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _json(part) for name, part in value.items()}
    if isinstance(value, timedelta):
        return f"{'-' if value < timedelta(0) else ''}{abs(value)!s:0>8}"
    return str(value) if isinstance(value, datetime) else value


def outline(session: Any, telemetry: Any) -> Row | None:
    """The line of the fastest lap (X, Y in 1/10 m); None if no timed lap has enough samples."""
    timed = session.laps[session.laps["IsAccurate"] & session.laps["LapTime"].notna()].sort_values("LapTime")
    for _, lap in timed.iterrows():
        rows = telemetry.filter(_of(telemetry, lap["DriverNumber"], int(lap["LapNumber"])))
        x, y = (rows[name].to_numpy().astype("float64").round(DECIMALS[name]).tolist() for name in ("X", "Y"))
        if len(x) > 100 and all(x_ or y_ for x_, y_ in zip(x, y, strict=True)):
            where = {"Driver": lap["Driver"], "Lap": int(lap["LapNumber"])}
            return {"from": where, "units": "1/10 m", "points": [list(point) for point in zip(x, y, strict=True)]}
    return None


def _of(telemetry: Any, number: str, lap: int) -> Any:
    import pyarrow.compute as pc  # noqa: PLC0415

    return pc.and_(pc.equal(telemetry["DriverNumber"], number), pc.equal(telemetry["Lap"], lap))
