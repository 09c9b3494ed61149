"""The feed's times: ``Utc`` texts, offsets of recordings, and the times that messages carry themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from f1stream.sources.livetiming.packed import Damaged, unpack

UTC_TEXT = re.compile(r"(20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?)(Z|[+-]\d\d:\d\d)?")
"""With 0 to 7 digits of a second, mostly with Z; race control has neither. 0001-01-01 means that there is none."""
OFFSET = re.compile(rb"(\d\d):([0-5]\d):([0-5]\d)\.(\d{3})")
GMT_OFFSET = re.compile(r"(-?)(\d\d):([0-5]\d):([0-5]\d)")
HEARTBEAT_LEAD_MS = 2_050
"""So much later than the time at which it is sent is a Heartbeat's Utc: the median of both captures of 2024."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def utc_ms(text: Any) -> int | None:
    """Unix ms of a ``Utc`` text, cut to whole ms; None when it is no time of this century."""
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


def offset_ms(line: bytes) -> int | None:
    """The ms that a line of a ``.jsonStream`` begins with, ``HH:MM:SS.mmm``."""
    found = OFFSET.match(line)
    if found is None:
        return None
    hours, minutes, seconds, ms = (int(part) for part in found.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms


def gmt_offset_ms(text: Any) -> int | None:
    """A session's ``GmtOffset``, ``11:00:00`` or ``-04:00:00``: by how much the track's time is ahead of UTC."""
    found = GMT_OFFSET.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    hours, minutes, seconds = (int(part) for part in found.groups()[1:])
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 * (-1 if found[1] else 1)


def own_times(topic: str, data: Any) -> Iterator[int]:
    """When that happened which a message tells, by the message itself (Unix ms): at most as late as it was sent."""
    if topic == "ExtrapolatedClock":
        texts: Iterable[Any] = [_get(data, "Utc")]
    elif topic == "Heartbeat":
        texts = [_get(data, "Utc")]
    elif topic == "SessionData":
        texts = [_get(entry, "Utc") for name in ("Series", "StatusSeries") for entry in _entries(_get(data, name))]
    elif topic == "RaceControlMessages":
        texts = [_get(entry, "Utc") for entry in _entries(_get(data, "Messages"))]
    elif topic == "CarData.z":
        texts = [_get(entry, "Utc") for entry in _entries(_get(_unpacked(data), "Entries"))]
    elif topic == "Position.z":
        texts = [_get(entry, "Timestamp") for entry in _entries(_get(_unpacked(data), "Position"))]
    else:
        return
    lead = HEARTBEAT_LEAD_MS if topic == "Heartbeat" else 0
    for text in texts:
        if (ms := utc_ms(text)) is not None:
            yield ms - lead


def _get(data: Any, name: str) -> Any:
    return data.get(name) if isinstance(data, dict) else None


def _entries(data: Any) -> Iterable[Any]:
    """A list's, whether it comes as a list or as an object by index."""
    return data if isinstance(data, list) else data.values() if isinstance(data, dict) else ()


def _unpacked(data: Any) -> Any:
    """What a ``.z`` text holds; None when it cannot be unpacked."""
    try:
        return unpack(data)
    except Damaged:
        return None
