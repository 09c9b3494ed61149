"""Records that are ignored because of their run: each is counted, the first of a run is logged."""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import Literal

from f1stream.logs import key_fields
from f1stream.metrics import IGNORED_RECORDS

log = logging.getLogger("f1stream")

Reason = Literal["older run", "damaged run", "refused run"]
REMEMBERED = 1_000
"""Runs whose logging is remembered. With more, the oldest is forgotten, and logged again if it returns."""


class IgnoredRecords:
    """Counts ignored records of one consumer."""

    def __init__(self, consumer: str) -> None:
        self._consumer = consumer
        self._logged: OrderedDict[tuple[bytes, int, Reason], None] = OrderedDict()

    def add(self, key: bytes, run_id: int, reason: Reason, why: str) -> bool:
        """Count one record; ``why`` ends the log's sentence. True for the first record of its run."""
        IGNORED_RECORDS.labels(self._consumer, reason).inc()
        if (key, run_id, reason) in self._logged:
            return False
        self._logged[key, run_id, reason] = None
        if len(self._logged) > REMEMBERED:
            self._logged.popitem(last=False)
        log.warning("Records of run %d are ignored: %s.", run_id, why, extra=key_fields(key))
        return True
