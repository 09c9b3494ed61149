"""Simulated races, encoded before anything is measured, and merged as if they ran at the same time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from f1stream import topics
from f1stream.sources.packing import OutgoingRecord, pack
from f1stream.sources.simulator import simulate
from models import Packet

EPOCH = 1
CARS = 22


@dataclass
class Load:
    """One or several sessions on their way."""

    samples: dict[str, int]
    """By session key: those in the packets."""
    race_s: float
    """Session time of all of them together."""
    records: list[tuple[OutgoingRecord, bytes]]

    @property
    def sessions(self) -> int:
        """How many."""
        return len(self.samples)


def load(sessions: int, laps: int, packet_ms: int, cars: int = CARS, *, only: str | None = None) -> Load:
    """So many races, which start at the same instant. ``only``: the records of one topic."""
    made = Load({}, 0.0, [])
    nothing: Any = None  # the bytes are enough: records as objects would fill the memory
    for seed in range(1, sessions + 1):
        race = simulate(seed, cars=cars, laps=laps)
        made.samples[race.session_key] = 0
        made.race_s += (race.end_ms - race.start_ms) / 1000
        for item in pack(race, EPOCH, packet_ms):
            if isinstance(item.record, Packet):
                made.samples[race.session_key] += len(item.record.session_time_ms)
            if only in {None, item.topic}:
                made.records.append((replace(item, record=nothing), topics.encode(item.record)))
    made.records.sort(key=lambda pair: pair[0].headers.emitted_ms)  # stable: within a session the order stays
    return made
