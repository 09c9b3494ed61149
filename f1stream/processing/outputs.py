"""Publishes a stage's records and waits until the broker has stored them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from f1stream import topics
from f1stream.logs import key_fields
from f1stream.metrics import LOST_DEAD_LETTERS

log = logging.getLogger("f1stream")


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


class RecordRefused(Exception):
    """The record is too large to be published; retrying does not help."""


class Outputs(Protocol):
    """A producer. Sending and awaiting both raise RecordRefused for a record that is too large."""

    async def send(self, output: Output) -> Awaitable[Any]:
        """Enqueue a record; the result can be awaited until the broker has stored the record."""


async def deliver(outputs: Outputs, records: Iterable[Output]) -> None:
    """Publish records in order; returns when the broker has stored all of them.

    A refused dead letter is logged and counted. Raises RecordRefused for any other record.
    """
    deliveries = []
    for record in records:
        with _refused_dead_letters_are_logged(record):
            deliveries.append((record, await outputs.send(record)))
    for record, delivery in deliveries:
        with _refused_dead_letters_are_logged(record):
            await delivery


@contextmanager
def _refused_dead_letters_are_logged(record: Output) -> Iterator[None]:
    try:
        yield
    except RecordRefused:
        if record.topic != topics.DEAD_LETTERS:
            raise
        LOST_DEAD_LETTERS.inc()
        log.exception("A dead letter cannot be published.", extra=key_fields(record.key))
