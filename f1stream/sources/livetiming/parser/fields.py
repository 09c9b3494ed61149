"""The names that the feed is known to use, so that new ones are noticed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

SILENT = {
    "Heartbeat": "the time of day alone",
    "AudioStreams": "addresses of the broadcasters' sound",
    "ContentStreams": "addresses of the broadcasters' pictures and commentary",
}
"""Topics without a handler, and what they contain: nothing about the session."""
OF_CARS = {"TimingData", "TimingAppData", "RaceControlMessages", "TeamRadio", "LapCount", "CarData.z", "Position.z"}
"""Topics about the session's own cars."""
_LAP_TIME = {"Value", "Status", "OverallFastest", "PersonalFastest", "Lap"}
_PERSON = {"RacingNumber", "Tla", "BroadcastName", "FullName", "FirstName", "LastName", "Reference"}


def _under(path: str, fields: set[str]) -> set[str]:
    return {f"{path}.{name}" for name in fields} | {path}


KNOWN: dict[str, set[str]] = {
    "DriverList": {"#"} | _under("#", _PERSON | {
        "Line", "TeamName", "TeamColour", "HeadshotUrl", "PublicIdRight", "CountryCode", "NameFormat",
    }),
    "TimingData": {
        "NoEntries", "NoEntries.#", "SessionPart", "CutOffTime", "CutOffPercentage", "Withheld", "Lines",
        *_under("Lines.#", {
            "KnockedOut", "Cutoff", "Line", "Position", "ShowPosition", "RacingNumber", "Retired", "InPit", "PitOut",
            "Stopped", "Status", "NumberOfLaps", "NumberOfPitStops", "GapToLeader", "TimeDiffToFastest",
            "TimeDiffToPositionAhead",
        }),
        *_under("Lines.#.BestLapTime", {"Value", "Lap"}), "Lines.#.BestLapTimes",
        *_under("Lines.#.BestLapTimes.#", {"Value", "Lap"}), *_under("Lines.#.LastLapTime", _LAP_TIME),
        "Lines.#.Stats", *_under("Lines.#.Stats.#", {"TimeDiffToFastest", "TimeDifftoPositionAhead"}),
        *_under("Lines.#.IntervalToPositionAhead", {"Value", "Catching"}), "Lines.#.Sectors",
        *_under("Lines.#.Sectors.#", _LAP_TIME | {"Stopped", "PreviousValue", "Segments"}),
        *_under("Lines.#.Sectors.#.Segments.#", {"Status"}), "Lines.#.Speeds",
        *(name for trap in ("I1", "I2", "FL", "ST") for name in _under(f"Lines.#.Speeds.{trap}", _LAP_TIME)),
    },
    "TimingAppData": {
        "Lines", *_under("Lines.#", {"Line", "RacingNumber", "GridPos", "Stints"}), *_under("Lines.#.Stints.#", {
            "LapFlags", "Compound", "New", "TyresNotChanged", "TotalLaps", "StartLaps", "LapTime", "LapNumber",
        }),
    },
    "SessionStatus": {"Status", "Started"},
    "SessionData": {
        "Series", *_under("Series.#", {"Utc", "QualifyingPart", "Lap"}),
        "StatusSeries", *_under("StatusSeries.#", {"Utc", "TrackStatus", "SessionStatus"}),
    },
    "TrackStatus": {"Status", "Message"},
    "RaceControlMessages": {"Messages", *_under("Messages.#", {
        "Utc", "Category", "Flag", "Scope", "Message", "Sector", "RacingNumber", "Lap", "Status", "Mode",
    })},
    "WeatherData": {"AirTemp", "Humidity", "Pressure", "Rainfall", "TrackTemp", "WindDirection", "WindSpeed"},
    "LapCount": {"CurrentLap", "TotalLaps"},
    "ExtrapolatedClock": {"Utc", "Remaining", "Extrapolating"},
    "TeamRadio": {"Captures", *_under("Captures.#", {"Utc", "RacingNumber", "Path"})},
}  # fmt: skip
"""By topic: paths of names; ``#`` stands for an index or a car's number."""


def names(data: Any) -> set[str]:
    """Every path of names in a message."""
    return set(_paths(data, ""))


def _paths(data: Any, path: str) -> Iterator[str]:
    items = (
        data.items() if isinstance(data, dict) else (("#", each) for each in data) if isinstance(data, list) else ()
    )
    for name, value in items:
        if name.startswith("_"):  # the feed's own markers, such as _deleted
            continue
        below = f"{path}.{'#' if name.isdecimal() else name}".lstrip(".")
        yield below
        yield from _paths(value, below)
