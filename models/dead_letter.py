"""Topic ``dead-letters``: records that could not be used. Nothing is dropped silently."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from models.base import Record
from models.bounds import Count, Int64, Name, Seq, Sha256, Text, TopicName

BODY_LIMIT = 64 * 1024


class DeadLetter(Record):
    """One refused record. Its identity is (consumer, topic, partition, offset, timestamp_ms).

    The timestamp, because a topic that was deleted and created anew has the same offsets again.
    """

    consumer: Name
    topic: TopicName
    partition: Seq
    offset: Count
    timestamp_ms: Int64
    """The refused record's, Unix ms."""
    key: Text | None
    """Of a long one the beginning, its length and its SHA-256."""
    reason: Text
    body_base64: Annotated[str | None, Field(max_length=-(-BODY_LIMIT // 3) * 4)]
    """The first 64 kB of the value; null for a record without one."""
    length: Count
    """Bytes of the whole value; the hash is the whole value's too."""
    sha256: Sha256
