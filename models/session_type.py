"""What kind of session it is. ``SessionInfo.type`` is normalised here, and every "is it a race?" is answered here."""

from __future__ import annotations

RACE, SPRINT = "Race", "Sprint"


def session_type(feed_type: str, name: str) -> str:
    """A session's type: the feed's, but ``Sprint`` for a sprint, which the feed types ``Race`` and only names so."""
    return SPRINT if feed_type == RACE and SPRINT.lower() in name.lower() else feed_type


def is_race(session_type: str) -> bool:
    """Whether the car ahead on track is ahead: a Grand Prix or a sprint. Elsewhere the order is by best lap."""
    return session_type in {RACE, SPRINT}


def is_grand_prix(session_type: str) -> bool:
    """Whether it is the race of its event: that one has the official result, and standings after it."""
    return session_type == RACE
