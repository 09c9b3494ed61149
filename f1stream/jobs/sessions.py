"""Jobs at the times of sessions: follow a session live, and republish it completely after its end.

``_follow`` and ``_publish`` are stored in the schedule's file by name, as are the ids ``live``, ``whole`` and
``whole-owed:…``: they keep their names.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from apscheduler.job import Job as StoredJob
from apscheduler.schedulers.base import BaseScheduler

from f1stream.jobs import times
from f1stream.jobs.calendar import PlannedSession
from f1stream.jobs.child import CommandRunner
from f1stream.jobs.live import LiveClient
from f1stream.jobs.runs import Ended
from f1stream.jobs.times import FAR_FUTURE, LIVE_AT_MOST, LIVE_BEFORE, REPUBLISH_AFTER, AtSessions
from f1stream.kafka import has_broker
from f1stream.settings import Settings
from f1stream.sources.fastf1.season_index import WEEKEND

log = logging.getLogger(__name__)

LIVE = "live"
"""Stored id, executor and metric label of the live client. It runs for hours and is not retried afterwards."""
REPUBLISH = "whole"
"""Stored id, executor, metric label and child command of republishing. The session becomes a new run, with what the
live feed did not send and what was lost on the way."""
REPUBLISH_RETRY = "whole-owed"
"""Prefix of a stored id, before the session's title: its publication runs, has to be retried, or was given up."""
ATTEMPTS = 10
"""After this many attempts a publication is given up, but not before ``WEEKEND`` has passed since the session's
start: a postponed session is published a day later. It is shown as failing until a later session is published, and
retried after a restart."""
INTERRUPTED = "The process ended in the run."
"""The error of a run that is found unfinished at a start."""


class SessionJobs:
    """Both jobs, each in its own thread. ``record_run`` takes each run's job, outcome and start (monotonic s)."""

    def __init__(
        self, settings: Settings, scheduler: BaseScheduler, record_run: Callable[[str, Ended, float], object]
    ) -> None:
        self.live = LiveClient(settings)
        self._republish = CommandRunner(settings, REPUBLISH)
        self._settings, self._scheduler, self._record_run = settings, scheduler, record_run
        self._placing = threading.Lock()

    def start(self) -> None:
        """Follow the session that is on and retry pending publications, whatever the last process did of them."""
        global _here  # noqa: PLW0603 - stored jobs are a function's name and arguments; the function finds us here
        _here = self
        for pending in self._pending():
            pending.modify(next_run_time=datetime.now(UTC))
        live = self._scheduler.get_job(LIVE)
        if live is not None:
            planned, done = _planned(live), live.trigger.done
            live.remove()
            self.place(planned, done)

    def stop(self) -> None:
        """End what runs."""
        self.live.stop()
        self._republish.stopped.set()

    def place(self, planned: list[PlannedSession], done: frozenset[str] = frozenset()) -> None:
        """Reschedule both jobs for a new calendar. Sessions that are done stay done; ``done`` are titles to add.

        A session for which the sources have several times is tried at each, until it has been followed to its end.
        It is published after the last of them.
        """
        with self._placing:
            live, republish = self._scheduler.get_job(LIVE), self._scheduler.get_job(REPUBLISH)
            if not self._settings.schedule_live:
                for due in [*filter(None, (live, republish)), *self._pending()]:
                    due.remove()
                return
            now = datetime.now(UTC)
            followed_until = live.trigger.since if live else now - LIVE_AT_MOST - LIVE_BEFORE
            published_until = republish.trigger.since if republish else now
            titles = {each.title for each in planned}
            done = (done | (live.trigger.done if live else frozenset())) & titles
            published = (republish.trigger.done if republish else frozenset()) & titles
            to_follow = [at for each in planned if each.title not in done for at in each.starts]
            to_publish = [each.starts[-1] for each in planned if each.title not in published]
            for id_, function, trigger in (
                (LIVE, _follow, AtSessions(to_follow, followed_until, -LIVE_BEFORE, tuple(planned), done)),
                (
                    REPUBLISH, _publish,
                    AtSessions(to_publish, published_until, REPUBLISH_AFTER, tuple(planned), published),
                ),
            ):  # fmt: skip
                self._scheduler.add_job(
                    function, trigger, [id_], id=id_, replace_existing=True, executor=id_,
                    coalesce=id_ == LIVE,  # after a sleep, each session that came due is published
                )  # fmt: skip

    def failing(self) -> dict[str, str]:
        """Failed jobs with their error; of pending publications, from the file, that of the latest session."""
        errors = [pending.args[2] for pending in self._pending() if pending.args[1] > 1]
        failing = {LIVE: self.live.error, REPUBLISH: errors[-1] if errors else ""}
        return {name: error for name, error in failing.items() if error}

    def follow(self) -> None:
        """Follow the session that is on, until it has ended."""
        if not has_broker(self._settings):
            return
        began = time.monotonic()
        log.info("%s: following the live timing.", LIVE)
        ended = self.live.follow(self._current_start)
        self._record_run(LIVE, ended, began)
        level = logging.WARNING if self.live.error else logging.INFO
        log.log(level, "%s: %s. %s", LIVE, ended, self.live.error)
        if ended is Ended.COMPLETE and (session := self._session(LIVE, self.live.start)):
            self._mark_done(LIVE, session)

    def publish(self, attempt: int = 1, start: datetime | None = None, event: str = "", name: str = "") -> None:
        """Publish a session from its archive, by default the latest that is neither published nor pending.

        ``start`` is its planned start; ``event`` and ``name`` find it if it was moved.
        """
        due = self._scheduler.get_job(REPUBLISH)
        if start is None and due is not None:
            start = self._latest(due)
            if session := self._session(REPUBLISH, start):
                event, name = session.event, session.name
        if start is None or not has_broker(self._settings):
            return
        began = time.monotonic()
        self._store_pending(attempt, INTERRUPTED, start, event, name, datetime.now(UTC) + FAR_FUTURE)
        named = ("--event", event, "--session", name) if name else ()
        code = self._republish.run(REPUBLISH, f"{start:%Y-%m-%dT%H:%M:%S}", *named)
        if code is None:  # we are being stopped; retried at the next start
            return
        text = self._republish.last_words()
        self._record_run(REPUBLISH, Ended.COMPLETE if code == 0 else Ended.FAILED, began)
        log.log(logging.WARNING if code else logging.INFO, "%s, attempt %d: %s", REPUBLISH, attempt, text)
        if code:
            given_up = attempt >= ATTEMPTS and datetime.now(UTC) >= start + WEEKEND
            pause = FAR_FUTURE if given_up else times.pause(attempt, failed=False)
            self._store_pending(attempt + 1, text, start, event, name, datetime.now(UTC) + pause)
            return
        for pending in self._pending():
            given_up = pending.next_run_time > datetime.now(UTC) + FAR_FUTURE / 2
            if given_up or pending.id == _pending_id(start, event, name):
                pending.remove()
        for session in _planned(due) if due is not None and name else ():
            if (session.event, session.name) == (event, name):
                self._mark_done(REPUBLISH, session)

    def _latest(self, due: StoredJob) -> datetime | None:
        """The start of the latest session to publish. After weeks of sleep only the last weekend's are published."""
        now, pending = datetime.now(UTC), {each.args[3] for each in self._pending()}
        newest = times.latest([each.starts[-1] for each in _planned(due)], REPUBLISH_AFTER, now)
        left = [at for at in due.trigger.starts if at not in pending and (at == newest or at + WEEKEND > now)]
        return times.latest(left, REPUBLISH_AFTER, now)

    def _store_pending(self, attempt: int, error: str, start: datetime, event: str, name: str, at: datetime) -> None:
        self._scheduler.add_job(
            _publish, "date", [REPUBLISH, attempt, error, start, event, name], id=_pending_id(start, event, name),
            replace_existing=True, executor=REPUBLISH, run_date=at,
        )  # fmt: skip

    def _pending(self) -> list[StoredJob]:
        """Publications that are not complete, by start."""
        pending = (due for due in self._scheduler.get_jobs() if due.id.startswith(REPUBLISH_RETRY))
        return sorted(pending, key=lambda due: due.args[3])

    def _current_start(self) -> datetime | None:
        """The start of the session that is on; None if there is none."""
        due = self._scheduler.get_job(LIVE)
        return times.session_on(due.trigger.starts, datetime.now(UTC)) if due else None

    def _session(self, job: str, start: datetime | None) -> PlannedSession | None:
        due = self._scheduler.get_job(job)
        return next((each for each in _planned(due) if each.name and start in each.starts), None) if due else None

    def _mark_done(self, job: str, session: PlannedSession) -> None:
        """Do not run the job for this session again, at none of the times that the sources have for it."""
        with self._placing:
            due = self._scheduler.get_job(job)
            if due is None:
                return
            starts = [at for at in due.trigger.starts if at not in session.starts]
            done = due.trigger.done | {session.title}
            due.reschedule(replace(due.trigger, starts=starts, done=done))


def _planned(due: StoredJob) -> list[PlannedSession]:
    """The sessions of a stored job. Files from before 2026-12 have starts without names."""
    return list(due.trigger.sessions) or [PlannedSession("", "", (at,)) for at in due.trigger.starts]


def _pending_id(start: datetime, event: str, name: str) -> str:
    return f"{REPUBLISH_RETRY}:{start:%Y} {event}, {name}" if name else f"{REPUBLISH_RETRY}:{start.isoformat()}"


_here: SessionJobs | None = None


def _follow(_name: str) -> None:
    if _here is not None:
        _here.follow()


def _publish(
    _job: str, attempt: int = 1, _error: str = "", start: datetime | None = None, event: str = "", name: str = ""
) -> None:
    if _here is not None:
        _here.publish(attempt, start, event, name)
