"""Topic ``dead-letters``: records that could not be used, with the reason."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from models.base import Record
from models.bounds import Count, Int64, Name, Seq, Sha256, Text, TopicName

BODY_LIMIT = 64 * 1024
"""Bytes of the refused value that are kept."""


class DeadLetter(Record):
    """One refused record, identified by (consumer, topic, partition, offset, timestamp_ms).

    The timestamp is included because a topic that was deleted and created again repeats its offsets.
    """

    consumer: Name
    topic: TopicName
    partition: Seq
    offset: Count
    timestamp_ms: Int64
    """The refused record's, Unix ms."""
    key: Text | None
    """The refused record's key; of a long one its beginning, length and SHA-256."""
    reason: Text
    body_base64: Annotated[str | None, Field(max_length=-(-BODY_LIMIT // 3) * 4)]
    """The first ``BODY_LIMIT`` bytes of the value; null for a record without a value."""
    length: Count
    """Bytes of the complete value; ``sha256`` is also of the complete value."""
    sha256: Sha256
