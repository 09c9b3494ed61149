"""How the feed writes durations, gaps and numbers."""

from __future__ import annotations

import re
from typing import Any

from models.bounds import MOST_INT64, MOST_MEASURE

_DURATION = re.compile(r"\+?(?:(?:(\d{1,2}):)?(\d{1,2}):)?(\d{1,2})\.(\d{1,3})")
_LAPS = re.compile(r"\+?(\d{1,3}) ?L(?:AP|APS)?", re.IGNORECASE)


def duration_ms(text: Any) -> int | None:
    """``1:18.964``, ``23.456``, ``1:02:03.456`` or ``+0.879`` in ms; None for anything else, as for an empty text."""
    told = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if told is None:
        return None
    hours, minutes, seconds, part = told.groups()
    return (int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds)) * 1000 + int(part.ljust(3, "0"))


def gap(text: Any) -> tuple[int | None, int | None]:
    """A gap as (ms, laps): ``+1.234`` is ms, ``1L`` and ``+1 LAP`` are laps, ``LAP 12`` (the leader) is neither."""
    told = _LAPS.fullmatch(text) if isinstance(text, str) else None
    return (None, int(told[1])) if told else (duration_ms(text), None)


def whole(value: Any) -> int | None:
    """A number that the feed may send as a text; None for anything else, and for one of more than 64 bits."""
    try:
        told = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return told if abs(told) <= MOST_INT64 else None


def number(value: Any) -> float | None:
    """Likewise with a fraction; None for one that no record has room for, as NaN and Infinity."""
    try:
        told = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return told if abs(told) <= MOST_MEASURE else None
