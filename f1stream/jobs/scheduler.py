"""When jobs run: APScheduler with its schedule in a file.

Jobs survive a restart, never run two at once, and are retried until they succeed. The file refers to this module's
``_run``, to ``sessions._follow`` and ``_publish``, and to the triggers in ``times`` by name: they keep their names.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.job import Job as StoredJob
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from sqlalchemy import URL

from f1stream.embedded.warehouse import WarehouseFailed
from f1stream.jobs import times
from f1stream.jobs.calendar import PlannedSession
from f1stream.jobs.runs import Ended
from f1stream.jobs.sessions import INTERRUPTED, LIVE, REPUBLISH, SessionJobs
from f1stream.jobs.times import FAR_FUTURE, AtSessions, OnRaceDays
from f1stream.jobs.work import JOBS, JobResult, run_job
from f1stream.lock import Busy
from f1stream.settings import Settings
from f1stream.warehouse.errors import WarehouseError

log = logging.getLogger(__name__)
logging.getLogger("apscheduler").setLevel(logging.ERROR)

CRON = {"season": "0 0 */2 * *", "weekly": "0 4 * * mon"}
RETRY = "again"
"""Stored id of the next attempt at an incomplete run. There is only one: a larger job covers a smaller one."""
GUARD = "guard:"
"""Prefix of the stored id of a job that is queued or running. One that is found at a start was interrupted."""
MAX_WAIT_S = 30.0
"""Seconds between two checks of the wall clock. APScheduler waits on a clock that stops while the machine sleeps: a
job that came due in the meantime starts within this time."""


@dataclass(slots=True)
class LastRun:
    """The last run of a job in this process."""

    ended: Ended
    at: datetime
    seconds: float


class JobScheduler:
    """The scheduler of this process. Jobs run one after the other, in one thread."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        settings.folder()
        self.last: dict[str, LastRun] = {}
        self.counts: dict[tuple[str, str], int] = {}
        """Number of runs, by job and how they ended."""
        self._stopped = threading.Event()
        self._scheduler = BackgroundScheduler(
            jobstores={"default": SQLAlchemyJobStore(url=URL.create("sqlite", database=str(file_of(settings))))},
            executors={
                "default": _GuardedExecutor(self),
                LIVE: ThreadPoolExecutor(1),
                REPUBLISH: ThreadPoolExecutor(1),
            },
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
            timezone=UTC,
        )
        self.sessions = SessionJobs(settings, self._scheduler, self._record_run)

    def start(self) -> None:
        """Start: what came due in the meantime runs once, what failed or was interrupted is retried now."""
        global _here  # noqa: PLW0603 - stored jobs are a function's name and arguments; the function finds us here
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
            self._reschedule([], since=now)
            self._put("first", "date", run_date=now)
        self.sessions.start()
        self._scheduler.resume()
        threading.Thread(target=self._watch_clock, name="scheduler-clock", daemon=True).start()

    def _watch_clock(self) -> None:
        while not self._stopped.wait(MAX_WAIT_S):
            self._scheduler.wakeup()

    def stop(self) -> None:
        """Start no more jobs. A running job is not waited for; a live client or republication is ended."""
        self._stopped.set()
        self.sessions.stop()
        # shutdown alone checks for due jobs once more, cannot run them, and removes them from the file
        self._scheduler.pause()
        self._scheduler.remove_jobstore("default")
        self._scheduler.shutdown(wait=False)

    @property
    def alive(self) -> bool:
        """Whether due jobs are still started."""
        thread = self._scheduler._thread  # APScheduler has no public check: ``running`` stays True when it died
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
        """Jobs that run or are queued."""
        runs = [due.args[0] for due in self._scheduler.get_jobs() if due.id.startswith(GUARD)]
        return [*runs, *([LIVE] if self.sessions.live.on else [])]

    def failing(self) -> dict[str, str]:
        """Jobs whose last run was not complete, with the error; from the file, so a restart keeps them."""
        failing = {
            due.args[0]: due.args[2]
            for due in self._scheduler.get_jobs()
            if due.id == RETRY or (due.id.startswith(GUARD) and due.args[1] > 1)
        }
        return failing | self.sessions.failing()

    def guard(self, due: StoredJob) -> None:
        """Store that a run begins, before APScheduler removes its job from the file."""
        self._put(GUARD + due.args[0], "date", due.args, run_date=datetime.now(UTC) + FAR_FUTURE)

    def run(self, name: str, attempt: int, *, build_pending: bool) -> None:
        """Run a job, then schedule what follows from its result."""
        began = time.monotonic()
        try:
            result = run_job(JOBS[name], self.settings, attempt, build_pending=build_pending)
        except (WarehouseError, WarehouseFailed, Busy) as error:  # it may have stored rows, so the retry builds
            result = JobResult(Ended.FAILED, errors=[str(error)], build_pending=True)
        except Exception as error:  # any failure is shown and retried
            log.exception("job %s failed", name)
            result = JobResult(Ended.FAILED, errors=[f"{type(error).__name__}: {error}"], build_pending=True)
        if result.sessions is not None:
            self._reschedule(result.sessions)
        if result.ended is not Ended.COMPLETE:
            at = datetime.now(UTC) + times.pause(attempt, failed=result.ended is Ended.FAILED)
            error_text = result.error or str(result.ended)
            self._schedule_retry(name, attempt + 1, error_text, build_pending=result.build_pending, at=at)
        elif self._replaces_retry(name):
            self._forget(RETRY)
        self._forget(GUARD + name)
        # Recorded last: whoever sees that it has ended also sees what follows from it.
        last = self._record_run(name, result.ended, began)
        level = logging.INFO if result.ended is Ended.COMPLETE else logging.WARNING
        text = " ".join(result.sentences + result.errors)
        log.log(level, "%s, attempt %d: %s in %.0f s. %s", name, attempt, result.ended, last.seconds, text)

    def _record_run(self, name: str, ended: Ended, began: float) -> LastRun:
        last = self.last[name] = LastRun(ended, datetime.now(UTC), time.monotonic() - began)
        self.counts[name, str(ended)] = self.counts.get((name, str(ended)), 0) + 1
        return last

    def _reschedule(self, planned: list[PlannedSession], since: datetime | None = None) -> None:
        """Reschedule the jobs that depend on the calendar. Sessions that are done stay done."""
        starts = [each.starts[-1] for each in planned]
        known = self._scheduler.get_job("session")
        done_until = since or (known.trigger.since if known else datetime.now(UTC))
        self._put("session", AtSessions(starts, done_until))
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


class _GuardedExecutor(ThreadPoolExecutor):  # type: ignore[misc]
    """One thread. It stores each run before it accepts it: APScheduler counts an accepted job as done.

    A listener would be too late: it is called after the job was removed from the file, and a process killed in
    between would lose the run. ``_do_submit_job`` is what APScheduler documents for executors to define.
    """

    def __init__(self, scheduler: JobScheduler) -> None:
        super().__init__(1)
        self._jobs = scheduler

    def _do_submit_job(self, job: StoredJob, run_times: list[datetime]) -> None:
        self._jobs.guard(job)
        super()._do_submit_job(job, run_times)


_here: JobScheduler | None = None


def _run(name: str, attempt: int, _error: str, build_pending: bool) -> None:
    if _here is not None:
        _here.run(name, attempt, build_pending=build_pending)


def file_of(settings: Settings) -> Path:
    """The file of the schedule."""
    return settings.schedule_file or settings.home / "schedule.sqlite"


def on_file(settings: Settings) -> tuple[dict[str, datetime], dict[str, str]]:
    """When each job runs next (UTC), and the errors of those to be retried; whether or not a scheduler runs."""
    if not file_of(settings).is_file():
        return {}, {}
    scheduler = JobScheduler(settings)
    scheduler._scheduler.start(paused=True)
    try:
        return scheduler.next_runs(), scheduler.failing()
    finally:
        scheduler.stop()
