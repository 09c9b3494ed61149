"""Topic ``dead-letters``: records that could not be used. Nothing is dropped silently."""

from __future__ import annotations

from models.base import Record

BODY_LIMIT = 64 * 1024


class DeadLetter(Record):
    """One refused record; its identity is (consumer, topic, partition, offset)."""

    consumer: str
    topic: str
    partition: int
    offset: int
    key: str | None
    reason: str
    body_base64: str | None
    """The first 64 kB of the value; null for a record without one."""
    length: int
    sha256: str
