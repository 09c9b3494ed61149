"""What is done at the times of sessions, beside the jobs: followed live, and published once more when it is whole."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from apscheduler.job import Job as Due
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
"""It follows a session for hours, and leaves nothing to be tried again."""
REPUBLISH = "whole"
"""The session once more, as published after its end: with what the feed did not send or a loss cost. A new run."""
REPUBLISH_RETRY = "whole-owed"
"""Before the title of a session whose publication is on, has to be tried again, or was given up."""
ATTEMPTS = 10
"""After so many a publication is given up, but not while the weekend lasts (``WEEKEND`` from its start): a session
that was put off is published a day later. It is shown as failing until a later session is published, and tried again
after a restart."""
INTERRUPTED = "The process ended in the run."


class SessionJobs:
    """The two, each in a thread of its own. ``note``: told of each run's job, how it ended, and when it began."""

    def __init__(
        self, settings: Settings, scheduler: BaseScheduler, note: Callable[[str, Ended, float], object]
    ) -> None:
        self.live = LiveClient(settings)
        self._whole = CommandRunner(settings, "whole")
        self._settings, self._scheduler, self._note = settings, scheduler, note
        self._placing = threading.Lock()

    def start(self) -> None:
        """A session that is on is followed, and what is pending published, whatever the last process did of it."""
        global _here  # noqa: PLW0603 - jobs on file are a function's name and arguments; it finds us there
        _here = self
        for pending in self._pending():
            pending.modify(next_run_time=datetime.now(UTC))
        live = self._scheduler.get_job(LIVE)
        if live is not None:
            planned, done = _planned(live), live.trigger.done
            live.remove()
            self.place(planned, done)

    def stop(self) -> None:
        """End what is on."""
        self.live.stop()
        self._whole.stopped.set()

    def place(self, planned: list[PlannedSession], done: frozenset[str] = frozenset()) -> None:
        """The calendar has these. What was attended to before stays so; ``done``: titles that were followed.

        A session that sources have at several times is looked for at each, until it has been followed to its end. It
        is published after the last of them.
        """
        with self._placing:
            live, whole = self._scheduler.get_job(LIVE), self._scheduler.get_job(REPUBLISH)
            if not self._settings.schedule_live:
                for due in [*filter(None, (live, whole)), *self._pending()]:
                    due.remove()
                return
            now = datetime.now(UTC)
            followed = live.trigger.since if live else now - LIVE_AT_MOST - LIVE_BEFORE
            published = whole.trigger.since if whole else now
            titles = {each.title for each in planned}
            done = (done | (live.trigger.done if live else frozenset())) & titles
            whole_done = (whole.trigger.done if whole else frozenset()) & titles
            to_follow = [at for each in planned if each.title not in done for at in each.starts]
            to_publish = [each.starts[-1] for each in planned if each.title not in whole_done]
            for id_, function, trigger in (
                (LIVE, _follow, AtSessions(to_follow, followed, -LIVE_BEFORE, tuple(planned), done)),
                (REPUBLISH, _publish, AtSessions(to_publish, published, REPUBLISH_AFTER, tuple(planned), whole_done)),
            ):
                self._scheduler.add_job(
                    function, trigger, [id_], id=id_, replace_existing=True, executor=id_,
                    coalesce=id_ == LIVE,  # each session that came due in a sleep is published
                )  # fmt: skip

    def failing(self) -> dict[str, str]:
        """What could not be done, and why; of sessions that are pending from the file, the latest."""
        errors = [pending.args[2] for pending in self._pending() if pending.args[1] > 1]
        failing = {LIVE: self.live.error, REPUBLISH: errors[-1] if errors else ""}
        return {name: error for name, error in failing.items() if error}

    def follow(self) -> None:
        """Follow the session that is on, until it has ended."""
        if not has_broker(self._settings):
            return
        began = time.monotonic()
        log.info("%s: following the live timing.", LIVE)
        ended = self.live.follow(self._on)
        self._note(LIVE, ended, began)
        level = logging.WARNING if self.live.error else logging.INFO
        log.log(level, "%s: %s. %s", LIVE, ended, self.live.error)
        if ended is Ended.COMPLETE and (session := self._session(LIVE, self.live.start)):
            self._mark_done(LIVE, session)

    def publish(self, attempt: int = 1, start: datetime | None = None, event: str = "", name: str = "") -> None:
        """Publish a session as it is published, by default the latest one that is neither published nor pending.

        ``start`` is when it was to start; its ``event`` and ``name`` find it when it was moved.
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
        code = self._whole.run("whole", f"{start:%Y-%m-%dT%H:%M:%S}", *named)
        if code is None:  # we are being stopped: it is tried again at the next start
            return
        said = self._whole.last_words()
        self._note(REPUBLISH, Ended.COMPLETE if code == 0 else Ended.FAILED, began)
        log.log(logging.WARNING if code else logging.INFO, "%s, attempt %d: %s", REPUBLISH, attempt, said)
        if code:
            given_up = attempt >= ATTEMPTS and datetime.now(UTC) >= start + WEEKEND
            pause = FAR_FUTURE if given_up else times.pause(attempt, failed=False)
            self._store_pending(attempt + 1, said, start, event, name, datetime.now(UTC) + pause)
            return
        for pending in self._pending():
            given_up = pending.next_run_time > datetime.now(UTC) + FAR_FUTURE / 2
            if given_up or pending.id == _pending_id(start, event, name):
                pending.remove()
        for session in _planned(due) if due is not None and name else ():
            if (session.event, session.name) == (event, name):
                self._mark_done(REPUBLISH, session)

    def _latest(self, due: Due) -> datetime | None:
        """Of those that came due in a sleep of weeks only the latest, and its weekend's."""
        now, pending = datetime.now(UTC), {each.args[3] for each in self._pending()}
        newest = times.latest([each.starts[-1] for each in _planned(due)], REPUBLISH_AFTER, now)
        left = [at for at in due.trigger.starts if at not in pending and (at == newest or at + WEEKEND > now)]
        return times.latest(left, REPUBLISH_AFTER, now)

    def _store_pending(self, attempt: int, error: str, start: datetime, event: str, name: str, at: datetime) -> None:
        self._scheduler.add_job(
            _publish, "date", [REPUBLISH, attempt, error, start, event, name], id=_pending_id(start, event, name),
            replace_existing=True, executor=REPUBLISH, run_date=at,
        )  # fmt: skip

    def _pending(self) -> list[Due]:
        """By start."""
        pending = (due for due in self._scheduler.get_jobs() if due.id.startswith(REPUBLISH_RETRY))
        return sorted(pending, key=lambda due: due.args[3])

    def _on(self) -> datetime | None:
        due = self._scheduler.get_job(LIVE)
        return times.session_on(due.trigger.starts, datetime.now(UTC)) if due else None

    def _session(self, job: str, start: datetime | None) -> PlannedSession | None:
        due = self._scheduler.get_job(job)
        return next((each for each in _planned(due) if each.name and start in each.starts), None) if due else None

    def _mark_done(self, job: str, session: PlannedSession) -> None:
        """It has been followed to its end, or published: not again at another time that a source has for it."""
        with self._placing:
            due = self._scheduler.get_job(job)
            if due is None:
                return
            starts = [at for at in due.trigger.starts if at not in session.starts]
            done = due.trigger.done | {session.title}
            due.reschedule(replace(due.trigger, starts=starts, done=done))


def _planned(due: Due) -> list[PlannedSession]:
    """What a job on file was placed with; before 2026-12 it had no names."""
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
