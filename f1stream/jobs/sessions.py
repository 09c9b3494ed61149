"""What is done at the times of sessions, beside the jobs: followed live, and published once more when it is whole."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from apscheduler.schedulers.base import BaseScheduler

from f1stream.jobs import times
from f1stream.jobs.child import Child
from f1stream.jobs.live import LiveClient
from f1stream.jobs.runs import Ended
from f1stream.jobs.times import FAR, LIVE_AT_MOST, LIVE_BEFORE, WHOLE_AFTER, AtSessions
from f1stream.kafka import has_broker
from f1stream.settings import Settings

log = logging.getLogger(__name__)

LIVE = "live"
"""It follows a session for hours, and leaves nothing to be tried again."""
WHOLE = "whole"
"""The session once more, as published after its end: with what the feed did not send or a loss cost. A new run."""
WHOLE_OWED = "whole-owed"
"""The one that is on, has to be tried again, or was given up. There is one: a later session takes its place."""
ATTEMPTS = 10
"""Then it is given up, but told until it is published after a restart, or the next session is its successor."""
INTERRUPTED = "The process ended in the run."


class Sessions:
    """The two, each in a thread of its own. ``note``: told of each run's job, how it ended, and when it began."""

    def __init__(
        self, settings: Settings, scheduler: BaseScheduler, note: Callable[[str, Ended, float], object]
    ) -> None:
        self.live = LiveClient(settings)
        self._whole = Child(settings, "whole")
        self._settings, self._scheduler, self._note = settings, scheduler, note

    def start(self) -> None:
        """A session that is on is followed, and what is owed published, whatever the last process did of it."""
        global _here  # noqa: PLW0603 - jobs on file are a function's name and arguments; it finds us there
        _here = self
        owed, live = self._scheduler.get_job(WHOLE_OWED), self._scheduler.get_job(LIVE)
        if owed is not None:
            owed.modify(next_run_time=datetime.now(UTC))
        if live is not None:
            live.remove()
            self.place(live.trigger.starts)

    def stop(self) -> None:
        """End what is on."""
        self.live.stop()
        self._whole.stopped.set()

    def place(self, starts: list[datetime]) -> None:
        """The calendar's sessions start then (UTC). What was attended to before stays so."""
        live, whole = self._scheduler.get_job(LIVE), self._scheduler.get_job(WHOLE)
        if not self._settings.schedule_live:
            for due in filter(None, (live, whole, self._scheduler.get_job(WHOLE_OWED))):
                due.remove()
            return
        now = datetime.now(UTC)
        followed = live.trigger.since if live else now - LIVE_AT_MOST - LIVE_BEFORE
        published = whole.trigger.since if whole else now
        for id_, function, trigger in (
            (LIVE, _follow, AtSessions(starts, followed, -LIVE_BEFORE)),
            (WHOLE, _publish, AtSessions(starts, published, WHOLE_AFTER)),
        ):
            self._scheduler.add_job(function, trigger, [id_], id=id_, replace_existing=True, executor=id_)

    def failing(self) -> dict[str, str]:
        """What could not be done, and why; of a session that is owed from the file."""
        owed = self._scheduler.get_job(WHOLE_OWED)
        told = {LIVE: self.live.error, WHOLE: owed.args[2] if owed is not None and owed.args[1] > 1 else ""}
        return {name: error for name, error in told.items() if error}

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

    def publish(self, attempt: int = 1, start: datetime | None = None) -> None:
        """Publish the session that started at ``start``, by default the latest one, as it is published."""
        due = self._scheduler.get_job(WHOLE)
        start = start or (due and times.latest(due.trigger.starts, WHOLE_AFTER, datetime.now(UTC)))
        if start is None or not has_broker(self._settings):
            return
        began = time.monotonic()
        self._owe(attempt, INTERRUPTED, start, datetime.now(UTC) + FAR)
        code = self._whole.run("whole", f"{start:%Y-%m-%dT%H:%M:%S}")
        if code is None:  # we are being stopped: it is tried again at the next start
            return
        said = self._whole.last_words()
        self._note(WHOLE, Ended.COMPLETE if code == 0 else Ended.FAILED, began)
        log.log(logging.WARNING if code else logging.INFO, "%s, attempt %d: %s", WHOLE, attempt, said)
        if code == 0:
            self._scheduler.remove_job(WHOLE_OWED)
        else:
            pause = times.pause(attempt, failed=False) if attempt < ATTEMPTS else FAR
            self._owe(attempt + 1, said, start, datetime.now(UTC) + pause)

    def _owe(self, attempt: int, error: str, start: datetime, at: datetime) -> None:
        arguments = [WHOLE, attempt, error, start]
        self._scheduler.add_job(
            _publish, "date", arguments, id=WHOLE_OWED, replace_existing=True, executor=WHOLE, run_date=at
        )

    def _on(self) -> datetime | None:
        due = self._scheduler.get_job(LIVE)
        return times.session_on(due.trigger.starts, datetime.now(UTC)) if due else None


_here: Sessions | None = None


def _follow(_name: str) -> None:
    if _here is not None:
        _here.follow()


def _publish(_name: str, attempt: int = 1, _error: str = "", start: datetime | None = None) -> None:
    if _here is not None:
        _here.publish(attempt, start)
