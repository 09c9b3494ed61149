"""When the season's sessions start, according to the Jolpica API and to the feed's own index of the season.

A session can be moved hours before it starts, and either source may be updated first. A session for which they have
different times is therefore tried at both.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from f1stream.jolpica.plan import CalendarEvent
from f1stream.settings import Settings
from f1stream.sources.fastf1.schedule import SHORT_NAMES
from f1stream.sources.fastf1.season_index import ListedSession, listed_as, season_index
from f1stream.sources.session import SourceError

log = logging.getLogger(__name__)
NAMES = {
    "FirstPractice": "Practice 1", "SecondPractice": "Practice 2", "ThirdPractice": "Practice 3",
    "SprintShootout": "Sprint Shootout", "SprintQualifying": "Sprint Qualifying", "Sprint": "Sprint",
    "Qualifying": "Qualifying", "Race": "Race",
}  # fmt: skip
"""The feed's names of Jolpica's sessions."""


@dataclass(frozen=True, slots=True)
class PlannedSession:
    """A session of the season."""

    event: str
    """``Miami Grand Prix``."""
    name: str
    """``Practice 1``, ``Race``."""
    starts: tuple[datetime, ...]
    """The times (UTC) that the sources have for it, ascending; at least one."""

    @property
    def title(self) -> str:
        """Its identity, which stays when the session is moved: ``2026 Miami Grand Prix, Race``."""
        return f"{self.starts[0]:%Y} {self.event}, {self.name}"


def season(settings: Settings, events: Iterable[CalendarEvent], years: Iterable[int]) -> list[PlannedSession]:
    """The sessions of ``years``, from Jolpica's ``events`` and from the feed's index, by start."""
    listed: list[ListedSession] = []
    for year in years:
        try:
            listed += season_index(settings, year)
        except SourceError as error:
            log.info("%s Its times are those of the Jolpica API.", error)
    return merged(events, listed)


def merged(events: Iterable[CalendarEvent], listed: list[ListedSession]) -> list[PlannedSession]:
    """Jolpica's sessions with the times of both sources; if Jolpica has no race at all, the index's sessions."""
    planned = [
        PlannedSession(event.race.name, NAMES[key], _starts(event.race.name, NAMES[key], start, listed))
        for event in events
        for key, start in event.sessions().items()
    ] or [
        PlannedSession(each.meeting, each.name, (each.start,))
        for each in listed
        if each.name in SHORT_NAMES and "test" not in each.meeting.casefold()
    ]
    return sorted(planned, key=lambda each: each.starts)


def _starts(event: str, name: str, start: datetime, listed: list[ListedSession]) -> tuple[datetime, ...]:
    found = listed_as(listed, event, name, start)
    return tuple(sorted({start, found.start} if found else {start}))
