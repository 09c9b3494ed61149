"""Tracks received events and acknowledges those that are fully processed."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from f1stream.processing.records import KafkaEvent

Partition = tuple[str, int]
Acknowledge = Callable[[Any], Awaitable[Any]]
"""Acknowledges one event."""


@dataclass(slots=True)
class PendingAck:
    """An event that was received and is not acknowledged yet."""

    event: KafkaEvent
    done: bool = False
    """Its outputs are delivered and its effects stored: it need not be read again."""


@dataclass(slots=True)
class AckTracker:
    """Acknowledges, for each partition, the contiguous prefix of done events.

    An offset acknowledges everything before it, so an event that is not done holds back those after it. Faust can
    commit past an unacknowledged event (its issue 606), so it is never given a gap.
    """

    received: dict[Partition, int] = field(default_factory=dict)
    """By partition, the offset after the last record received. For health checks; ``reset`` does not clear it."""
    _pending: dict[Partition, deque[PendingAck]] = field(default_factory=dict)

    def take(self, event: KafkaEvent) -> PendingAck:
        """Track an event; the caller sets ``done`` on what is returned."""
        pending = PendingAck(event)
        record = event.message
        partition = record.topic, record.partition
        self.received[partition] = record.offset + 1
        self._pending.setdefault(partition, deque()).append(pending)
        return pending

    async def acknowledge(self, acknowledge: Acknowledge) -> None:
        """Acknowledge the done events at the front of each partition."""
        for pending in list(self._pending.values()):  # events of another partition can arrive meanwhile
            while pending and pending[0].done:
                await acknowledge(pending.popleft().event)

    def reset(self) -> None:
        """Forget pending events after a rebalance: Kafka redelivers them, here or to another worker."""
        self._pending.clear()

    def __len__(self) -> int:
        """The number of pending events."""
        return sum(len(pending) for pending in self._pending.values())
