"""Types of sessions: normalises ``SessionInfo.type``, and decides whether a session is a race."""

from __future__ import annotations

RACE, SPRINT = "Race", "Sprint"


def session_type(feed_type: str, name: str) -> str:
    """A session's type: the feed's, but ``Sprint`` for a sprint, which the feed types ``Race``."""
    return SPRINT if feed_type == RACE and SPRINT.lower() in name.lower() else feed_type


def is_race(session_type: str) -> bool:
    """Whether it is a Grand Prix or a sprint, ordered by track position. Other sessions are ordered by best lap."""
    return session_type in {RACE, SPRINT}


def is_grand_prix(session_type: str) -> bool:
    """Whether it is the main race of its event, which has the official result and standings after it."""
    return session_type == RACE
