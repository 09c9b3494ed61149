"""Messages in the order of their times, although a few are not in their place in the file."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.recording.formats import dated

LOOK_AHEAD = 128
"""Messages held back for sorting; one that is further from its place gets a later time. In the captures of 2024 no
message is more than 25 places away."""


class PlacedMessage(NamedTuple):
    """A message with its sort key."""

    sent_ms: int
    own_ms: int
    """The time that the message contains, for those sent at the same time; else ``sent_ms``."""
    place: int
    """Its place in the file."""
    message: FeedMessage


def reorder(placed: Iterable[PlacedMessage], late: Callable[[PlacedMessage], None]) -> Iterator[PlacedMessage]:
    """Sort by time; messages of the same time keep their order.

    A message that is too late for that is passed to ``late`` and gets the time of the one before it: its content is
    kept, and time never runs backwards. A message with a far later time delays only itself.
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
