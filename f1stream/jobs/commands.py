"""What ``f1stream jobs`` prints."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import snowflake.connector
from rich.console import Console
from rich.table import Table

from f1stream.embedded.running import embedded_warehouse
from f1stream.jobs.runs import Ended, JobRuns
from f1stream.jobs.work import JOBS, Job, run_job
from f1stream.settings import Settings
from f1stream.warehouse.connection import Warehouse, error_text
from f1stream.warehouse.ensure_tables import ensure_tables
from f1stream.warehouse.errors import WarehouseError

SHOWN_RUNS = 20


def show(settings: Settings) -> None:
    """Print the jobs, when each is due, and the latest runs."""
    from f1stream.jobs.scheduler import on_file  # noqa: PLC0415 - slow to import, and a run needs none
    from f1stream.jobs.sessions import LIVE, REPUBLISH  # noqa: PLC0415
    from f1stream.jobs.times import REPUBLISH_AFTER  # noqa: PLC0415

    console = Console()
    due, failing = on_file(settings)
    table = Table("job", "runs", "next (UTC)", "to be tried again because")
    for job in JOBS.values():
        table.add_row(job.name, job.when, _utc(due.get(job.name)), failing.get(job.name, ""))
    when = f"{REPUBLISH_AFTER.seconds // 3600} hours after each session starts: the complete session"
    table.add_row(REPUBLISH, when, _utc(due.get(REPUBLISH)), failing.get(REPUBLISH, ""))
    table.add_row(LIVE, "the live timing, from 15 minutes before each session to its end", _utc(due.get(LIVE)), "")
    console.print(table)
    if not due:
        console.print("No scheduler has run here yet: `f1stream schedule` starts it.")
    runs = _latest_runs(settings)
    table = Table("job", "attempt", "began (UTC)", "took", "outcome", "rows", "error")
    for run in runs:
        ended = run["ended_at"]
        took = "" if ended is None else str(ended - run["started_at"]).partition(".")[0]
        rows = "" if run["row_count"] is None else f"{run['row_count']:,}"
        outcome = run["outcome"] or "has not ended"
        table.add_row(
            run["job"], str(run["attempt"]), _utc(run["started_at"]), took, outcome, rows, run["error"] or ""
        )
    console.print(table if runs else "No run is on record.")


def run_now(settings: Settings, job: Job) -> bool:
    """Run a job in this process and print its result. Returns whether it is complete."""
    console = Console()
    with console.status(f"Job {job.name}"):
        result = run_job(job, settings)
    for sentence in result.sentences + result.errors:
        console.print(sentence, highlight=False)
    console.print(f"{job.name}: {result.ended}.", highlight=False)
    return result.ended is Ended.COMPLETE


def _latest_runs(settings: Settings) -> list[dict[str, Any]]:
    with embedded_warehouse(settings):
        warehouse = Warehouse(settings)
        try:
            ensure_tables(warehouse, settings.snowflake_database)
            return JobRuns(warehouse).latest(SHOWN_RUNS)
        except snowflake.connector.Error as error:
            raise WarehouseError(error_text(error)) from error
        finally:
            warehouse.close()


def _utc(at: object) -> str:
    if not isinstance(at, datetime):
        return ""
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y-%m-%d %H:%M")
