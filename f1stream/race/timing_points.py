"""The places where official times are taken, and where along the lap they are.

The finish line is near the beginning of the reference line. Where exactly, and where the sector lines are, is not
published: it is learned from the positions that samples have at official times.

These depend on the speed. The feed stamps samples earlier than the times of the transponders: at the same line, a
car at 80 m/s is shown some 13 m further on than one at the 22 m/s of the pit lane. The slope of that, metres over
metres a second, is a time: 0.20 s in Melbourne (2025 race), 0.34 s in Mexico City (2025 qualifying, as sent live).
Without it the pit lane's finish line seems to be 17 m and 19 m early, which the first cars into the pits (0.8 s off)
must have shown before it is known, and a slow lap behind the safety car is up to 0.2 s off at the sector lines.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FINISH, SECTOR_1, SECTOR_2, PIT_FINISH = range(4)
ON_TRACK = (FINISH, SECTOR_1, SECTOR_2)
KEPT = 99
"""Observations per place; their median is where it is."""
FARTHEST_FINISH_M = 60.0
"""m. An official lap end further from the beginning of the reference line is not believed."""
SHOWN_M = 10
"""What is shown is rounded, so that it does not change with every lap."""
AHEAD_S, AHEAD_SPREAD_S = 0.2, 0.1
"""s. How far samples are ahead of official times before a session has shown it, and the spread of that."""
PIT_EARLY_M, PIT_EARLY_SPREAD_M = 3.5, 2.5
"""m. How much earlier, beyond the effect of the speed, cars in the pit lane are shown at the finish line, likewise
before a session has shown it: 5 m at first and 3 m at the end in Melbourne, 2 m in Mexico City, none simulated."""
LEAST_NOISE_M = 0.3
"""m. Positions are rounded and interpolated: a place is not observed better than this."""
FASTEST = 110.0
"""m/s. No car is faster."""
MAD = 1.4826
"""A normal distribution's standard deviation, in medians of its absolute deviations."""


class Passing(NamedTuple):
    """A car was measured at a place of a lap at a session time."""

    place: int
    lap: int
    time_ms: int


class MeasuredPassing(NamedTuple):
    """One car at one place of one lap: when it was measured there, and officially."""

    car: str
    place: int
    lap: int
    measured_ms: int
    official_ms: int


class Observation(NamedTuple):
    """Where a car was when it was officially at a place: metres from the lap's start (finish: from its end), m/s."""

    place: int
    metres: float
    speed: float = -1.0
    """Negative in checkpoints of earlier releases, which had none."""


@dataclass(slots=True)
class TimingPoints:
    """What has been learned of one circuit."""

    length_m: float
    observed: list[list[float]] = field(default_factory=lambda: [[], [], [], []])
    """For each place the latest ``Observation.metres``, in order of arrival."""
    speeds: list[list[float]] = field(default_factory=lambda: [[], [], [], []])
    """Likewise ``Observation.speed``."""
    ahead_s: float = AHEAD_S
    """How far samples are ahead of official times."""
    _at: list[float | None] = field(default_factory=lambda: [None] * 4)
    """Where a car would be at each place with speed 0."""
    _shown: tuple[int | None, int | None] = (None, None)
    """``sector_lines``: every frame asks for them."""

    def __post_init__(self) -> None:
        for place, speeds in enumerate(self.speeds):
            if len(speeds) != len(self.observed[place]):  # an older checkpoint
                self.observed[place], self.speeds[place] = [], []
        self._locate()

    def learn(self, seen: Iterable[Observation]) -> None:
        """Cars were officially at places."""
        for place, metres, speed in seen:
            finish = place in (FINISH, PIT_FINISH)
            if speed >= 0 and (abs(metres) < FARTHEST_FINISH_M if finish else 0 < metres < self.length_m):
                self.observed[place].append(metres)
                self.speeds[place].append(speed)
                del self.observed[place][:-KEPT], self.speeds[place][:-KEPT]
        self.ahead_s = self._slope()
        self._locate()

    def position(self, place: int, speed: float) -> float | None:
        """Where a car at ``speed`` (m/s) is at the place, metres from the lap's start (finish: from its end).

        None until learned; on the track, the finish line is then where the reference line begins.
        """
        at = self._at[place]
        return None if at is None else at + self.ahead_s * speed

    @property
    def varies_m(self) -> float:
        """How far apart the positions of a place are at the speeds that cars have, at most."""
        return abs(self.ahead_s) * FASTEST

    def usual(self, place: int) -> float | None:
        """The same at the usual speed there."""
        return _median(np.array(self.observed[place])) if self.observed[place] else None

    def sector_lines(self) -> tuple[int | None, int | None]:
        """The ends of sectors 1 and 2, rounded to ``SHOWN_M``."""
        return self._shown

    def _rounded(self, place: int) -> int | None:
        usual = self.usual(place)
        return None if usual is None else round(usual / SHOWN_M) * SHOWN_M

    def _rests(self, *places: int) -> list[_Rest]:
        """What was observed at those of ``places`` that were, less the effect of the speed."""
        rests = []
        for place in places:
            if self.observed[place]:
                speed = np.array(self.speeds[place])
                rest = np.array(self.observed[place]) - self.ahead_s * speed
                middle = _median(rest)
                rests.append(_Rest(place, middle, rest - middle, speed))
        return rests

    def _slope(self) -> float:
        """What metres over speed at the places on the track have in common: least squares, outliers weighted down."""
        rests = self._rests(*ON_TRACK)
        noise = _noise(rests)
        precision, pull = AHEAD_SPREAD_S**-2, (AHEAD_S - self.ahead_s) * AHEAD_SPREAD_S**-2
        for _, _, off, speed in rests:
            weight = noise / np.maximum(np.abs(off), noise)
            beside = weight * (speed - (weight * speed).sum() / weight.sum()) / noise**2
            precision += float((beside * speed).sum())
            pull += float((beside * off).sum())
        return self.ahead_s + pull / precision

    def _locate(self) -> None:
        rests = self._rests(*ON_TRACK)
        self._at = [None] * 4
        for place, middle, _, _ in rests:
            self._at[place] = middle
        self._shown = self._rounded(SECTOR_1), self._rounded(SECTOR_2)
        on_track = self._at[FINISH]
        if on_track is not None:
            passes, trust = len(self.observed[PIT_FINISH]), (_noise(rests) / PIT_EARLY_SPREAD_M) ** 2
            early = sum(on_track - pit.middle for pit in self._rests(PIT_FINISH))
            self._at[PIT_FINISH] = on_track - (passes * early + trust * PIT_EARLY_M) / (passes + trust)


class _Rest(NamedTuple):
    """Of a place: where a car with speed 0 would be (m), how far off that each observation is, and its speed."""

    place: int
    middle: float
    off: Floats
    speed: Floats


def _noise(rests: list[_Rest]) -> float:
    """Standard deviation of one observation, m."""
    return max(MAD * _median(np.abs(np.concatenate([rest.off for rest in rests]))), LEAST_NOISE_M) if rests else 0.0


def _median(values: Floats) -> float:
    return float(np.sort(values)[len(values) // 2])
