"""Messages in the order of their times, though a few are not where they should be."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.recording.formats import dated

LOOK_AHEAD = 128
"""Messages held back to put them in order. In the captures of 2024 none is more than 25 places away from its own."""


class PlacedMessage(NamedTuple):
    """A message with what orders it."""

    sent_ms: int
    own_ms: int
    """The time it tells itself, where several were sent at once; else the same."""
    place: int
    """Its place in the file."""
    message: FeedMessage


def reorder(placed: Iterable[PlacedMessage], late: Callable[[PlacedMessage], None]) -> Iterator[PlacedMessage]:
    """By time, those of the same time as they came.

    One that comes too late for that is told to ``late`` and given the time of the one before it: what it says is not
    lost, and time never runs backwards. One whose time is far too great delays none but itself.
    """
    held: list[PlacedMessage] = []
    last = None
    for item in placed:
        heapq.heappush(held, item)
        if len(held) > LOOK_AHEAD:
            last = _after(last, heapq.heappop(held), late)
            yield last
    while held:
        last = _after(last, heapq.heappop(held), late)
        yield last


def _after(last: PlacedMessage | None, item: PlacedMessage, late: Callable[[PlacedMessage], None]) -> PlacedMessage:
    if last is None or item.sent_ms >= last.sent_ms:
        return item
    late(item)
    return item._replace(sent_ms=last.sent_ms, own_ms=last.own_ms, message=dated(item.message, last.sent_ms))
