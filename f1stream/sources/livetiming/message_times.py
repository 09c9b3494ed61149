"""When something happened by a message's own account, which is at or before the time the message was sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from f1stream.sources.livetiming.compressed import UnreadableData, decompress
from f1stream.sources.timestamps import utc_ms

HEARTBEAT_LEAD_MS = 2_050
"""A Heartbeat's Utc is this much later than its time of sending: the median of both captures of 2024, in ms."""


def own_times(topic: str, data: Any) -> Iterator[int]:
    """The times (Unix ms) that a message contains; none for topics that carry no time."""
    if topic == "ExtrapolatedClock":
        texts: Iterable[Any] = [_get(data, "Utc")]
    elif topic == "Heartbeat":
        texts = [_get(data, "Utc")]
    elif topic == "SessionData":
        texts = [_get(entry, "Utc") for name in ("Series", "StatusSeries") for entry in _entries(_get(data, name))]
    elif topic == "RaceControlMessages":
        texts = [_get(entry, "Utc") for entry in _entries(_get(data, "Messages"))]
    elif topic == "CarData.z":
        texts = [_get(entry, "Utc") for entry in _entries(_get(_decompressed(data), "Entries"))]
    elif topic == "Position.z":
        texts = [_get(entry, "Timestamp") for entry in _entries(_get(_decompressed(data), "Position"))]
    else:
        return
    lead = HEARTBEAT_LEAD_MS if topic == "Heartbeat" else 0
    for text in texts:
        if (ms := utc_ms(text)) is not None:
            yield ms - lead


def _get(data: Any, name: str) -> Any:
    return data.get(name) if isinstance(data, dict) else None


def _entries(data: Any) -> Iterable[Any]:
    """The entries of a list, which the feed sends as a list or as an object by index."""
    return data if isinstance(data, list) else data.values() if isinstance(data, dict) else ()


def _decompressed(data: Any) -> Any:
    """The content of a ``.z`` text; None if it cannot be decompressed."""
    try:
        return decompress(data)
    except UnreadableData:
        return None
