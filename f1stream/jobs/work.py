"""What each job does: the season's facts from Jolpica, then the marts, then a word to their readers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

import snowflake.connector

from f1stream.embedded.running import embedded_warehouse
from f1stream.jobs import calendar
from f1stream.jobs.calendar import PlannedSession
from f1stream.jobs.lock import one_at_a_time
from f1stream.jobs.runs import Ended, JobRuns
from f1stream.jolpica import plan
from f1stream.jolpica.client import Unreachable, open_jolpica
from f1stream.jolpica.landing import Landing
from f1stream.jolpica.sync import Sync, SyncReport, landed_events
from f1stream.kafka import BrokerError
from f1stream.marts.build import BuildFailed, build
from f1stream.marts.project import schema_of_marts
from f1stream.marts.publish import publish, read
from f1stream.settings import Settings
from f1stream.warehouse.connection import Warehouse, error_text
from f1stream.warehouse.errors import WarehouseError
from f1stream.warehouse.schema import MISSING, create

HOUR = timedelta(hours=1)
WAITS_FOR_OTHERS_S = 3600.0
"""For a run by hand, or a backfill."""


@dataclass(frozen=True, slots=True)
class Job:
    """A kind of run."""

    name: str
    when: str
    """For the user."""
    asks: Literal["nothing", "calendar", "changes", "whole season"]
    """What of the Jolpica API; each covers the ones before it."""
    builds: Literal["never", "always", "if something came"]
    """Whether the marts."""

    def covers(self, other: Job) -> bool:
        """Whether a run of this does what one of ``other`` would."""
        return ASKED.index(self.asks) >= ASKED.index(other.asks)


ASKED = ("nothing", "calendar", "changes", "whole season")
JOBS = {
    job.name: job
    for job in (
        Job("season", "every second day at midnight UTC", "changes", "always"),
        Job("weekly", "Mondays at 04:00 UTC: results are revised months later", "whole season", "always"),
        Job(
            "session", f"{plan.PUBLISHED_AFTER.seconds // 3600} hours after each session starts", "changes", "always"
        ),
        Job("calendar", "hourly on days with a session, which may move; else daily", "calendar", "never"),
        Job("first", "at the first start", "changes", "if something came"),
        Job("build", "when asked for", "nothing", "always"),
    )
}


@dataclass
class JobResult:
    """What became of a run."""

    ended: Ended = Ended.COMPLETE
    rows: int = 0
    sentences: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    build_pending: bool = False
    """Whether the marts should have been built and are not."""
    sessions: list[PlannedSession] | None = None
    """The running season's; None when no calendar was asked for, or none is known."""

    @property
    def error(self) -> str | None:
        """Everything that was not as it should be, for the record."""
        return " ".join(self.errors) or None

    def failed(self, error: object) -> None:
        """Note a part that failed."""
        self.ended = Ended.FAILED
        self.errors.append(str(error))


def run_job(job: Job, settings: Settings, attempt: int = 1, *, build_pending: bool = True) -> JobResult:
    """Run a job, on record. What one part could not do does not keep the others from their work.

    A later attempt builds the marts where an earlier one could not (``build_pending``), or when something came.
    Raises Busy when others are at it for too long, WarehouseError and WarehouseFailed without a warehouse.
    """
    with one_at_a_time(settings, WAITS_FOR_OTHERS_S), embedded_warehouse(settings):
        warehouse = Warehouse(settings)
        try:
            runs = JobRuns(warehouse)
            run_id = _begin(runs, job, settings, attempt)
            done = JobResult()
            build_pending = build_pending if attempt > 1 else job.builds == "always"
            try:
                _parts(job, settings, warehouse, done, build_pending=build_pending)
            except Exception as error:  # ours, or the warehouse's: it is no run whose process died
                runs.end(run_id, Ended.FAILED, done.rows, f"{type(error).__name__}: {error}")
                raise
            runs.end(run_id, done.ended, done.rows, done.error)
        except snowflake.connector.Error as error:
            raise WarehouseError(error_text(error)) from error
        finally:
            warehouse.close()
    return done


def _begin(runs: JobRuns, job: Job, settings: Settings, attempt: int) -> str:
    try:
        return runs.begin(job.name, attempt)
    except snowflake.connector.ProgrammingError as error:
        if error.errno != MISSING:
            raise
        list(create(runs.warehouse, settings.snowflake_database))  # the first run here: nothing is there yet
        return runs.begin(job.name, attempt)


def _parts(job: Job, settings: Settings, warehouse: Warehouse, done: JobResult, *, build_pending: bool) -> None:
    if job.asks != "nothing":
        try:
            asyncio.run(_ask(job, settings, warehouse, done))
        except (Unreachable, WarehouseError) as error:
            done.failed(error)
        done.sessions = _sessions(settings, warehouse)
    if job.builds == "never" or not (done.rows or build_pending):
        return
    done.build_pending = True
    try:
        built = build(settings)
        done.rows += built.rows
        done.sentences.append(built.summary())
        told = read(warehouse, schema_of_marts(settings))
        reached = asyncio.run(publish(settings, told))
    except (BuildFailed, BrokerError) as error:
        done.failed(error)
    except snowflake.connector.Error as error:
        done.failed(error_text(error))
    else:
        done.build_pending = False
        done.sentences.append(
            f"{len(told)} results and seasons told to the page." if reached else "No broker, so no page was told."
        )


async def _ask(job: Job, settings: Settings, warehouse: Warehouse, done: JobResult) -> None:
    async with open_jolpica(settings) as api:
        work = Sync(api, Landing(warehouse))
        if job.asks == "calendar":
            outcome = await work.calendar()
        else:
            outcome = await work.sync(whole_season=job.asks == "whole season")
    _note(outcome, done)


def _sessions(settings: Settings, warehouse: Warehouse) -> list[PlannedSession] | None:
    """Also when the API did not answer: of the calendar as it was, and of the feed's index."""
    seasons = plan.seasons_to_follow(datetime.now(UTC).date())
    landing = Landing(warehouse)
    events = [event for season in seasons for event in landed_events(landing, season)]
    return calendar.season(settings, events, seasons) or None


def _note(outcome: SyncReport, done: JobResult) -> None:
    landed = outcome.landed
    done.rows += landed.new + landed.changed + landed.gone
    told = outcome.sentences()
    done.sentences.append(told[0])
    if outcome.unanswered or outcome.not_asked:
        done.ended = Ended.FAILED
    elif not outcome.complete:
        done.ended = Ended.INCOMPLETE
    done.errors += told[1:]
