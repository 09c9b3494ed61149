"""What the marts say here: the newest result of each session and the newest state of each season.

EncodedRecord as the bytes that are sent: a record is encoded once, however many viewers ask for it. No Kafka, no I/O.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from f1stream import topics
from models import Season, SessionResult

SESSIONS = 400
SEASONS = 100
"""More than have been raced. A result takes about 5 KB, a season 100 KB."""

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class EncodedRecord:
    """A record, ready to be sent."""

    built_ms: int
    """When the marts were built, Unix ms."""
    value: bytes
    etag: str
    """Another one for another value."""


class MartsStore:
    """The newest record of each key. Beyond ``sessions`` and ``seasons`` of them the longest untold goes first."""

    def __init__(self, sessions: int = SESSIONS, seasons: int = SEASONS) -> None:
        self._limits = (sessions, seasons)
        self._sessions: dict[str, EncodedRecord] = {}
        self._seasons: dict[int, EncodedRecord] = {}
        self.version: str | None = None
        """Another one whenever something of a build has come; None before the first.

        It is the latest build's time and how many of its records are here: a build comes record by record, and
        who asked in the middle of one must hear of the rest.
        """

    def keep(self, record: SessionResult | Season) -> None:
        """Keep a record in the place of an earlier one of its key: what is later in the topic is newer."""
        value = topics.encode(record)
        kept = EncodedRecord(record.built_ms, value, hashlib.sha256(value).hexdigest()[:32])
        if isinstance(record, SessionResult):
            _put(self._sessions, record.session_key, kept, self._limits[0])
        else:
            _put(self._seasons, record.season, kept, self._limits[1])
        times = [each.built_ms for each in (*self._sessions.values(), *self._seasons.values())]
        self.version = f"{max(times)}-{times.count(max(times))}"

    def session(self, session_key: str) -> EncodedRecord | None:
        """The result of a session; None when the marts have none."""
        return self._sessions.get(session_key)

    def season(self, year: int) -> EncodedRecord | None:
        """A season; None when the marts have none."""
        return self._seasons.get(year)

    def seasons(self) -> Iterator[tuple[int, EncodedRecord]]:
        """Every season, the newest first."""
        return ((year, self._seasons[year]) for year in sorted(self._seasons, reverse=True))


def _put(places: dict[Key, EncodedRecord], key: Key, kept: EncodedRecord, limit: int) -> None:
    places.pop(key, None)  # the latest told is the last in the order
    places[key] = kept
    while len(places) > limit:
        del places[next(iter(places))]
