"""When jobs are due: functions of the calendar and the clock, and APScheduler's triggers made of them. All in UTC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apscheduler.triggers.base import BaseTrigger

from f1stream.jolpica.plan import PUBLISHED_AFTER

FAR = timedelta(days=3650)
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


def after_session(starts: Sequence[datetime], since: datetime) -> datetime | None:
    """When the next session after ``since`` has its results; None without one.

    ``since`` is when this was last attended to, so that neither a late start of ours nor a session that was moved
    forward is passed over.
    """
    return min((start + PUBLISHED_AFTER for start in starts if start + PUBLISHED_AFTER > since), default=None)


def next_look_at_the_calendar(starts: Sequence[datetime], now: datetime) -> datetime:
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
class AfterSessions(BaseTrigger):  # type: ignore[misc]
    """When each session's results are due."""

    starts: list[datetime]
    since: datetime
    """What was due until then has been attended to. Kept on file with the job."""

    def get_next_fire_time(self, previous_fire_time: datetime | None, _now: datetime) -> datetime:
        """As APScheduler asks."""
        self.since = max(self.since, previous_fire_time or self.since)
        return after_session(self.starts, self.since) or self.since + FAR


@dataclass
class OnRaceDays(BaseTrigger):  # type: ignore[misc]
    """When to look whether sessions have moved."""

    starts: list[datetime]

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """As APScheduler asks."""
        return next_look_at_the_calendar(self.starts, previous_fire_time or now)
