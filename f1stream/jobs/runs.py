"""``OPS.JOB_RUNS``: every run of a job, when it began and ended, and what became of it."""

from __future__ import annotations

import socket
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from f1stream.warehouse.connection import Warehouse

LONGEST = timedelta(hours=12)
"""No run is on for so long."""


class Ended(StrEnum):
    """How a run ended."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    """All was done that could be; something that is due was not there yet, or could not be used."""
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """Its process died in it."""


@dataclass(frozen=True, slots=True)
class JobRuns:
    """The table. Every statement is one transaction."""

    warehouse: Warehouse

    def begin(self, job: str, attempt: int) -> str:
        """Note that a run begins; returns its id. Call it with the lock held: no other run of this host can be on.

        A container's host is a new one each time, and on another one a run by hand may be on: what began elsewhere
        is taken for interrupted when it is old.
        """
        host, now, run_id = socket.gethostname(), _text(datetime.now(UTC)), uuid.uuid4().hex
        self.warehouse.execute(
            "update OPS.JOB_RUNS set ended_at = cast(? as timestamp_ntz), outcome = ?"
            " where ended_at is null and (host = ? or started_at < cast(? as timestamp_ntz))",
            [now, str(Ended.INTERRUPTED), host, _text(datetime.now(UTC) - LONGEST)],
        )
        self.warehouse.execute(
            "insert into OPS.JOB_RUNS (run_id, job, attempt, started_at, host)"
            " select ?, ?, cast(? as int), cast(? as timestamp_ntz), ?",
            [run_id, job, attempt, now, host],
        )
        return run_id

    def end(self, run_id: str, ended: Ended, rows: int, error: str | None) -> None:
        """Note how it ended. ``rows`` is how many came or changed."""
        self.warehouse.execute(
            "update OPS.JOB_RUNS set ended_at = cast(? as timestamp_ntz), outcome = ?, row_count = cast(? as int),"
            " error = ? where run_id = ?",
            [_text(datetime.now(UTC)), str(ended), rows, error, run_id],
        )

    def latest(self, limit: int) -> list[dict[str, Any]]:
        """The newest runs, newest first."""
        return self.warehouse.rows(
            "select job, attempt, started_at, ended_at, outcome, row_count, error from OPS.JOB_RUNS"  # noqa: S608
            f" order by started_at desc limit {int(limit)}"
        )


def _text(at: datetime) -> str:
    return at.replace(tzinfo=None).isoformat(" ", "milliseconds")
