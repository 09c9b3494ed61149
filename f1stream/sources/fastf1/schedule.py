"""Which session is meant, and which there are."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from f1stream.settings import Settings
from f1stream.sources.fastf1.client import FastF1, fastf1
from f1stream.sources.session import SourceError

FIRST_YEAR = 2018
"""Formula 1's live timing is kept since then."""
SHORT = {
    "Practice 1": "FP1", "Practice 2": "FP2", "Practice 3": "FP3", "Qualifying": "Q", "Sprint Qualifying": "SQ",
    "Sprint Shootout": "SS", "Sprint": "S", "Race": "R",
}  # fmt: skip
FORM = "fastf1:YEAR/EVENT/SESSION"
AGO = timedelta(minutes=30)
"""A session's data is complete about half an hour after it; the shortest session lasts as long."""


@dataclass(frozen=True)
class Wanted:
    """A session as a user names it."""

    year: int
    event: str
    """A name, or part of one, of an event, country or place; or the round."""
    session: str
    """A name, or FP1, FP2, FP3, Q, SQ, SS, S, R."""

    @classmethod
    def parse(cls, text: str) -> Wanted:
        """From ``YEAR/EVENT/SESSION``. Raises SourceError."""
        parts = [part.strip() for part in text.split("/")]
        if len(parts) != 3 or not all(parts) or not re.fullmatch(r"\d{4}", parts[0]):
            raise SourceError(f"'fastf1:{text}' is not a session: {FORM} is, such as fastf1:2025/Australia/R.")
        return cls(int(parts[0]), parts[1], parts[2]).checked()

    def checked(self) -> Wanted:
        """Itself. Raises SourceError for years without timing data, and sessions that no weekend has."""
        if self.year < FIRST_YEAR:
            raise SourceError(f"There is no timing data of {self.year}: it begins with {FIRST_YEAR}.")
        if self.name is None:
            known = ", ".join(f"{short} ({name})" for name, short in SHORT.items())
            raise SourceError(f"{self.session!r} is not a session. Known are: {known}.")
        return self

    @property
    def name(self) -> str | None:
        """The session's full name; None when there is none such."""
        asked = self.session.casefold()
        return next((name for name, short in SHORT.items() if asked in {name.casefold(), short.casefold()}), None)

    @property
    def folder(self) -> str:
        """What its archive is called: ``2025-australian-grand-prix-race``."""
        return "-".join(map(_plain, (str(self.year), self.event, self.name or self.session)))


def find(client: FastF1, wanted: Wanted) -> tuple[Any, Wanted]:
    """FastF1's session, not loaded yet, and its proper name. Raises SourceError."""
    calendar = _calendar(client, wanted.year)
    try:
        if wanted.event.isdecimal():
            event = calendar.get_event_by_round(int(wanted.event))
        else:
            event = calendar.get_event_by_name(wanted.event)
    except ValueError:
        raise SourceError(
            f"{wanted.year} has no event {wanted.event!r}: `f1stream sessions {wanted.year}` lists what there is."
        ) from None
    try:
        session = event.get_session(wanted.name)
    except ValueError:
        there = ", ".join(SHORT.get(name, name) for name in _names(event))
        raise SourceError(f"The {wanted.year} {event.EventName} has no {wanted.name}, but {there}.") from None
    proper = Wanted(wanted.year, event.EventName, session.name)
    begins = _utc(session.date)
    if begins is not None and begins + AGO > datetime.now(UTC):
        raise SourceError(
            f"The {words(proper)} has not been run yet: it begins on {begins:%Y-%m-%d at %H:%M} UTC. "
            "Fetch it half an hour after its end."
        )
    return session, proper


def words(wanted: Wanted) -> str:
    """``2025 Australian Grand Prix, Race``."""
    return f"{wanted.year} {wanted.event}, {wanted.name}"


@dataclass(frozen=True)
class Weekend:
    """One event of a season."""

    round_number: int
    event: str
    location: str
    sessions: tuple[tuple[str, datetime | None], ...]
    """Name and UTC start of each."""


def weekends(settings: Settings, year: int) -> list[Weekend]:
    """A season's events in order, without tests. Raises SourceError."""
    if year < FIRST_YEAR:
        raise SourceError(f"There is no timing data of {year}: it begins with {FIRST_YEAR}.")
    with fastf1(settings) as client:
        calendar = _calendar(client, year)
    return [
        Weekend(
            int(event["RoundNumber"]), event["EventName"], event["Location"],
            tuple((name, _utc(event.get_session_date(name, utc=True))) for name in _names(event)),
        )
        for _, event in calendar.iterrows()
    ]  # fmt: skip


def starting_at(settings: Settings, start: datetime) -> Wanted:
    """The session that starts at ``start`` (UTC), or half an hour from it at most. Raises SourceError."""
    found = [
        (abs(begins - start), weekend.event, name)
        for weekend in weekends(settings, start.year)
        for name, begins in weekend.sessions
        if begins is not None and abs(begins - start) <= AGO
    ]
    if not found:
        raise SourceError(f"FastF1's calendar has no session that starts on {start:%Y-%m-%d at %H:%M} UTC.")
    _, event, name = min(found)
    return Wanted(start.year, event, name)


def _calendar(client: FastF1, year: int) -> Any:
    try:
        calendar = client.module.get_event_schedule(year, include_testing=False)
    except ValueError:
        raise client.unreachable(f"The calendar of {year}") or SourceError(
            f"There is no calendar of {year}."
        ) from None
    if calendar.empty:
        raise SourceError(f"There is no calendar of {year}.")
    return calendar


def _names(event: Any) -> list[str]:
    return [name for number in range(1, 6) if (name := event[f"Session{number}"]) in SHORT]


def _utc(date: Any) -> datetime | None:
    import pandas as pd  # noqa: PLC0415 - FastF1's

    return None if pd.isna(date) else date.to_pydatetime().replace(tzinfo=UTC)


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().casefold()
    return re.sub(r"[^a-z0-9]+", "-", letters).strip("-")
