"""Race control, team radio, weather, lap count and session clock: a message of each is one fact or several."""

from __future__ import annotations

from typing import Any

from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.parser.state import Fact, SessionState
from f1stream.sources.livetiming.parser.values import as_float, as_int
from f1stream.sources.timestamps import duration_ms, utc_ms
from models import LapCount, RaceControl, SessionClock, TeamRadio, Weather
from models.bounds import MOST_LAPS

WEATHER_FIELDS = {
    "air_temp": "AirTemp", "track_temp": "TrackTemp", "humidity": "Humidity", "pressure": "Pressure",
    "wind_direction": "WindDirection", "wind_speed": "WindSpeed",
}  # fmt: skip


def race_control(state: SessionState, message: FeedMessage, at_ms: int) -> list[Fact]:
    """``RaceControlMessages``; they also delete lap times and abort starts."""
    facts: list[Fact] = []
    for sent in state.unseen(message, "Messages", "Utc", "Message").values():
        with state.skip_unreadable(message.topic):
            fact = _race_control(sent, at_ms)
            state.laps.take_race_control(fact.message, at_ms)
            state.laps.update_start(fact, state.t0_utc_ms)
            facts.append(fact)
    return facts


def _race_control(sent: dict[str, Any], at_ms: int) -> RaceControl:
    return RaceControl(
        session_time_ms=at_ms, category=str(sent.get("Category", "Other")), message=sent["Message"],
        status=sent.get("Status") or sent.get("Mode"), flag=sent.get("Flag"), scope=sent.get("Scope"),
        sector=as_int(sent.get("Sector")), driver_number=sent.get("RacingNumber"), lap=as_int(sent.get("Lap")),
    )  # fmt: skip


def team_radio(state: SessionState, message: FeedMessage, at_ms: int) -> list[Fact]:
    """``TeamRadio``: the path of each recorded call."""
    facts: list[Fact] = []
    for call in state.unseen(message, "Captures", "Path").values():
        with state.skip_unreadable(message.topic):
            fact = TeamRadio(session_time_ms=at_ms, driver_number=str(call["RacingNumber"]), path=call["Path"])
            if fact.driver_number in state.laps.entries:
                facts.append(fact)
    return facts


def weather(state: SessionState, message: FeedMessage, at_ms: int) -> list[Fact]:
    """``WeatherData``: every message has all fields."""
    values = {name: as_float(message.data.get(field)) for name, field in WEATHER_FIELDS.items()}
    rain = as_float(message.data.get("Rainfall"))
    return [Weather.model_validate(values | {"session_time_ms": at_ms, "rainfall": bool(rain)})]


def lap_count(state: SessionState, message: FeedMessage, at_ms: int) -> list[Fact]:
    """``LapCount``: the lap comes each time; the total once, and again when a race is shortened."""
    state.merge_topic(message)
    total = as_int(message.data.get("TotalLaps"))
    if total is not None and 0 < total <= MOST_LAPS:
        state.total_laps = total
        state.planned_laps = state.planned_laps or total
    lap = as_int(state.topics[message.topic].get("CurrentLap"))
    if lap is None or not state.total_laps:
        return []
    return [LapCount(session_time_ms=at_ms, lap=lap, total_laps=state.total_laps)]


def clock(state: SessionState, message: FeedMessage, at_ms: int) -> list[Fact]:
    """``ExtrapolatedClock``: what a message leaves out is as in the message before it."""
    state.merge_topic(message)
    counted_at_ms = utc_ms(message.data.get("Utc"))
    if counted_at_ms is not None and not message.snapshot:  # a snapshot is as old as its last change
        lag = message.sent_ms - counted_at_ms
        state.clock_lag_ms = lag if state.clock_lag_ms is None else min(state.clock_lag_ms, lag)
    merged = state.topics[message.topic]
    remaining = merged.get("Remaining")
    ms = duration_ms(f"{remaining}.000") if isinstance(remaining, str) else None
    if ms is None:
        return []
    return [SessionClock(session_time_ms=at_ms, remaining_ms=ms, running=merged.get("Extrapolating") is True)]
