"""Laps and messages of a session, each with the session time at which it became known. No Kafka, no I/O.

Entries are stored as the JSON bytes that viewers receive. Laps and messages come from different partitions, so an
entry may arrive after others that became known later.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import orjson

from models import Lap, Message

KINDS = frozenset({
    "session_status", "track_status", "race_control", "weather", "lap_count", "pit_in", "pit_out", "tyre_change",
    "team_radio", "retirement", "session_part", "notice",
})  # fmt: skip
"""Kinds of messages that are stored."""
NOT_STORED = frozenset({
    "session_info", "entries", "track", "sector", "mini_sector", "timing", "clock", "session_end",
})  # fmt: skip
"""Kinds that are in frames and heads, or too many."""
ENTRY_BYTES = 33 + 8 * 5 + 16
"""Memory of an entry beyond its length in CPython: the object, its list slots, its number in a set."""
LAP_BYTES = 400
"""Further memory of a lap: its index by car and number."""
Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fact:
    """A record of topic ``laps`` or ``messages``. Topic, key, run id and seq identify it."""

    session_key: str
    run_id: int
    topic: str
    key: bytes
    seq: int
    known_ms: int
    """Session time at which it became known."""
    record: Lap | Message


class History:
    """The entries of one run, ordered by the time ``t`` at which they became known."""

    def __init__(self) -> None:
        self.size = 0
        """Bytes of memory."""
        self._in_order = _Timeline()
        self._by_kind: dict[str, _Timeline] = defaultdict(_Timeline)
        self._laps: dict[str, dict[int, _Timeline]] = {}
        """By car and number."""
        self._arrivals: list[tuple[int, bytes]] = []
        self._seen: dict[tuple[str, bytes], set[int]] = defaultdict(set)

    @property
    def arrivals(self) -> int:
        """How many entries have arrived."""
        return len(self._arrivals)

    def add(self, fact: Fact) -> bool:
        """Add a lap or a message of ``KINDS``. False for another message and for a repeat."""
        seen = self._seen[fact.topic, fact.key]
        if fact.seq in seen or not is_stored(fact.record):
            return False
        seen.add(fact.seq)
        entry = entry_of(fact.record, fact.known_ms)
        value = orjson.dumps(entry)
        self._in_order.add(fact.known_ms, value)
        self._by_kind[entry["kind"]].add(fact.known_ms, value)
        if isinstance(fact.record, Lap):
            laps = self._laps.setdefault(fact.record.driver_number, {})
            laps.setdefault(fact.record.lap_number, _Timeline()).add(fact.known_ms, value)
            self.size += LAP_BYTES
        self._arrivals.append((fact.known_ms, value))
        self.size += len(value) + ENTRY_BYTES
        return True

    def between(self, after_ms: int, until_ms: int) -> list[bytes]:
        """The entries that became known after ``after_ms`` and by ``until_ms``, in that order."""
        return self._in_order.between(after_ms, until_ms)

    def late(self, since: int, until_ms: int) -> list[bytes]:
        """The entries known by ``until_ms`` that arrived as number ``since`` or later, in order of time."""
        if since == len(self._arrivals):
            return []
        known = [entry for entry in self._arrivals[since:] if entry[0] <= until_ms]
        return [value for _, value in sorted(known, key=lambda entry: entry[0])]

    def messages(self, kind: str, at: int | None = None) -> list[bytes]:
        """The messages of a kind known by ``at`` (None: all)."""
        return self._by_kind[kind].until(at) if kind in self._by_kind else []

    def laps(self, at: int | None = None) -> dict[str, dict[int, bytes]]:
        """The laps known by ``at``, by car and number, each in its last revision at that time."""
        known = {
            car: {number: value for number, revisions in laps.items() if (value := revisions.last(at)) is not None}
            for car, laps in self._laps.items()
        }
        return {car: laps for car, laps in known.items() if laps}

    def lap(self, car: str, number: int, at: int | None = None) -> Entry | None:
        """One lap, decoded; None when it was not known by ``at``."""
        revisions = self._laps.get(car, {}).get(number)
        value = None if revisions is None else revisions.last(at)
        lap: Entry | None = None if value is None else orjson.loads(value)
        return lap


class _Timeline:
    """Entries ordered by time; entries of equal time stay in the order of their arrival."""

    __slots__ = ("_times", "_values")

    def __init__(self) -> None:
        self._times: list[int] = []
        self._values: list[bytes] = []

    def add(self, t: int, value: bytes) -> None:
        place = bisect_right(self._times, t)
        self._times.insert(place, t)
        self._values.insert(place, value)

    def between(self, after_ms: int, until_ms: int) -> list[bytes]:
        return self._values[bisect_right(self._times, after_ms) : bisect_right(self._times, until_ms)]

    def until(self, at: int | None) -> list[bytes]:
        return self._values[: None if at is None else bisect_right(self._times, at)]

    def last(self, at: int | None) -> bytes | None:
        place = len(self._times) if at is None else bisect_right(self._times, at)
        return self._values[place - 1] if place else None


def is_stored(record: Lap | Message) -> bool:
    """Whether a history stores the record."""
    return isinstance(record, Lap) or record.kind in KINDS


def entry_of(record: Lap | Message, known_ms: int) -> Entry:
    """A record as viewers receive it, with the time ``t`` at which it became known."""
    if isinstance(record, Lap):
        return _lap_entry(record, known_ms)
    return {"t": known_ms, **record.model_dump(mode="json", exclude_none=True)}


def _lap_entry(lap: Lap, known_ms: int) -> Entry:
    flags = {
        "in": lap.pit_in_ms is not None, "out": lap.pit_out_ms is not None, "deleted": bool(lap.deleted),
        "made": lap.generated,
    }  # fmt: skip
    return {
        "t": known_ms, "kind": "lap", "car": lap.driver_number, "lap": lap.lap_number, "ms": lap.lap_time_ms,
        "end": lap.end_ms, "start": lap.start_ms, "pos": lap.position,
        "s": [lap.sector1_ms, lap.sector2_ms, lap.sector3_ms], "tyre": lap.compound, "life": lap.tyre_life,
        "stint": lap.stint, "fresh": lap.fresh_tyre, "status": lap.track_status,
        **{name: True for name, holds in flags.items() if holds},
    }  # fmt: skip
