"""How far a car has driven: its integrated speed, corrected by its positions.

Positions alone put a car at the finish line with a median gap error of 40 ms; with the speed in between it is
under 30 ms, because a position's noise (GPS, the racing line, the feed's time stamps) lasts a sample and the
speed's does not add up.
"""

from __future__ import annotations

from dataclasses import dataclass

GAIN = 0.1
"""Share of the difference between position and dead reckoning that one sample corrects."""
MOST_M = 2.0
"""m. A larger difference is capped at this. Positions can be 20 m late or early for some seconds (the pit lane of
Melbourne, the last corner of Mexico City) while dead reckoning is right."""
PIT_GAIN = 0.5
"""The same in the pit lane, without the cap: the way into it is longer or shorter than the reference line (in Mexico
City by some 10 m), so that dead reckoning is wrong from the entry on."""
GATE_M = 30.0
"""m. A position further off is ignored: a car off the road, spinning wheels, another part of the track nearby."""
STRIKES = 8
"""After so many such positions in a row, about a second, the position is taken over."""
SILENCE_MS = 2_000
"""ms. After a longer time without samples the next position is taken over."""
LONGEST_MS = 3_600_000
"""ms. Dead reckoning covers at most this much time without samples: after more, laps are lost."""
MS_PER_HOUR = 3_600.0
"""km/h times ms, divided by this, is metres."""
KMH = 3.6
"""km/h in one m/s."""


@dataclass(slots=True)
class Progress:
    """One car's distance in metres since the start: it grows by the reference line's length each lap."""

    m: float | None = None
    t: int = -1
    speed: float = 0.0
    strikes: int = 0

    def sample(self, t: int, s: float | None, speed: float, length_m: float, in_pit: bool = False) -> float | None:
        """Apply a sample at session time ``t`` (ms), ``s`` metres along the lap (None: no position), ``speed`` km/h.

        Returns the new distance; None before the first position.
        """
        elapsed = t - self.t
        if self.m is None:
            if s is None:
                return None
            self.m = s - length_m if s > length_m / 2 else s
        else:
            self.m += (self.speed + speed) * 0.5 * min(elapsed, LONGEST_MS) / MS_PER_HOUR
            if s is not None:
                self._correct(s, elapsed, length_m, in_pit)
        self.t, self.speed = t, speed
        return self.m

    def _correct(self, s: float, elapsed: int, length_m: float, in_pit: bool) -> None:
        assert self.m is not None  # noqa: S101
        off = (s - self.m + length_m / 2) % length_m - length_m / 2
        if abs(off) <= GATE_M:
            if in_pit:
                self.m += PIT_GAIN * off
            elif -MOST_M < off < MOST_M:
                self.m += GAIN * off
            else:
                self.m += GAIN * MOST_M if off > 0 else -GAIN * MOST_M
            self.strikes = 0
        elif self.strikes + 1 >= STRIKES or elapsed > SILENCE_MS:
            self.m += off
            self.strikes = 0
        else:
            self.strikes += 1
