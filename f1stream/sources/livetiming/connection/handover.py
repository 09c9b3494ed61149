"""From a connection to the one that replaces it: nothing lost, nothing twice, in the order in which it was sent.

While both are subscribed the old one's messages are given out and the new one's are kept. As soon as the old one has
given out the first few that came on the new one, everything before them has come too, and everything after them comes
on the new one: the old one is not needed any more.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterator

import orjson

from f1stream.sources.livetiming.message import FeedMessage

ALIKE = 3
"""So many messages in a row are the same on both. One could be a message that the feed sends twice."""
FORGET_MS = 60_000
"""What both have sent is not looked for any more when the feed is so much further."""

Key = tuple[str, int, bytes]


def key(message: FeedMessage) -> Key:
    """What makes a message the same on two connections."""
    return message.topic, message.sent_ms, hashlib.blake2b(orjson.dumps(message.data), digest_size=16).digest()


class Handover:
    """One renewal."""

    def __init__(self) -> None:
        self._given: list[Key] = []
        """What the old one has given out since."""
        self._first: list[Key] = []
        """What came first on the new one."""
        self.kept: list[FeedMessage] = []
        """What came on the new one."""
        self.came = asyncio.Event()
        """Something came on the new one."""
        self.met = asyncio.Event()
        """The old one has reached the new one's first messages."""

    def begin(self) -> None:
        """The new connection is opened now, perhaps once more: nothing that was given out before comes on it."""
        self._given.clear()

    def old(self, message: FeedMessage) -> None:
        """The old connection gives this out."""
        self._given.append(key(message))
        if len(self._first) == ALIKE and self._given[-ALIKE:] == self._first:
            self.met.set()

    def new(self, message: FeedMessage) -> None:
        """This came on the new one, and is kept."""
        self.kept.append(message)
        self.came.set()
        if len(self._first) < ALIKE:
            self._first.append(key(message))
            if len(self._first) == ALIKE and self._place() is not None:
                self.met.set()

    @property
    def touched(self) -> bool:
        """Whether the old one gave out the first message of the new one: nothing is missing between the two."""
        return bool(self._first) and self._first[0] in self._given

    def rest(self) -> Rest:
        """What the new connection adds: first what was kept, then whatever still comes."""
        return Rest(self._given[self._place() or 0 :], self.kept)

    def _place(self) -> int | None:
        """Where in what the old one gave out the new one's first messages are."""
        if len(self._first) < ALIKE:
            return None
        places = range(len(self._given) - ALIKE, -1, -1)
        return next((at for at in places if self._given[at : at + ALIKE] == self._first), None)


class Rest:
    """The new connection's messages, without those that the old one gave out."""

    def __init__(self, given: list[Key], kept: list[FeedMessage]) -> None:
        self._given = Counter(given)
        self._until_ms = max((sent_ms for _, sent_ms, _ in given), default=0) + FORGET_MS
        self._kept = kept

    def kept(self) -> Iterator[FeedMessage]:
        """Those that came during the handover; to be asked once."""
        return (message for message in self._kept if self.is_new(message))

    def is_new(self, message: FeedMessage) -> bool:
        """Whether the old one has not given this out; to be asked once for each message, in their order."""
        if not self._given:
            return True
        if message.sent_ms > self._until_ms:
            self._given.clear()
            return True
        this = key(message)
        if this not in self._given:
            return True
        self._given[this] -= 1
        if self._given[this] == 0:
            del self._given[this]
        return False
