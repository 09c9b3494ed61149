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
"""m/s²; so are the two above."""
_STANDS_WITHIN_M = 0.4
"""A car this close to its target stops."""
_SLOW_BEFORE_M = 3.0
"""Cars are down to the speed limit this far before the entry line."""
_LIMIT_MARGIN = 0.99
"""Share of the speed limit that cars drive."""
QUEUE_HEAD_M = 12.0
"""The first car in the queue of a suspended race stands this far before the pit exit."""
LANE_ENTERED_M = 150.0
"""From this far before the pit entry a car no longer blocks others."""


@dataclass
class SimulatedPitVisit:
    """One car's way from the pit entry to the exit. ``entry``, ``target`` and ``exit`` are progress, m."""

    car: int
    kind: Literal["stop", "suspension", "retire", "start"]
    lap: int
    """The in-lap; for a pit-lane start 0."""
    entry: float
    target: float
    """Where the car stands."""
    exit: float
    standing_s: float = inf
    """How long the car stands; infinite until it is released."""
    tyres: SimulatedTyres | None = None
    phase: Literal["in", "standing", "out"] = "in"
    ready: float = inf
    """Race time at which it drives on."""

    @classmethod
    def after_lap(
        cls, car: int, kind: Literal["stop", "suspension", "retire"], lap: int, length: float, box: float
    ) -> SimulatedPitVisit:
        """A visit at the end of a lap; ``box`` is relative to the finish line."""
        line = lap * length
        return cls(car, kind, lap, line + PIT_ENTRY_M, line + box, line + PIT_EXIT_M)

    def queue(self, place: int, spacing: float) -> None:
        """Take a place in the queue of a suspended race, 0 at its head."""
        self.target = self.exit - QUEUE_HEAD_M - place * spacing

    @property
    def waiting_for_restart(self) -> bool:
        """Whether the car waits for the restart."""
        return self.phase == "standing" and self.ready == inf and self.kind != "retire"

    def speed(self, t: float, p: float, v: float, free: float) -> float:
        """The car's next speed (m/s) from progress ``p`` and speed ``v``; ``free`` is its speed without the lane."""
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
