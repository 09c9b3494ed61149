"""Unusable records as records of topic ``dead-letters``."""

from __future__ import annotations

import base64
import hashlib
import logging

from f1stream import topics
from f1stream.logs import key_fields
from f1stream.metrics import DEAD_LETTERS
from f1stream.processing.outputs import Output
from f1stream.processing.records import KafkaRecord
from models import DeadLetter
from models.bounds import MOST_INT64, MOST_KEY_BYTES, MOST_TEXT
from models.dead_letter import BODY_LIMIT

log = logging.getLogger("f1stream")

MOST_HEADERS = 20
"""Most headers of the refused record that its dead letter copies; our records have seven."""
MOST_HEADER_BYTES = 200
"""Most bytes of a copied header's name, and of its value. Longer ones are truncated."""
LEFT_OUT = "f1stream-left-out"
"""Header of a dead letter: the number of headers that were not copied, and their SHA-256."""


def reject(consumer: str, record: KafkaRecord, reason: str) -> Output:
    """Count and log a record that ``consumer`` cannot use; returns its dead letter."""
    DEAD_LETTERS.labels(consumer, record.topic).inc()
    log.warning("%s[%d] at %d cannot be used: %s.", record.topic, record.partition, record.offset, _text(reason),
                extra=key_fields(_cut(record.key, MOST_KEY_BYTES)))  # fmt: skip
    return dead_letter(consumer, record, reason)


def dead_letter(consumer: str, record: KafkaRecord, reason: str) -> Output:
    """The dead letter of a record that ``consumer`` cannot use, with the record's own key and headers.

    It is published to the partition with the record's partition number, so that duplicates are in one partition.
    It has less than 200 kB whatever the record was: the value is truncated to 64 kB, a long key or header to its
    beginning, its length and its SHA-256, and the headers to the first ``MOST_HEADERS``.
    """
    body = record.value
    key = _cut(record.key, MOST_KEY_BYTES)
    letter = DeadLetter(
        consumer=consumer,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=min(max(round(record.timestamp * 1000), -MOST_INT64), MOST_INT64),
        key=None if key is None else key.decode(errors="replace"),
        reason=_text(reason),
        body_base64=None if body is None else base64.b64encode(body[:BODY_LIMIT]).decode(),
        length=len(body or b""),
        sha256=hashlib.sha256(body or b"").hexdigest(),
    )
    return Output(topics.DEAD_LETTERS, key, topics.encode(letter), _headers(record), record.partition)


def _text(reason: str) -> str:
    """The reason, truncated: it can quote the record."""
    return reason if len(reason) <= MOST_TEXT else f"{reason[: MOST_TEXT - 1]}…"


def _headers(record: KafkaRecord) -> list[tuple[str, bytes]]:
    headers = list(record.headers or ())
    copied = [(name[:MOST_HEADER_BYTES], _cut(value, MOST_HEADER_BYTES)) for name, value in headers[:MOST_HEADERS]]
    if len(headers) > MOST_HEADERS:
        digest = hashlib.sha256()
        for name, value in headers:
            digest.update(b"%d %d " % (len(name), len(value or b"")) + name.encode() + (value or b""))
        copied.append((LEFT_OUT, b"%d, sha256=%s" % (len(headers) - MOST_HEADERS, digest.hexdigest().encode())))
    return copied  # type: ignore[return-value]  # a null stays null


def _cut(value: bytes | None, most: int) -> bytes | None:
    """``value``, or ``most`` bytes with its beginning, its length and its SHA-256."""
    if value is None or len(value) <= most:
        return value
    end = b"... (%d bytes, sha256=%s)" % (len(value), hashlib.sha256(value).hexdigest().encode())
    return value[: most - len(end)] + end
