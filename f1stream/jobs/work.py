"""What each job does: load the season's facts from Jolpica, build the marts, publish them to the page."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import snowflake.connector

from f1stream.embedded.running import embedded_warehouse
from f1stream.jobs.runs import Ended, JobRuns
from f1stream.jolpica import PUBLISHED_AFTER
from f1stream.kafka import BrokerError
from f1stream.lock import one_at_a_time
from f1stream.marts.build import BuildFailed, build
from f1stream.marts.project import schema_of_marts
from f1stream.marts.publish import publish, read
from f1stream.settings import Settings
from f1stream.warehouse.connection import Warehouse, error_text
from f1stream.warehouse.ensure_tables import ensure_tables
from f1stream.warehouse.errors import WarehouseError
from f1stream.warehouse.stage_files import remove_old_files

if TYPE_CHECKING:
    from f1stream.jobs.calendar import PlannedSession
    from f1stream.jolpica.sync import SyncReport

log = logging.getLogger(__name__)

LOCK_TIMEOUT_S = 3600.0
"""Seconds that a run waits for another one to end, such as a run by hand or a backfill; then it fails."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job: what it loads and whether it builds the marts."""

    name: str
    when: str
    """When it runs, for the table of ``f1stream jobs``."""
    loads: Literal["nothing", "calendar", "changes", "whole season"]
    """What it loads from the Jolpica API; each value includes those before it."""
    builds: Literal["never", "always", "if rows changed"]
    """Whether it builds the marts."""
    clears_stage: bool = False
    """Whether it removes files of loads that did not end."""

    def covers(self, other: Job) -> bool:
        """Whether a run of this job includes what a run of ``other`` does."""
        return LOADS.index(self.loads) >= LOADS.index(other.loads)


LOADS = ("nothing", "calendar", "changes", "whole season")
JOBS = {
    job.name: job
    for job in (
        Job("season", "on odd days of the month at midnight UTC", "changes", "always"),
        Job("weekly", "Mondays at 04:00 UTC: results are revised months later", "whole season", "always", True),
        Job("session", f"{PUBLISHED_AFTER.seconds // 3600} hours after each session starts", "changes", "always"),
        Job(
            "calendar",
            "hourly on days with a session, which may move; else on the next such day",
            "calendar",
            "never",
        ),
        Job("first", "at the first start", "changes", "if rows changed"),
        Job("build", "on request", "nothing", "always"),
    )
}


@dataclass
class JobResult:
    """The result of a run."""

    ended: Ended = Ended.COMPLETE
    rows: int = 0
    sentences: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    build_pending: bool = False
    """Whether the marts had to be built and were not."""
    sessions: list[PlannedSession] | None = None
    """Those of the current season; None if the job loads no calendar, or none is known."""

    @property
    def error(self) -> str | None:
        """All errors as one text, for the run's record."""
        return " ".join(self.errors) or None

    def failed(self, error: object) -> None:
        """Add the error of a failed part."""
        self.ended = Ended.FAILED
        self.errors.append(str(error))


def run_job(job: Job, settings: Settings, attempt: int = 1, *, build_pending: bool = True) -> JobResult:
    """Run a job and record the run. A failed part does not keep the others from running.

    A later attempt builds the marts if an earlier one could not (``build_pending``), or if rows changed.
    Raises Busy if other runs hold the lock for too long, WarehouseError and WarehouseFailed without a warehouse.
    """
    with one_at_a_time(settings, LOCK_TIMEOUT_S), embedded_warehouse(settings):
        warehouse = Warehouse(settings)
        try:
            runs = JobRuns(warehouse)
            ensure_tables(warehouse, settings.snowflake_database)
            run_id = runs.begin(job.name, attempt)
            result = JobResult()
            build_pending = build_pending if attempt > 1 else job.builds == "always"
            try:
                _parts(job, settings, warehouse, result, build_pending=build_pending)
            except Exception as error:  # recorded as failed: an unfinished record means that the process died
                runs.end(run_id, Ended.FAILED, result.rows, f"{type(error).__name__}: {error}")
                raise
            if job.clears_stage:
                _clear_stage(warehouse, result)
            runs.end(run_id, result.ended, result.rows, result.error)
        except snowflake.connector.Error as error:
            raise WarehouseError(error_text(error)) from error
        finally:
            warehouse.close()
    return result


def _parts(job: Job, settings: Settings, warehouse: Warehouse, result: JobResult, *, build_pending: bool) -> None:
    if job.loads != "nothing":
        from f1stream.jobs.load import load, planned_sessions  # noqa: PLC0415 - slow, and job ``build`` loads nothing

        report, error = asyncio.run(load(job.loads, settings, warehouse))
        _add_report(report, result)
        if error is not None:
            result.failed(error)
        result.sessions = planned_sessions(settings, warehouse)
    if job.builds == "never" or not (result.rows or build_pending):
        return
    result.build_pending = True
    try:
        built = build(settings)
        result.rows += built.rows
        result.sentences.append(built.summary())
        facts = read(warehouse, schema_of_marts(settings))
        published = asyncio.run(publish(settings, facts))
    except (BuildFailed, BrokerError) as error:
        result.failed(error)
    except snowflake.connector.Error as error:
        result.failed(error_text(error))
    else:
        result.build_pending = False
        result.sentences.append(
            f"{len(facts)} results and seasons published to the page."
            if published
            else "No broker runs: nothing was published to the page."
        )


def _clear_stage(warehouse: Warehouse, result: JobResult) -> None:
    """Remove old files. A failure is no reason to repeat the job, which would load the whole season again."""
    try:
        removed = remove_old_files(warehouse)
    except Exception as error:  # also one about what LIST returns, which was tried on the emulator only
        log.warning("Old files could not be removed from the stage.", exc_info=True)
        why = error_text(error) if isinstance(error, snowflake.connector.Error) else repr(error)
        result.sentences.append(f"Old files could not be removed from the stage; the next run tries again: {why}")
    else:
        if removed:
            result.sentences.append(f"Files of loads that did not end, removed from the stage: {removed:,}.")


def _add_report(report: SyncReport, result: JobResult) -> None:
    landed = report.landed
    result.rows += landed.new + landed.changed + landed.gone
    summary, *errors = report.sentences()
    result.sentences.append(summary)
    if report.unanswered or report.not_asked:
        result.ended = Ended.FAILED
    elif not report.complete:
        result.ended = Ended.INCOMPLETE
    result.errors += errors
