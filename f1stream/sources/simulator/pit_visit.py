"""A car's visit to the pit lane: for tyres, to wait out a suspension, to retire, or to start from it."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt
from typing import Literal

from f1stream.sources.simulator.circuit import PIT_ENTRY_M, PIT_EXIT_M, PIT_LIMIT_MS
from f1stream.sources.simulator.plan import SimulatedTyres
from f1stream.sources.simulator.trace import STEP_S

_BRAKING_TO_ENTRY = 20.0
_BRAKING_TO_BOX = 5.0
_PULLING_AWAY = 6.0
"""m/s², likewise above"""
_STANDS_WITHIN_M = 0.4
_SLOW_BEFORE_M = 3.0
"""Cars are down to the speed limit this far before the entry line."""
_LIMIT_MARGIN = 0.99
QUEUE_HEAD_M = 12.0
"""A suspended race queues in front of the pit exit, the first car this far from it."""
LANE_ENTERED_M = 150.0
"""A car that brakes for the pit lane keeps out of the others' way this far before its entry."""


@dataclass
class PitVisit:
    """One car's way from the pit entry to the exit. Progress (m) is the race's."""

    car: int
    kind: Literal["stop", "suspension", "retire", "start"]
    lap: int
    """The in-lap; for a pit-lane start 0."""
    entry: float
    target: float
    """Where it stands."""
    exit: float
    standing_s: float = inf
    """How long it stands; without end until it is released."""
    tyres: SimulatedTyres | None = None
    phase: Literal["in", "standing", "out"] = "in"
    ready: float = inf
    """Race time at which it drives on."""

    @classmethod
    def after_lap(
        cls, car: int, kind: Literal["stop", "suspension", "retire"], lap: int, length: float, box: float
    ) -> PitVisit:
        """At the end of a lap; ``box`` is relative to the finish line."""
        line = lap * length
        return cls(car, kind, lap, line + PIT_ENTRY_M, line + box, line + PIT_EXIT_M)

    def queue(self, place: int, spacing: float) -> None:
        """Take a place in the queue of a suspended race, 0 at its head."""
        self.target = self.exit - QUEUE_HEAD_M - place * spacing

    @property
    def held(self) -> bool:
        """The car waits for the restart."""
        return self.phase == "standing" and self.ready == inf and self.kind != "retire"

    def speed(self, t: float, p: float, v: float, free: float) -> float:
        """The car's next speed (m/s): it is at ``p`` with ``v``, and would drive ``free`` if it could."""
        limit = PIT_LIMIT_MS * _LIMIT_MARGIN
        if self.phase == "standing":
            if t < self.ready - STEP_S / 2:
                return 0.0
            self.phase = "out"
        if self.phase == "out":
            return min(limit, v + _PULLING_AWAY * STEP_S)
        if p < self.entry:
            rest = max(self.entry - _SLOW_BEFORE_M - p - v * STEP_S, 0.0)
            return min(free, sqrt(limit * limit + 2 * _BRAKING_TO_ENTRY * rest))
        rest = self.target - p
        if rest < _STANDS_WITHIN_M:
            self.phase = "standing"
            self.ready = t + STEP_S + self.standing_s
            return 0.0
        return min(limit, v + _PULLING_AWAY * STEP_S, sqrt(2 * _BRAKING_TO_BOX * rest))
