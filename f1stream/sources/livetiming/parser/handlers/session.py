"""What a session is, how it stands, and the status of its track."""

from __future__ import annotations

from typing import Any

from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.parser import statuses
from f1stream.sources.livetiming.parser.merge import indexed
from f1stream.sources.livetiming.parser.state import Fact, SessionState
from f1stream.sources.timestamps import utc_ms
from models import SessionStatus, TrackStatus
from models.session_type import is_race

PART_WAITS_MS = 5_000
"""How long (ms) a part of a qualifying in ``SessionData`` waits for ``TimingData`` to confirm it; then it is taken.
All confirmations seen came within 20 ms."""


def session_info(state: SessionState, message: FeedMessage, at_ms: int) -> list[Fact]:
    """``SessionInfo``: name, type and, from 2025 on, the session's status."""
    state.merge_topic(message)
    state.laps.is_race = is_race(str(state.info.get("Type")))
    status = message.data.get("SessionStatus")
    if not status or message.snapshot:  # a snapshot's status may be older than that of the topics beside it
        return []
    return _take_status(state, "SessionInfo", status, at_ms, is_event=False)


def session_status(state: SessionState, message: FeedMessage, at_ms: int) -> list[Fact]:
    """``SessionStatus``."""
    return _take_status(state, message.topic, message.data["Status"], at_ms, is_event=not message.snapshot)


def session_data(state: SessionState, message: FeedMessage, at_ms: int) -> list[Fact]:
    """``SessionData``: both statuses once more, and the parts of a qualifying, each with the time it began."""
    state.merge_topic(message)
    series = indexed(state.unseen(message, "StatusSeries", "Utc", "SessionStatus", "TrackStatus"))
    sessions, tracks = statuses.history(series, "SessionStatus"), statuses.history(series, "TrackStatus")
    if message.snapshot:  # of the past, only the start and what is new to us; of the track, only the present
        started = [each for each in sessions[:-1] if each[1] == "Started"]
        sessions = [*(started[:1] if state.status.latest is None else sessions[:-1]), *sessions[-1:]]
        tracks = tracks[-1:]
    facts: list[Fact] = []
    for utc, status in sessions:
        began_ms = utc_ms(utc) if message.snapshot else None
        at = at_ms if began_ms is None else min(began_ms - state.t0_utc_ms, at_ms)
        facts += _take_status(state, message.topic, status, at, at_ms)
    for _, status in tracks:
        if status in statuses.TRACK_CODES:
            facts += _take_track_status(state, message.topic, statuses.TRACK_CODES[status], status, at_ms)
    if (part := statuses.latest_part(message.data)) is not None:
        state.pending_part = at_ms, part
    return facts


def track_status(state: SessionState, message: FeedMessage, at_ms: int) -> list[Fact]:
    """``TrackStatus``."""
    text, code = str(message.data.get("Message", "")), str(message.data["Status"])
    return _take_track_status(state, message.topic, code, text, at_ms, is_event=not message.snapshot)


def overdue_part(state: SessionState, now_ms: int) -> list[Fact]:
    """The part in ``SessionData`` if ``TimingData``, which some recordings lack, has not confirmed it in time."""
    if state.pending_part is None or now_ms < state.pending_part[0] + PART_WAITS_MS:
        return []
    (at_ms, part), state.pending_part = state.pending_part, None
    return [] if state.has_session_part else list(state.parts.take({"SessionPart": part}, at_ms))


def _take_status(
    state: SessionState, source: str, status: Any, at_ms: int, known_ms: int | None = None, *, is_event: bool = True
) -> list[Fact]:
    """``at_ms``: when it began; ``known_ms``: when it became known, if later."""
    fact = SessionStatus(session_time_ms=at_ms, status=status)
    if not state.status.is_new(source, fact.status, is_event=is_event):
        return []
    state.laps.take_status(fact.status, at_ms)
    state.laps.update_start(fact, state.t0_utc_ms)
    known_ms = at_ms if known_ms is None else known_ms
    state.on_since_ms = known_ms if fact.status == "Started" else None  # before that we received nothing
    if fact.status != "Inactive" and state.opened_ms is None:
        state.opened_ms = known_ms
    return [fact]


def _take_track_status(
    state: SessionState, source: str, code: str, text: str, at_ms: int, *, is_event: bool = True
) -> list[Fact]:
    fact = TrackStatus(session_time_ms=at_ms, status=code, message=text)
    if not state.track_status.is_new(source, code, is_event=is_event):
        return []
    state.laps.statuses.append((at_ms, code))
    return [fact]
