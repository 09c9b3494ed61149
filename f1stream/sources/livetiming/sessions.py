"""Which messages of a feed belong to which session.

The feed goes on from one session to the next: some 15 minutes before a session starts it sends a ``SessionInfo`` with
another ``Key``, and then every other topic's state (seen: 2024 Belgian qualifying, 2025 Dutch practice 2). The answer
to subscribing has every topic's state at one time, in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from f1stream.sources.livetiming.message import FeedMessage

FIRST = {"SessionInfo": 0, "DriverList": 1, "SessionData": 2}
"""The topics of an answer to subscribing that are read first: the session, its drivers, its history."""
REST = len(FIRST)
"""The place of all other topics."""


@dataclass
class SnapshotOrder:
    """Sorts the states of an answer to subscribing so that each can be read when its turn comes.

    An answer is held back until the first message that is not part of it.
    """

    _held: list[FeedMessage] = field(default_factory=list)

    def take(self, message: FeedMessage) -> list[FeedMessage]:
        """The messages that can be read now that ``message`` was received."""
        if not message.snapshot:
            return [*self.rest(), message]
        ready = self.rest() if self._held and self._held[0].sent_ms != message.sent_ms else []
        self._held.append(message)
        return ready

    def rest(self) -> list[FeedMessage]:
        """The messages that are still held back."""
        held, self._held = self._held, []
        return sorted(held, key=lambda message: FIRST.get(message.topic, REST))


def in_snapshot_order(messages: Iterable[FeedMessage]) -> Iterator[FeedMessage]:
    """The same messages, with each answer to subscribing sorted."""
    order = SnapshotOrder()
    for message in messages:
        yield from order.take(message)
    yield from order.rest()


def session_key(message: FeedMessage) -> str | None:
    """The key in a ``SessionInfo``; None for other messages and without a key."""
    if message.topic != "SessionInfo" or not isinstance(message.data, dict):
        return None
    key = message.data.get("Key")
    return str(key) if isinstance(key, int | str) and key != "" else None
