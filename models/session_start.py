"""When a session started: one rule for sources and the race; ``dim_session.sql`` applies it to stored messages.

tests/models/test_session_start.py runs the cases of the dbt unit test, so that both stay the same.
"""

from __future__ import annotations

from models.message import RaceControl, SessionStatus

ABORTED_START = "ABORTED START"
"""Beginning of race control's message."""


def start_after(started_ms: int | None, fact: SessionStatus | RaceControl, first_lap_over: bool) -> int | None:
    """Session time (ms) of the start after ``fact``; None without one. ``started_ms``: the same before ``fact``.

    The first ``Started`` is the start, also after red flags. If race control aborts the start, the next ``Started``
    is the start; once a car has completed a lap, the start cannot be aborted.
    """
    if isinstance(fact, SessionStatus):
        return fact.session_time_ms if started_ms is None and fact.status == "Started" else started_ms
    aborted = fact.message.startswith(ABORTED_START) and not first_lap_over
    return None if aborted else started_ms
