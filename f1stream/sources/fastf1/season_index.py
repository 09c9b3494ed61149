"""The feed's index of a season: its sessions, the start of each, and where it is published.

``livetiming.formula1.com/static/{year}/Index.json``. It has a moved session earlier than calendars do, and its path
keeps the original date: the qualifying of São Paulo 2024, moved to Sunday, is published under Saturday's.
"""

from __future__ import annotations

import json
import logging
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from f1stream.settings import Settings
from f1stream.sources.session import SourceError
from f1stream.sources.timestamps import gmt_offset_ms, utc_ms

LIVETIMING = "livetiming.formula1.com"
TIMEOUT_S = (5.0, 20.0)
"""To connect, and between two parts of the answer."""
MAX_BYTES = 4_000_000
"""A season has 60 kB; a longer answer is an error."""
WEEKEND = timedelta(days=4)
"""A session is held at most this long before or after its time in any calendar."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ListedSession:
    """A session as the index lists it."""

    meeting: str
    """``Miami Grand Prix``."""
    name: str
    """``Practice 1``, ``Sprint Qualifying``, ``Race``; of a test ``Day 1`` or ``Practice 1``."""
    start: datetime
    """UTC."""
    path: str
    """Below ``/static/``, with a slash at the end; empty until the feed has one."""


def season_index(settings: Settings, year: int) -> list[ListedSession]:
    """A season's sessions by start, from the feed or the last stored index. Raises SourceError without both."""
    stored = settings.folder("season_index") / f"{year}.json"
    try:
        body = _download(settings, year)
        sessions = parse(body)
    except (requests.RequestException, ValueError) as error:
        try:
            sessions = parse(stored.read_bytes())
        except (OSError, ValueError):
            raise SourceError(
                f"The feed's index of {year} is not available ({type(error).__name__}: {error})."
            ) from None
        log.info("Using the stored index of %d: %s.", year, error)
        return sessions
    _store(stored, body)
    return sessions


def parse(body: bytes) -> list[ListedSession]:
    """The sessions of an index that have a name and a start, by start. Raises ValueError for other data."""
    meetings = _of(json.loads(body.decode("utf-8-sig")), "Meetings")
    if not isinstance(meetings, list):
        raise ValueError("it lists no meetings")  # noqa: TRY004 - of the answer, not of a caller
    found = []
    for meeting in meetings:
        for session in _of(meeting, "Sessions") or ():
            name, start = _of(session, "Name"), _start(session)
            if isinstance(name, str) and name and start is not None:
                found.append(ListedSession(str(_of(meeting, "Name") or ""), name, start, _path(session)))
    return sorted(found, key=lambda each: each.start)


def listed_as(
    sessions: Iterable[ListedSession], event: str, name: str, start: datetime | None
) -> ListedSession | None:
    """The listed session that a calendar has as ``event`` and ``name`` at ``start``; None if there is none.

    Names of events differ between calendars; within a weekend the session's name is enough.
    """
    near = [
        each
        for each in sessions
        if same_session(each.name, name) and (start is None or abs(each.start - start) <= WEEKEND)
    ]
    named = [each for each in near if plain(each.meeting) == plain(event)]
    if start is None:
        return named[0] if len(named) == 1 else None
    return min(named or near, key=lambda each: abs(each.start - start), default=None)


def same_session(one: str, other: str) -> bool:
    """Whether two names mean one session; a day of a test is ``Day 1`` or ``Practice 1``."""
    return _day(one) == _day(other)


def plain(text: str) -> str:
    """Lower-case letters and digits without accents, joined by hyphens: ``sao-paulo-grand-prix``."""
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().casefold()
    return re.sub(r"[^a-z0-9]+", "-", letters).strip("-")


def _day(name: str) -> str:
    return re.sub(r"^day-", "practice-", plain(name))


def _download(settings: Settings, year: int) -> bytes:
    """Raises requests.RequestException, and ValueError for an answer that is too long."""
    address = f"{settings.fastf1_url.rstrip('/') or 'https:/'}/{LIVETIMING}/static/{year}/Index.json"
    body = b""
    with requests.get(address, timeout=TIMEOUT_S, stream=True) as answer:
        answer.raise_for_status()
        for part in answer.iter_content(64_000):
            body += part
            if len(body) > MAX_BYTES:
                raise ValueError(f"more than {MAX_BYTES:,} bytes")
    return body


def _store(file: Path, body: bytes) -> None:
    try:
        partial = file.with_suffix(".partial")
        partial.write_bytes(body)
        partial.replace(file)
    except OSError as error:
        log.warning("The feed's index cannot be stored in %s: %s.", file, error)


def _start(session: Any) -> datetime | None:
    """The start in UTC, from local time and its offset."""
    ahead = gmt_offset_ms(_of(session, "GmtOffset"))
    local = utc_ms(_of(session, "StartDate"))
    if ahead is None or local is None:
        return None
    return datetime.fromtimestamp((local - ahead) / 1000, UTC)


def _path(session: Any) -> str:
    path = _of(session, "Path")
    return path if isinstance(path, str) and re.fullmatch(r"20\d\d/[\w.-]+/[\w.-]+/", path) else ""


def _of(data: Any, name: str) -> Any:
    return data.get(name) if isinstance(data, dict) else None
