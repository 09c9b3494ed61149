"""One handler per topic of the feed: it applies a message to the session's state and returns the facts it makes."""

from __future__ import annotations

from collections.abc import Callable

from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.parser.handlers import session, small_topics, timing
from f1stream.sources.livetiming.parser.state import Fact, SessionState

Handler = Callable[[SessionState, FeedMessage, int], list[Fact]]
"""Takes the message's session time (ms) too. Raises one of ``state.UNREADABLE`` for a message that it cannot read."""


def merge_only(state: SessionState, message: FeedMessage, at_ms: int) -> list[Fact]:
    """A topic with a line for each car, of which nothing is published."""
    state.merge_lines(message)
    return []


def car_data(state: SessionState, message: FeedMessage, at_ms: int) -> list[Fact]:
    """``CarData.z``: samples are taken from ``state.telemetry``."""
    state.telemetry.take_car_data(message.data, message.sent_ms)
    return []


def positions(state: SessionState, message: FeedMessage, at_ms: int) -> list[Fact]:
    """``Position.z``: likewise."""
    state.telemetry.take_positions(message.data, message.sent_ms)
    return []


HANDLERS: dict[str, Handler] = {
    "SessionInfo": session.session_info,
    "SessionStatus": session.session_status,
    "SessionData": session.session_data,
    "TrackStatus": session.track_status,
    "DriverList": timing.driver_list,
    "TimingData": timing.timing_data,
    "TimingAppData": timing.timing_app_data,
    "RaceControlMessages": small_topics.race_control,
    "TeamRadio": small_topics.team_radio,
    "WeatherData": small_topics.weather,
    "LapCount": small_topics.lap_count,
    "ExtrapolatedClock": small_topics.clock,
    "TimingStats": merge_only,
    "TopThree": merge_only,
    "CarData.z": car_data,
    "Position.z": positions,
}
"""By topic. ``fields.SILENT`` lists the topics without a handler, with the reason."""
