"""Records that cannot be used, as records of topic ``dead-letters``."""

from __future__ import annotations

import base64
import hashlib
import logging

from f1stream import topics
from f1stream.logs import about
from f1stream.metrics import DEAD
from f1stream.processing.outputs import Output
from f1stream.processing.records import Record
from models import DeadLetter
from models.dead_letter import BODY_LIMIT

log = logging.getLogger("f1stream")


def reject(consumer: str, record: Record, reason: str) -> Output:
    """Count and log a record that ``consumer`` cannot use, and return its dead letter."""
    DEAD.labels(consumer, record.topic).inc()
    log.warning("%s[%d] at %d cannot be used: %s.", record.topic, record.partition, record.offset, reason,
                extra=about(record.key))  # fmt: skip
    return dead_letter(consumer, record, reason)


def dead_letter(consumer: str, record: Record, reason: str) -> Output:
    """The dead letter of a record that ``consumer`` cannot use, with the record's own key and headers.

    It goes to the partition of the record's own number, key or not: a copy that is sent again meets the first.
    """
    body = record.value
    letter = DeadLetter(
        consumer=consumer,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=round(record.timestamp * 1000),
        key=None if record.key is None else record.key.decode(errors="replace"),
        reason=reason,
        body_base64=None if body is None else base64.b64encode(body[:BODY_LIMIT]).decode(),
        length=len(body or b""),
        sha256=hashlib.sha256(body or b"").hexdigest(),
    )
    return Output(
        topics.DEAD_LETTERS, record.key, topics.encode(letter), list(record.headers or ()), record.partition
    )
