"""Records of the marts: the newest result of each session and the newest state of each season. No Kafka, no I/O.

They are stored as the bytes that are sent: a record is encoded once, however many viewers request it.
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
"""Stored at most, more than the sport has had. A result takes about 5 KB, a season 100 KB."""

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class EncodedRecord:
    """A record as it is sent."""

    built_ms: int
    """When the marts were built, Unix ms."""
    value: bytes
    etag: str
    """Hash of ``value``."""


class MartsStore:
    """The newest record of each key. Above ``sessions`` or ``seasons`` the key not updated for longest is dropped."""

    def __init__(self, sessions: int = SESSIONS, seasons: int = SEASONS) -> None:
        self._limits = (sessions, seasons)
        self._sessions: dict[str, EncodedRecord] = {}
        self._seasons: dict[int, EncodedRecord] = {}
        self.version: str | None = None
        """Changes with every record of a new build; None before the first record.

        It is the latest build's time and the number of its records here. A build arrives record by record, and a
        viewer that read part of it must learn of the rest.
        """

    def put(self, record: SessionResult | Season) -> None:
        """Store a record in place of an earlier one of its key: later in the topic is newer."""
        value = topics.encode(record)
        encoded = EncodedRecord(record.built_ms, value, hashlib.sha256(value).hexdigest()[:32])
        if isinstance(record, SessionResult):
            _put(self._sessions, record.session_key, encoded, self._limits[0])
        else:
            _put(self._seasons, record.season, encoded, self._limits[1])
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


def _put(records: dict[Key, EncodedRecord], key: Key, record: EncodedRecord, limit: int) -> None:
    records.pop(key, None)  # the latest update is last in the order
    records[key] = record
    while len(records) > limit:
        del records[next(iter(records))]
