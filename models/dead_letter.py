"""Topic ``dead-letters``: records that could not be used. Nothing is dropped silently."""

from __future__ import annotations

from models.base import Record

BODY_LIMIT = 64 * 1024


class DeadLetter(Record):
    """One refused record. Its identity is (consumer, topic, partition, offset, timestamp_ms).

    The timestamp, because a topic that was deleted and created anew has the same offsets again.
    """

    consumer: str
    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    """The refused record's, Unix ms."""
    key: str | None
    reason: str
    body_base64: str | None
    """The first 64 kB of the value; null for a record without one."""
    length: int
    sha256: str
