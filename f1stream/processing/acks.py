"""Which records were received, which of them are done, and which may be acknowledged."""

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
    """Everything that comes of it is delivered and stored: it need not be read again."""


@dataclass(slots=True)
class AckTracker:
    """Acknowledges, for each partition, the contiguous prefix of done events.

    An offset acknowledges everything before it, so an event that is not done holds back those after it. Faust
    commits past an unacknowledged event in some cases (its issue 606): it is never given a gap.
    """

    received: dict[Partition, int] = field(default_factory=dict)
    """By partition, the offset after the last record received. Survives ``reset``: it is for health checks."""
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
        """Acknowledge what may be."""
        for pending in self._pending.values():
            while pending and pending[0].done:
                await acknowledge(pending.popleft().event)

    def reset(self) -> None:
        """After a rebalance: what was not acknowledged is delivered again, here or to another worker."""
        self._pending.clear()

    def __len__(self) -> int:
        """How many events are pending."""
        return sum(len(pending) for pending in self._pending.values())
