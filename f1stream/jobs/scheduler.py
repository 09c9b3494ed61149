"""APScheduler, kept in a file: jobs survive a restart, never run two at once, and are tried until they succeed."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.job import Job as Due
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import STATE_RUNNING
from apscheduler.triggers.cron import CronTrigger
from sqlalchemy import URL

from f1stream.embedded.warehouse import WarehouseFailed
from f1stream.jobs import times
from f1stream.jobs.calendar import PlannedSession
from f1stream.jobs.lock import Busy
from f1stream.jobs.runs import Ended
from f1stream.jobs.sessions import INTERRUPTED, LIVE, REPUBLISH, SessionJobs
from f1stream.jobs.times import FAR_FUTURE, AtSessions, OnRaceDays
from f1stream.jobs.work import JOBS, JobResult, run_job
from f1stream.settings import Settings
from f1stream.warehouse.errors import WarehouseError

log = logging.getLogger(__name__)
logging.getLogger("apscheduler").setLevel(logging.ERROR)

CRON = {"season": "0 0 */2 * *", "weekly": "0 4 * * mon"}
RETRY = "again"
"""The next attempt at what was not complete. There is one: a run does what a lesser one left undone."""
MAX_WAIT_S = 30.0
"""So often the wall clock is looked at: a job that came due while the machine slept runs within this time."""
GUARD = "guard:"
"""Before the name of a job that is due, queued or running: what is found at a start was interrupted."""


@dataclass(slots=True)
class LastRun:
    """The last run of a job in this process."""

    ended: Ended
    at: datetime
    seconds: float


class JobScheduler:
    """The one of this process. Jobs run one after the other, in a thread of their own."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        settings.folder()
        self.last: dict[str, LastRun] = {}
        self.counts: dict[tuple[str, str], int] = {}
        """Runs by job and how they ended."""
        self._scheduler = _Scheduler(
            jobstores={"default": SQLAlchemyJobStore(url=URL.create("sqlite", database=str(file_of(settings))))},
            executors={"default": _Guarded(self), LIVE: ThreadPoolExecutor(1), REPUBLISH: ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
            timezone=UTC,
        )
        self.sessions = SessionJobs(settings, self._scheduler, self._note)

    def start(self) -> None:
        """Begin: what came due meanwhile is run once, what had failed or was interrupted is tried again."""
        global _here  # noqa: PLW0603 - jobs on file are a function's name and arguments; it finds us there
        _here = self
        self._scheduler.start(paused=True)
        now = datetime.now(UTC)
        for name, cron in CRON.items():
            if self._scheduler.get_job(name) is None:
                self._put(name, CronTrigger.from_crontab(cron, UTC))
        for due in self._scheduler.get_jobs():
            if due.id.startswith(GUARD):
                name, attempt, *_ = due.args
                self._schedule_retry(name, attempt + 1, INTERRUPTED, build_pending=True, at=now)
                due.remove()
            elif due.id == RETRY:
                due.modify(next_run_time=now)
        if self._scheduler.get_job("session") is None:
            self._follow([], since=now)
            self._put("first", "date", run_date=now)
        self.sessions.start()
        self._scheduler.resume()

    def stop(self) -> None:
        """Start nothing more; a run that is on is not waited for, and what is done of a session is ended."""
        self.sessions.stop()
        self._scheduler.shutdown(wait=False)

    @property
    def alive(self) -> bool:
        """Whether jobs are still started when they are due."""
        thread = self._scheduler._thread
        return bool(self._scheduler.running and thread is not None and thread.is_alive())

    def next_runs(self) -> dict[str, datetime]:
        """When each job runs next (UTC), retries included."""
        found: dict[str, datetime] = {}
        for due in self._scheduler.get_jobs():
            if due.next_run_time < datetime.now(UTC) + FAR_FUTURE / 2:
                name = due.args[0]
                found[name] = min(found.get(name, due.next_run_time), due.next_run_time)
        return found

    def running(self) -> list[str]:
        """Jobs that run, or wait for the one that does."""
        runs = [due.args[0] for due in self._scheduler.get_jobs() if due.id.startswith(GUARD)]
        return [*runs, *([LIVE] if self.sessions.live.on else [])]

    def failing(self) -> dict[str, str]:
        """Jobs whose last run was not complete, and why; from the file, so that a restart does not hide them."""
        failing = {
            due.args[0]: due.args[2]
            for due in self._scheduler.get_jobs()
            if due.id == RETRY or (due.id.startswith(GUARD) and due.args[1] > 1)
        }
        return failing | self.sessions.failing()

    def guard(self, due: Due) -> None:
        """Note on file that a run begins, before APScheduler takes it off."""
        self._put(GUARD + due.args[0], "date", due.args, run_date=datetime.now(UTC) + FAR_FUTURE)

    def run(self, name: str, attempt: int, *, build_pending: bool) -> None:
        """One run of a job, and what follows from it for the times of the next ones."""
        began = time.monotonic()
        try:
            done = run_job(JOBS[name], self.settings, attempt, build_pending=build_pending)
        except (WarehouseError, WarehouseFailed, Busy) as error:
            done = JobResult(Ended.FAILED, errors=[str(error)], build_pending=build_pending)
        except Exception as error:  # whatever it is, it must be seen and tried again
            log.exception("job %s failed", name)
            done = JobResult(Ended.FAILED, errors=[f"{type(error).__name__}: {error}"], build_pending=build_pending)
        last = self._note(name, done.ended, began)
        if done.sessions is not None:
            self._follow(done.sessions)
        if done.ended is not Ended.COMPLETE:
            at = last.at + times.pause(attempt, failed=done.ended is Ended.FAILED)
            self._schedule_retry(
                name, attempt + 1, done.error or str(done.ended), build_pending=done.build_pending, at=at
            )
        elif self._replaces_retry(name):
            self._forget(RETRY)
        self._forget(GUARD + name)
        level = logging.INFO if done.ended is Ended.COMPLETE else logging.WARNING
        said = " ".join(done.sentences + done.errors)
        log.log(level, "%s, attempt %d: %s in %.0f s. %s", name, attempt, done.ended, last.seconds, said)

    def _note(self, name: str, ended: Ended, began: float) -> LastRun:
        last = self.last[name] = LastRun(ended, datetime.now(UTC), time.monotonic() - began)
        self.counts[name, str(ended)] = self.counts.get((name, str(ended)), 0) + 1
        return last

    def _follow(self, planned: list[PlannedSession], since: datetime | None = None) -> None:
        """Place what depends on the calendar. What was attended to before stays so."""
        starts = [each.starts[-1] for each in planned]
        known = self._scheduler.get_job("session")
        attended = since or (known.trigger.since if known else datetime.now(UTC))
        self._put("session", AtSessions(starts, attended))
        self._put("calendar", OnRaceDays([start for each in planned for start in each.starts]))
        self.sessions.place(planned)

    def _schedule_retry(self, name: str, attempt: int, error: str, *, build_pending: bool, at: datetime) -> None:
        if self._replaces_retry(name):
            self._put(RETRY, "date", [name, attempt, error, build_pending], run_date=at)

    def _replaces_retry(self, name: str) -> bool:
        pending = self._scheduler.get_job(RETRY)
        return pending is None or JOBS[name].covers(JOBS[pending.args[0]])

    def _put(self, id_: str, trigger: Any, arguments: Sequence[Any] = (), **when: Any) -> None:
        arguments = arguments or [id_, 1, "", True]
        self._scheduler.add_job(_run, trigger, arguments, id=id_, replace_existing=True, **when)

    def _forget(self, id_: str) -> None:
        due = self._scheduler.get_job(id_)
        if due is not None:
            due.remove()


class _Scheduler(BackgroundScheduler):  # type: ignore[misc]
    """APScheduler's own looks for due jobs once more while it stops, and takes them off the file without a run.

    It also waits until the next job is due by a clock that stands still while the machine sleeps.
    """

    def _process_jobs(self) -> float | None:
        if self.state != STATE_RUNNING:
            return None
        wait: float | None = super()._process_jobs()
        return MAX_WAIT_S if wait is None else min(wait, MAX_WAIT_S)


class _Guarded(ThreadPoolExecutor):  # type: ignore[misc]
    """One thread. What it is given is noted first: APScheduler counts a job as done when it is handed over."""

    def __init__(self, scheduler: JobScheduler) -> None:
        super().__init__(1)
        self._jobs = scheduler

    def _do_submit_job(self, job: Due, run_times: list[datetime]) -> None:
        self._jobs.guard(job)
        super()._do_submit_job(job, run_times)


_here: JobScheduler | None = None


def _run(name: str, attempt: int, _error: str, build_pending: bool) -> None:
    if _here is not None:
        _here.run(name, attempt, build_pending=build_pending)


def file_of(settings: Settings) -> Path:
    """Where it is kept when jobs are due."""
    return settings.schedule_file or settings.home / "schedule.sqlite"


def on_file(settings: Settings) -> tuple[dict[str, datetime], dict[str, str]]:
    """When each job runs next (UTC), and which have to be tried again and why; whether or not a scheduler runs."""
    if not file_of(settings).is_file():
        return {}, {}
    scheduler = JobScheduler(settings)
    scheduler._scheduler.start(paused=True)
    try:
        return scheduler.next_runs(), scheduler.failing()
    finally:
        scheduler.stop()
