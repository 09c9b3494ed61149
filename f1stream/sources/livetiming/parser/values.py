"""The feed's gaps and numbers, as our values."""

from __future__ import annotations

import re
from typing import Any

from f1stream.sources.timestamps import duration_ms
from models.bounds import MOST_INT64, MOST_MEASURE

_LAPS = re.compile(r"\+?(\d{1,3}) ?L(?:AP|APS)?", re.IGNORECASE)


def gap(text: Any) -> tuple[int | None, int | None]:
    """A gap as (ms, laps): ``+1.234`` is ms, ``1L`` and ``+1 LAP`` are laps, ``LAP 12`` (the leader) is neither."""
    found = _LAPS.fullmatch(text) if isinstance(text, str) else None
    return (None, int(found[1])) if found else (duration_ms(text), None)


def as_int(value: Any) -> int | None:
    """A whole number, which the feed may send as text; None for anything else and beyond 64 bits."""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) <= MOST_INT64 else None


def as_float(value: Any) -> float | None:
    """A number, which the feed may send as text; None for anything else, NaN and values that no record can hold."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) <= MOST_MEASURE else None
