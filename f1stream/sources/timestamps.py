"""Times and durations as Formula 1's data has them in text, in milliseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

UTC_TEXT = re.compile(r"(20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?)(Z|[+-]\d\d:\d\d)?")
"""0 to 7 digits of a second, usually with Z; race control sends neither. 0001-01-01 stands for no time."""
GMT_OFFSET = re.compile(r"(-?)(\d{1,2}):([0-5]\d):([0-5]\d)")
_DURATION = re.compile(r"\+?(?:(?:(\d{1,2}):)?(\d{1,2}):)?(\d{1,2})\.(\d{1,3})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def utc_ms(text: Any) -> int | None:
    """Unix ms of a ``Utc`` text, cut to whole ms; None for anything that is not a time of this century."""
    found = UTC_TEXT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    try:
        zone = found[2] or "Z"
        return (datetime.fromisoformat(found[1] + zone) - _EPOCH) // _MS
    except (ValueError, OverflowError):
        return None


def utc_text(unix_ms: int) -> str:
    """``2025-10-25T20:46:26.000Z``."""
    return (_EPOCH + unix_ms * _MS).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def gmt_offset_ms(text: Any) -> int | None:
    """A session's ``GmtOffset``, ``2:00:00`` or ``-04:00:00``: how far the track's time is ahead of UTC, in ms."""
    found = GMT_OFFSET.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    hours, minutes, seconds = (int(part) for part in found.groups()[1:])
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 * (-1 if found[1] else 1)


def duration_ms(text: Any) -> int | None:
    """``1:18.964``, ``23.456``, ``1:02:03.456`` or ``+0.879`` in ms; None for any other text."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    hours, minutes, seconds, fraction = found.groups()
    return (int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds)) * 1000 + int(fraction.ljust(3, "0"))
