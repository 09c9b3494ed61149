"""Estimates where cars are without positions, from the mini-sectors that the feed colours as cars pass them.

All values are shares of a quick lap's time, so no map is needed: at 0.25 a quarter of that time has passed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

from f1stream.race.car import LINES

KEPT = 9
"""Observations kept per mini-sector; their median is where it ends."""
REMEMBERED = 60
"""Mini-sectors kept of each car: more than two laps of them, because a lap's time comes after the lap."""
ENOUGH = 5
"""Observations after which the end of a mini-sector counts as a timing line."""
QUICK = 1.07
"""Laps are learned from if they took at most this multiple of the best one."""
LATE_MS = 500
"""ms. A lap's last mini-sector is published at most this long after the lap's end."""
SLOWEST = 3.0
"""Multiple of a quick lap's time: a car at a slower pace is held at its next mini-sector."""


@dataclass(slots=True)
class MiniSectors:
    """The mini-sectors of one session, each named ``sector.mini``, both counted from 1."""

    observed: dict[str, list[float]] = field(default_factory=dict)
    """By mini-sector: where it was observed to end, 0 < share <= 1."""
    ends: dict[str, float] = field(default_factory=dict)
    """By mini-sector: where it ends, the median of the observations."""
    passed: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    """By car: (mini-sector, session time) of those that it ended last, oldest first."""
    lap_ms: int | None = None
    """Time of the best lap so far."""
    lines: dict[str, int] = field(default_factory=dict)
    """The timing line at the end of a mini-sector. It stays the same when later laps move that end."""

    def record(self, car: str, mini: str, at_ms: int) -> None:
        """Record that a car ended a mini-sector."""
        passed = self.passed.setdefault(car, [])
        passed.append((mini, at_ms))
        del passed[:-REMEMBERED]

    def learn(self, car: str, end_ms: int, lap_ms: int) -> None:
        """Learn from a completed lap, if it was a quick one, where mini-sectors end."""
        if lap_ms <= 0 or (self.lap_ms is not None and lap_ms > self.lap_ms * QUICK):
            return
        self.lap_ms = min(lap_ms, self.lap_ms or lap_ms)
        begin = end_ms - lap_ms
        for mini, at_ms in self.passed.get(car, ()):
            if begin + LATE_MS < at_ms <= end_ms + LATE_MS:
                seen = self.observed.setdefault(mini, [])
                seen.append(min((at_ms - begin) / lap_ms, 1.0))
                del seen[:-KEPT]
                self.ends[mini] = median(seen)
        if not self.lines and min(map(len, self.observed.values()), default=0) >= ENOUGH:
            self.lines = {mini: round(end * LINES) for mini, end in self.ends.items()}

    def along(self, car: str, now: int) -> float | None:
        """The share of its lap that the car has completed at session time ``now``, 0 <= share < 1; None if unknown.

        From its last mini-sector on the car keeps the pace of that one, up to the end of the next.
        """
        known = [(self.ends[mini], at_ms) for mini, at_ms in self.passed.get(car, ())[-2:] if mini in self.ends]
        if self.lap_ms is None or not known:
            return None
        at, since = known[-1]
        ends = self.ends.values()
        following = min((end for end in ends if end > at), default=1.0 + min(ends))
        pace = float(self.lap_ms)
        if len(known) == 2 and (share := (at - known[0][0]) % 1.0):
            pace = min(max((since - known[0][1]) / share, pace), pace * SLOWEST)
        return min(at + (now - since) / pace, following) % 1.0
