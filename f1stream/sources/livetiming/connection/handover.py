"""Replacing one connection by another: nothing lost, nothing twice, in the order in which it was sent.

While both are subscribed, the old connection's messages are delivered and the new one's are buffered. Once the old
one has delivered the first few messages that were received on the new one, all earlier messages have been delivered
too and all later ones are on the new connection: the old one is not needed any more.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterator

import orjson

from f1stream.sources.livetiming.message import FeedMessage

ALIKE = 3
"""Consecutive messages that must be the same on both connections. A single one could be sent twice by the feed."""
FORGET_MS = 60_000
"""Messages of both connections are compared until the feed is this much further (ms of its clock)."""

Key = tuple[str, int, bytes]


def key(message: FeedMessage) -> Key:
    """What makes a message the same on two connections."""
    return message.topic, message.sent_ms, hashlib.blake2b(orjson.dumps(message.data), digest_size=16).digest()


class Handover:
    """The replacement of one connection."""

    def __init__(self) -> None:
        self._delivered: list[Key] = []
        """Messages that the old connection has delivered since ``start``."""
        self._first: list[Key] = []
        """The first messages of the new connection."""
        self.buffered: list[FeedMessage] = []
        """Messages of the new connection."""
        self.received = asyncio.Event()
        """Set when the new connection has received its first message."""
        self.aligned = asyncio.Event()
        """Set when the old connection has delivered the new one's first messages."""

    def start(self) -> None:
        """The new connection is being opened, perhaps once more: it receives nothing that was delivered before."""
        self._delivered.clear()

    def deliver(self, message: FeedMessage) -> None:
        """Note a message that the old connection delivers."""
        self._delivered.append(key(message))
        if len(self._first) == ALIKE and self._delivered[-ALIKE:] == self._first:
            self.aligned.set()

    def buffer(self, message: FeedMessage) -> None:
        """Keep a message that was received on the new connection."""
        self.buffered.append(message)
        self.received.set()
        if len(self._first) < ALIKE:
            self._first.append(key(message))
            if len(self._first) == ALIKE and self._place() is not None:
                self.aligned.set()

    @property
    def overlaps(self) -> bool:
        """Whether the old connection has delivered the new one's first message: nothing between them is missing."""
        return bool(self._first) and self._first[0] in self._delivered

    def remainder(self) -> Remainder:
        """The new connection's messages that are still to be delivered."""
        return Remainder(self._delivered[self._place() or 0 :], self.buffered)

    def _place(self) -> int | None:
        """Where the new connection's first messages are among those delivered by the old one."""
        if len(self._first) < ALIKE:
            return None
        places = range(len(self._delivered) - ALIKE, -1, -1)
        return next((at for at in places if self._delivered[at : at + ALIKE] == self._first), None)


class Remainder:
    """The new connection's messages without those that the old one delivered."""

    def __init__(self, delivered: list[Key], buffered: list[FeedMessage]) -> None:
        self._delivered = Counter(delivered)
        self._until_ms = max((sent_ms for _, sent_ms, _ in delivered), default=0) + FORGET_MS
        self._buffered = buffered

    def buffered(self) -> Iterator[FeedMessage]:
        """Those received during the handover. Call it once."""
        return (message for message in self._buffered if self.is_new(message))

    def is_new(self, message: FeedMessage) -> bool:
        """Whether the old connection has not delivered this message. Call it once per message, in their order."""
        if not self._delivered:
            return True
        if message.sent_ms > self._until_ms:
            self._delivered.clear()
            return True
        this = key(message)
        if this not in self._delivered:
            return True
        self._delivered[this] -= 1
        if self._delivered[this] == 0:
            del self._delivered[this]
        return False
