"""Reports a run that cannot be continued, with the record at which it failed."""

from __future__ import annotations

import logging

from f1stream.logs import key_fields
from f1stream.processing.batch import Batch
from f1stream.processing.records import KafkaEvent
from f1stream.topics import BadRecord, RunDamaged, SequenceGap

log = logging.getLogger("f1stream")

MAX_REASON = 500
"""Most characters of a reason; longer ones are truncated."""


def report_damage(batch: Batch, event: KafkaEvent | None, key: bytes, run_id: int, error: Exception) -> str:
    """Log that a run is damaged and reject the record; returns the reason, which ends a sentence."""
    expected = isinstance(error, SequenceGap | RunDamaged)
    reason = (str(error) if expected else f"{type(error).__name__}: {error}")[:MAX_REASON]
    log.error(
        "Run %d is damaged: %s. The rest of it is ignored; publish the session again.", run_id, reason,
        extra=key_fields(key), exc_info=None if expected else error,
    )  # fmt: skip
    if event is not None:
        batch.reject(event, BadRecord(f"run {run_id} is damaged: {reason}"))
    return reason
