"""When jobs are due: functions of calendar and clock, and APScheduler's triggers that use them. All times are UTC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apscheduler.triggers.base import BaseTrigger

from f1stream.jobs.calendar import PlannedSession
from f1stream.jolpica import PUBLISHED_AFTER

LIVE_BEFORE = timedelta(minutes=15)
"""The live client starts this long before a session, which may begin early by the feed's clock."""
LIVE_AT_MOST = timedelta(hours=4)
"""The live client ends this long after a session's start, unless the feed ends the session before. No session lasted
longer."""
REPUBLISH_AFTER = timedelta(hours=3)
"""This long after a session's start its streams are published completely; the marts are built later."""
FAR_FUTURE = timedelta(days=3650)
"""The due time of jobs that stay in the file and must not run."""

FAILED_PAUSES = (timedelta(minutes=1), timedelta(hours=1))
"""After a failure: the first pause and the longest one. A network is usually back soon."""
INCOMPLETE_PAUSES = (timedelta(minutes=30), timedelta(hours=6))
"""The same after an incomplete run: what is not published yet follows within hours or a day."""


def pause(attempt: int, *, failed: bool) -> timedelta:
    """The pause after the ``attempt``-th attempt (from 1); it doubles each time."""
    first, longest = FAILED_PAUSES if failed else INCOMPLETE_PAUSES
    doubled: int = 2 ** min(attempt - 1, 16)
    return min(first * doubled, longest)


def next_at(starts: Sequence[datetime], offset: timedelta, since: datetime) -> datetime | None:
    """The first time after ``since`` that is ``offset`` after a session's start; None if there is none.

    ``since`` is the last time that was handled: a late start of the scheduler, or a session that was moved forward,
    skips nothing.
    """
    return min((start + offset for start in starts if start + offset > since), default=None)


def latest(starts: Sequence[datetime], offset: timedelta, now: datetime) -> datetime | None:
    """The latest start that is at least ``offset`` ago; None if there is none."""
    return max((start for start in starts if start + offset <= now), default=None)


def session_on(starts: Sequence[datetime], now: datetime) -> datetime | None:
    """The start of the session that the live client should follow now; None if there is none."""
    return max((start for start in starts if start - LIVE_BEFORE <= now < start + LIVE_AT_MOST), default=None)


def next_calendar_check(starts: Sequence[datetime], now: datetime) -> datetime:
    """Every full hour on days with a session, which may be moved; else the beginning of the next such day.

    With no session left, tomorrow: the next season's calendar may be published.
    """
    hour = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    days = {start.date() for start in starts}
    if now.date() in days and hour.date() == now.date():
        return hour
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    later = [day for day in days if day > now.date()]
    return midnight + ((min(later) - now.date()) if later else timedelta(days=1))


@dataclass
class AtSessions(BaseTrigger):  # type: ignore[misc]
    """A trigger ``offset`` after each session's start; before it if ``offset`` is negative."""

    starts: list[datetime]
    since: datetime
    """What was due until then has been handled. Stored with the job."""
    offset: timedelta = PUBLISHED_AFTER
    sessions: tuple[PlannedSession, ...] = ()
    """The sessions that start at ``starts``; empty in files from before 2026-12."""
    done: frozenset[str] = frozenset()
    """Titles of sessions that are done, at whatever time a source has for them."""

    def get_next_fire_time(self, previous_fire_time: datetime | None, _now: datetime) -> datetime:
        """The next due time, for APScheduler."""
        self.since = max(self.since, previous_fire_time or self.since)
        return next_at(self.starts, self.offset, self.since) or self.since + FAR_FUTURE


@dataclass
class OnRaceDays(BaseTrigger):  # type: ignore[misc]
    """A trigger for checks whether sessions have been moved."""

    starts: list[datetime]

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The next due time, for APScheduler."""
        return next_calendar_check(self.starts, previous_fire_time or now)
