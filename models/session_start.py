"""When a session started. One rule for sources and the race; ``dim_session.sql`` has it for stored messages.

A test holds the two together: tests/models/test_session_start.py reads the cases of the dbt unit test.
"""

from __future__ import annotations

from models.message import RaceControl, SessionStatus

ABORTED_START = "ABORTED START"
"""What race control's message begins with."""


def start_after(started_ms: int | None, fact: SessionStatus | RaceControl, first_lap_over: bool) -> int | None:
    """Session time (ms) of the start as known after ``fact``; None before it. ``started_ms``: as known before.

    The first ``Started`` is the start, and stays it through red flags. A start that race control aborts is none, and
    the next ``Started`` is the start; once a car has completed a lap there is no start left to abort.
    """
    if isinstance(fact, SessionStatus):
        return fact.session_time_ms if started_ms is None and fact.status == "Started" else started_ms
    aborted = fact.message.startswith(ABORTED_START) and not first_lap_over
    return None if aborted else started_ms
