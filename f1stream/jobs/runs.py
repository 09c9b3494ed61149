"""``OPS.JOB_RUNS``: every run of a job, with its start, end, outcome and error."""

from __future__ import annotations

import socket
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from f1stream.warehouse.connection import Warehouse

LONGEST = timedelta(hours=12)
"""A run from another host that has not ended after this time is recorded as interrupted."""


class Ended(StrEnum):
    """How a run ended."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    """Done as far as possible: something that is due is not published yet, or could not be used."""
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """Its process died during the run."""


@dataclass(frozen=True, slots=True)
class JobRuns:
    """The table. Every statement is one transaction."""

    warehouse: Warehouse

    def begin(self, job: str, attempt: int) -> str:
        """Record that a run begins; returns its id. Call it with the lock held.

        The lock excludes other runs of this host: an unfinished run of this host was interrupted. Each container is
        a new host, and a run by hand may be active on another one: theirs count as interrupted when they are old.
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
        """Record how a run ended. ``rows`` is the number of new, changed and removed rows."""
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
