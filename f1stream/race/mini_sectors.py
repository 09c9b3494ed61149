"""Where cars are when nobody tells: estimated from the mini-sectors that the feed colours as cars pass them.

All in shares of a lap's time, so no map is needed: at 0.25 a quarter of a quick lap's time has gone by.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

from f1stream.race.car import LINES

KEPT = 9
"""Observations per mini-sector; their median is where it ends."""
REMEMBERED = 60
"""Passages kept by car: two laps and more, because a lap's time comes after the lap."""
ENOUGH = 5
"""So many observations make a line."""
QUICK = 1.07
"""Laps are learned from up to so many times the best one."""
LATE_MS = 500
"""The last mini-sector of a lap is told so long after the lap's end at most."""
SLOWEST = 3.0
"""A car drives at most so many times a quick lap's time for a lap; a slower one waits for its next mini-sector."""


@dataclass(slots=True)
class MiniSectors:
    """Of one session. A mini-sector is told as ``sector.mini``, both from 1."""

    observed: dict[str, list[float]] = field(default_factory=dict)
    """By mini-sector: where it was seen to end, 0 < share <= 1."""
    ends: dict[str, float] = field(default_factory=dict)
    """Where it ends, by the median of these."""
    passed: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    """By car: its latest passages, (mini-sector, session time), oldest first."""
    lap_ms: int | None = None
    """The best lap so far."""
    lines: dict[str, int] = field(default_factory=dict)
    """The timing line that stands for the end of a mini-sector: the same for good, wherever that end is found."""

    def record(self, car: str, mini: str, at_ms: int) -> None:
        """A car ended a mini-sector."""
        passed = self.passed.setdefault(car, [])
        passed.append((mini, at_ms))
        del passed[:-REMEMBERED]

    def learn(self, car: str, end_ms: int, lap_ms: int) -> None:
        """A car completed a lap: if it was a quick one, it shows where mini-sectors end."""
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
        """How much of a lap the car has behind it at session time ``now``, 0 <= share < 1; None when unknown.

        From its last mini-sector it goes on at the pace of that one, but never beyond the next that it has not ended.
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
