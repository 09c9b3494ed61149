"""The feed's small topics: what it says of the session, the track, the weather and by radio."""

from __future__ import annotations

from typing import Any

from f1stream.sources.livetiming.parser.values import as_float, as_int
from f1stream.sources.timestamps import duration_ms
from models import (
    LapCount,
    Message,
    RaceControl,
    SessionClock,
    TeamRadio,
    Weather,
)


def weather(data: dict[str, Any], at_ms: int) -> list[Message]:
    """``WeatherData``: always whole."""
    told = {
        name: as_float(data.get(field))
        for name, field in (
            ("air_temp", "AirTemp"), ("track_temp", "TrackTemp"), ("humidity", "Humidity"), ("pressure", "Pressure"),
            ("wind_direction", "WindDirection"), ("wind_speed", "WindSpeed"),
        )
    }  # fmt: skip
    rain = as_float(data.get("Rainfall"))
    return [Weather.model_validate(told | {"session_time_ms": at_ms, "rainfall": bool(rain)})]


def lap_count(data: dict[str, Any], at_ms: int, total: int | None) -> list[Message]:
    """``LapCount``: the total comes once, and again when a race is shortened; the lap each time."""
    lap = as_int(data.get("CurrentLap"))
    return [LapCount(session_time_ms=at_ms, lap=lap, total_laps=total)] if lap is not None and total else []


def clock(data: dict[str, Any], at_ms: int) -> list[Message]:
    """``ExtrapolatedClock``, with what it left out put in."""
    remaining = data.get("Remaining")
    ms = duration_ms(f"{remaining}.000") if isinstance(remaining, str) else None
    return [] if ms is None else [
        SessionClock(session_time_ms=at_ms, remaining_ms=ms, running=data.get("Extrapolating") is True)
    ]  # fmt: skip


def race_control(told: dict[str, Any], at_ms: int) -> RaceControl:
    """One of ``RaceControlMessages``."""
    return RaceControl(
        session_time_ms=at_ms, category=str(told.get("Category", "Other")), message=told["Message"],
        status=told.get("Status") or told.get("Mode"), flag=told.get("Flag"), scope=told.get("Scope"),
        sector=as_int(told.get("Sector")), driver_number=told.get("RacingNumber"), lap=as_int(told.get("Lap")),
    )  # fmt: skip


def team_radio(told: dict[str, Any], at_ms: int) -> TeamRadio:
    """One of the ``Captures`` of ``TeamRadio``."""
    return TeamRadio(session_time_ms=at_ms, driver_number=str(told["RacingNumber"]), path=told["Path"])
