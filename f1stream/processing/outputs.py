"""What a stage publishes, and waiting until the broker has it."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Output:
    """One record to publish."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()
    partition: int | None = None
    """None: the key decides."""
    timestamp_s: float | None = None
    """Unix seconds; None: now."""


class Outputs(Protocol):
    """A producer."""

    async def send(self, output: Output) -> Awaitable[Any]:
        """Hand a record over; what is returned can be awaited, and ends when the broker has the record."""


async def deliver(outputs: Outputs, records: Iterable[Output]) -> None:
    """Publish records, in their order; returns when the broker has all of them."""
    deliveries = [await outputs.send(record) for record in records]
    for delivery in deliveries:
        await delivery
