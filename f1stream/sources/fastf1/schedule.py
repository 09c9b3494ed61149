"""Resolves the name of a session, and lists the sessions of a season."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from f1stream.settings import Settings
from f1stream.sources.fastf1.client import FastF1, fastf1
from f1stream.sources.fastf1.season_index import WEEKEND, ListedSession, listed_as, plain, same_session, season_index
from f1stream.sources.session import SourceError

log = logging.getLogger(__name__)
FIRST_YEAR = 2018
"""The first season with published live timing."""
SHORT_NAMES = {
    "Practice 1": "FP1", "Practice 2": "FP2", "Practice 3": "FP3", "Qualifying": "Q", "Sprint Qualifying": "SQ",
    "Sprint Shootout": "SS", "Sprint": "S", "Race": "R",
}  # fmt: skip
TEST_DAYS = {f"Day {number}": f"D{number}" for number in range(1, 6)}
"""Days of pre-season testing, which FastF1 calls Practice 1 to 3."""
TEST = re.compile(r"(?:pre-?season\b.*?|tests?|testing)(?: (?P<number>\d))?", re.IGNORECASE)
"""Users' names of a test: ``Pre-Season Testing``, ``Test 2``."""
FORM = "fastf1:YEAR/EVENT/SESSION"
COMPLETE_AFTER = timedelta(minutes=30)
"""After its start no session is complete earlier: the shortest lasts half an hour."""


@dataclass(frozen=True)
class SessionRef:
    """A session as a user names it."""

    year: int
    event: str
    """A name, or part of one, of an event, country or place; or the round. ``Test 2`` is a season's second test."""
    session: str
    """A name, or FP1, FP2, FP3, Q, SQ, SS, S, R; of a test Day 1 or D1."""

    @classmethod
    def parse(cls, text: str) -> SessionRef:
        """Parse ``YEAR/EVENT/SESSION``. Raises SourceError."""
        parts = [part.strip() for part in text.split("/")]
        if len(parts) != 3 or not all(parts) or not re.fullmatch(r"\d{4}", parts[0]):
            raise SourceError(f"'fastf1:{text}' is not a session: {FORM} is, such as fastf1:2025/Australia/R.")
        return cls(int(parts[0]), parts[1], parts[2]).checked()

    def checked(self) -> SessionRef:
        """This reference. Raises SourceError for years without timing data and for unknown sessions."""
        if self.year < FIRST_YEAR:
            raise SourceError(f"There is no timing data of {self.year}: it begins with {FIRST_YEAR}.")
        if self.name is None:
            names = TEST_DAYS if self.is_test else SHORT_NAMES
            known = ", ".join(f"{short} ({name})" for name, short in names.items())
            raise SourceError(f"{self.session!r} is not a session. Known are: {known}.")
        return self

    @property
    def is_test(self) -> bool:
        """Whether it is pre-season testing, not a race weekend."""
        return TEST.fullmatch(self.event) is not None

    @property
    def name(self) -> str | None:
        """The session's full name; None if it is unknown."""
        given = self.session.casefold()
        if self.is_test:
            return next((name for name, short in TEST_DAYS.items()
                         if given == short.casefold() or same_session(given, name)), None)  # fmt: skip
        return next(
            (name for name, short in SHORT_NAMES.items() if given in {name.casefold(), short.casefold()}), None
        )

    @property
    def folder(self) -> str:
        """The name of its archive: ``2025-australian-grand-prix-race``."""
        return "-".join(map(plain, (str(self.year), self.event, self.name or self.session)))


def find(client: FastF1, wanted: SessionRef) -> tuple[Any, SessionRef]:
    """FastF1's session, not loaded yet, and its full name. Raises SourceError."""
    if wanted.is_test:
        return _find_test(client, wanted)
    calendar = _calendar(client, wanted.year)
    try:
        if wanted.event.isdecimal():
            event = calendar.get_event_by_round(int(wanted.event))
        else:
            event = calendar.get_event_by_name(wanted.event)
    except ValueError:
        raise SourceError(
            f"{wanted.year} has no event {wanted.event!r}: `f1stream sessions {wanted.year}` lists the events."
        ) from None
    try:
        session = event.get_session(wanted.name)
    except ValueError:
        there = ", ".join(SHORT_NAMES.get(name, name) for name in _names(event))
        raise SourceError(f"The {wanted.year} {event.EventName} has no {wanted.name}, but {there}.") from None
    return session, SessionRef(wanted.year, event.EventName, session.name)


def _find_test(client: FastF1, wanted: SessionRef) -> tuple[Any, SessionRef]:
    tests = _tests(_calendar(client, wanted.year, tests=True))
    found = TEST.fullmatch(wanted.event)
    number = int(found["number"] or 1) if found else 1
    names = [name for name, _ in tests]
    named = [nth for nth, name in enumerate(names) if plain(name) == plain(wanted.event)]
    nth = named[0] if named else number - 1
    if not 0 <= nth < len(tests):
        there = ", ".join(names) or "no test that was timed"
        raise SourceError(f"{wanted.year} has no {wanted.event!r}, but {there}.")
    name, event = tests[nth]
    days = _days(event)
    if wanted.name is None or wanted.name not in days:
        raise SourceError(f"The {wanted.year} {name} has no {wanted.name}, but {', '.join(days)}.")
    return event.get_session(days[wanted.name]), SessionRef(wanted.year, name, wanted.name)


def _tests(calendar: Any) -> list[tuple[str, Any]]:
    """The tests of a season by start; those of equal name are numbered: ``Pre-Season Testing 2``."""
    events = [event for _, event in calendar.iterrows() if event.is_testing()]
    events.sort(key=lambda event: event["EventDate"])
    seen: dict[str, int] = {}
    named = []
    for event in events:
        name = event["EventName"]
        seen[name] = seen.get(name, 0) + 1
        named.append((f"{name} {seen[name]}" if seen[name] > 1 else name, event))
    return named


def with_feed_path(settings: Settings, session: Any, proper: SessionRef) -> Any:
    """``session`` with its path in the feed, which FastF1 only guesses from names and days.

    Raises SourceError before the session has been run. Sessions are moved: it has been run when FastF1's calendar or
    the feed's index says so.
    """
    begins = _utc(session.date)
    listed = _listed(settings, proper, session.name, begins)
    if listed is not None and listed.path:
        session.api_path = f"/static/{listed.path}"
    starts = [at for at in (begins, listed.start if listed else None) if at is not None]
    if starts and min(starts) + COMPLETE_AFTER > datetime.now(UTC):
        raise SourceError(
            f"The {title(proper)} has not been run yet: it begins on {min(starts):%Y-%m-%d at %H:%M} UTC. "
            "Fetch it half an hour after its end."
        )
    return session


def _listed(settings: Settings, proper: SessionRef, name: str, begins: datetime | None) -> ListedSession | None:
    try:
        return listed_as(season_index(settings, proper.year), proper.event, name, begins)
    except SourceError as error:  # FastF1's path is right for nearly all sessions
        log.info("%s", error)
        return None


def title(wanted: SessionRef) -> str:
    """``2025 Australian Grand Prix, Race``."""
    return f"{wanted.year} {wanted.event}, {wanted.name}"


@dataclass(frozen=True)
class Weekend:
    """One event of a season."""

    round_number: int
    event: str
    location: str
    sessions: tuple[tuple[str, datetime | None], ...]
    """Name and start (UTC) of each."""


def weekends(settings: Settings, year: int) -> list[Weekend]:
    """A season's events in order; tests have round 0. Raises SourceError."""
    if year < FIRST_YEAR:
        raise SourceError(f"There is no timing data of {year}: it begins with {FIRST_YEAR}.")
    with fastf1(settings) as client:
        calendar = _calendar(client, year, tests=True)
    tests = [
        Weekend(0, name, event["Location"], tuple(
            (day, _utc(event.get_session_date(number, utc=True))) for day, number in _days(event).items()
        ))
        for name, event in _tests(calendar)
    ]  # fmt: skip
    return tests + [
        Weekend(
            int(event["RoundNumber"]), event["EventName"], event["Location"],
            tuple((name, _utc(event.get_session_date(name, utc=True))) for name in _names(event)),
        )
        for _, event in calendar.iterrows() if not event.is_testing()
    ]  # fmt: skip


def starting_at(settings: Settings, start: datetime, event: str = "", session: str = "") -> SessionRef:
    """The session that our calendar has at ``start`` (UTC) as ``event`` and ``session``. Raises SourceError.

    Calendars are late with moved sessions and name events differently, so a session of that name within ``WEEKEND``
    matches. Without names, the session that starts within half an hour of ``start`` matches.
    """
    at_most = WEEKEND if session else COMPLETE_AFTER
    found = [
        (plain(weekend.event) != plain(event), abs(begins - start), weekend.event, name)
        for weekend in weekends(settings, start.year)
        for name, begins in weekend.sessions
        if begins is not None and abs(begins - start) <= at_most and (not session or same_session(name, session))
    ]
    if not found:
        what = f"no {session} within {at_most.days} days of" if session else "no session that starts on"
        raise SourceError(f"FastF1's calendar has {what} {start:%Y-%m-%d at %H:%M} UTC.")
    *_, event, name = min(found)
    return SessionRef(start.year, event, name)


def _calendar(client: FastF1, year: int, *, tests: bool = False) -> Any:
    try:
        calendar = client.module.get_event_schedule(year, include_testing=tests)
    except ValueError:
        raise client.unreachable(f"The calendar of {year}") or SourceError(
            f"There is no calendar of {year}."
        ) from None
    if calendar.empty:
        raise SourceError(f"There is no calendar of {year}.")
    return calendar


def _days(event: Any) -> dict[str, int]:
    """The days of a test, and their numbers among FastF1's sessions."""
    days = {day: number for number, day in enumerate(TEST_DAYS, 1)}
    return {day: number for day, number in days.items() if event[f"Session{number}"] not in {None, "", "None"}}


def _names(event: Any) -> list[str]:
    return [name for number in range(1, 6) if (name := event[f"Session{number}"]) in SHORT_NAMES]


def _utc(date: Any) -> datetime | None:
    import pandas as pd  # noqa: PLC0415 - FastF1's

    return None if pd.isna(date) else date.to_pydatetime().replace(tzinfo=UTC)
