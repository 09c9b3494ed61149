"""When jobs are due: functions of the calendar and the clock, and APScheduler's triggers made of them. All in UTC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apscheduler.triggers.base import BaseTrigger

from f1stream.jobs.calendar import PlannedSession
from f1stream.jolpica.plan import PUBLISHED_AFTER

LIVE_BEFORE = timedelta(minutes=15)
"""The live client is there so long before a session, which may begin early by the feed's clock."""
LIVE_AT_MOST = timedelta(hours=4)
"""After a session's start, and longer than any lasted: the client ends when the feed says so, or then."""
REPUBLISH_AFTER = timedelta(hours=3)
"""After a session's start its published streams are complete: before the marts are built from them."""
FAR_FUTURE = timedelta(days=3650)
"""So far away is what is not due, but stays on file."""

FAILED_PAUSES = (timedelta(minutes=1), timedelta(hours=1))
"""Before the first and, at the longest, before a later attempt at what has failed: a network is soon back."""
INCOMPLETE_PAUSES = (timedelta(minutes=30), timedelta(hours=6))
"""The same for what is due and was not published yet: it comes within hours, or tomorrow."""


def pause(attempt: int, *, failed: bool) -> timedelta:
    """How long to wait after the ``attempt``-th attempt (from 1), twice as long each time."""
    first, longest = FAILED_PAUSES if failed else INCOMPLETE_PAUSES
    doubled: int = 2 ** min(attempt - 1, 16)
    return min(first * doubled, longest)


def next_at(starts: Sequence[datetime], offset: timedelta, since: datetime) -> datetime | None:
    """The first time after ``since`` that lies ``offset`` from a session's start; None without one.

    ``since`` is when this was last attended to, so that neither a late start of ours nor a session that was moved
    forward is passed over.
    """
    return min((start + offset for start in starts if start + offset > since), default=None)


def latest(starts: Sequence[datetime], offset: timedelta, now: datetime) -> datetime | None:
    """When the last session started of which that lies ``offset`` ago and more; None when there was none."""
    return max((start for start in starts if start + offset <= now), default=None)


def session_on(starts: Sequence[datetime], now: datetime) -> datetime | None:
    """When the session starts, or has, for which the live client should be there; None when there is none."""
    return max((start for start in starts if start - LIVE_BEFORE <= now < start + LIVE_AT_MOST), default=None)


def next_calendar_check(starts: Sequence[datetime], now: datetime) -> datetime:
    """Every full hour on days with a session, which may move; else the beginning of the next such day.

    Without a session to come, tomorrow: the next season's calendar may be out.
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
    """So long after each session's start: when its results are due, or, with less than nothing, before it begins."""

    starts: list[datetime]
    since: datetime
    """What was due until then has been attended to. Kept on file with the job."""
    offset: timedelta = PUBLISHED_AFTER
    sessions: tuple[PlannedSession, ...] = ()
    """Those that start at ``starts``; none in files of before 2026-12."""
    done: frozenset[str] = frozenset()
    """Titles of sessions that are not attended to again, whenever they are said to start."""

    def get_next_fire_time(self, previous_fire_time: datetime | None, _now: datetime) -> datetime:
        """As APScheduler asks."""
        self.since = max(self.since, previous_fire_time or self.since)
        return next_at(self.starts, self.offset, self.since) or self.since + FAR_FUTURE


@dataclass
class OnRaceDays(BaseTrigger):  # type: ignore[misc]
    """When to look whether sessions have moved."""

    starts: list[datetime]

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """As APScheduler asks."""
        return next_calendar_check(self.starts, previous_fire_time or now)
