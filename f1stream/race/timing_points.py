"""Timing points: the finish line and the sector lines, where official times are taken. Learns where they are.

The finish line is near the beginning of the reference line. Its exact position and those of the sector lines are not
published: they are learned from the positions that samples have at official times.

These positions depend on the speed, because the feed stamps samples earlier than the transponders' times: at the same
line, a car at 80 m/s is shown some 13 m further on than one at the 22 m/s of the pit lane. The slope, metres per m/s,
is a time: 0.20 s in Melbourne (2025 race), 0.34 s in Mexico City (2025 qualifying, as sent live). Without it the pit
lane's finish line would seem 17 m and 19 m early, the first cars into the pits would be 0.8 s off before that is
learned, and a slow lap behind the safety car up to 0.2 s at the sector lines.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FINISH, SECTOR_1, SECTOR_2, PIT_FINISH = range(4)
"""``PIT_FINISH`` is where the pit lane crosses the finish line."""
ON_TRACK = (FINISH, SECTOR_1, SECTOR_2)
OBSERVATIONS = 99
"""Observations kept per point; their median is its position."""
FARTHEST_FINISH_M = 60.0
"""m. An official lap end further from the beginning of the reference line is ignored."""
SHOWN_M = 10
"""m to which shown positions are rounded, so that they do not change with every lap."""
AHEAD_S, AHEAD_SPREAD_S = 0.2, 0.1
"""s. How far samples are ahead of official times: the prior and its standard deviation."""
PIT_EARLY_M, PIT_EARLY_SPREAD_M = 3.5, 2.5
"""m. How much earlier cars in the pit lane cross the finish line, beyond the effect of the speed: prior and standard
deviation. Observed: 5 m at first and 3 m at the end in Melbourne, 2 m in Mexico City, none in simulated sessions."""
LEAST_NOISE_M = 0.3
"""m. The least standard deviation of an observation: positions are rounded and interpolated."""
FASTEST = 110.0
"""m/s. No car is faster."""
MAD = 1.4826
"""A normal distribution's standard deviation, in medians of its absolute deviations."""


class Passing(NamedTuple):
    """A car passed a timing point on a lap at a session time."""

    point: int
    lap: int
    time_ms: int


class MeasuredPassing(NamedTuple):
    """A car's passing of a timing point with both times, measured and official."""

    car: str
    point: int
    lap: int
    measured_ms: int
    official_ms: int


class Observation(NamedTuple):
    """Where a car was at its official time at a point: metres from the lap's start (finish: from its end), m/s."""

    point: int
    metres: float
    speed: float = -1.0
    """Negative in checkpoints of earlier releases, which had no speed."""


@dataclass(slots=True)
class TimingPoints:
    """What has been learned of the timing points of one circuit."""

    length_m: float
    observed: list[list[float]] = field(default_factory=lambda: [[], [], [], []])
    """For each point the latest ``Observation.metres``, in order of arrival."""
    speeds: list[list[float]] = field(default_factory=lambda: [[], [], [], []])
    """The same: ``Observation.speed``."""
    ahead_s: float = AHEAD_S
    """How far samples are ahead of official times."""
    _at: list[float | None] = field(default_factory=lambda: [None] * 4)
    """Position of each point for a car with speed 0."""
    _shown: tuple[int | None, int | None] = (None, None)
    """``sector_lines``, cached: every frame reads them."""

    def __post_init__(self) -> None:
        for point, speeds in enumerate(self.speeds):
            if len(speeds) != len(self.observed[point]):  # a checkpoint of an earlier release
                self.observed[point], self.speeds[point] = [], []
        self._locate()

    def learn(self, seen: Iterable[Observation]) -> None:
        """Add observations and learn the positions again."""
        for point, metres, speed in seen:
            finish = point in (FINISH, PIT_FINISH)
            if speed >= 0 and (abs(metres) < FARTHEST_FINISH_M if finish else 0 < metres < self.length_m):
                self.observed[point].append(metres)
                self.speeds[point].append(speed)
                del self.observed[point][:-OBSERVATIONS], self.speeds[point][:-OBSERVATIONS]
        self.ahead_s = self._slope()
        self._locate()

    def position(self, point: int, speed: float) -> float | None:
        """The position of a point for a car at ``speed`` (m/s): metres from the lap's start (finish: from its end).

        None until learned; until then the finish line is taken to be where the reference line begins.
        """
        at = self._at[point]
        return None if at is None else at + self.ahead_s * speed

    @property
    def varies_m(self) -> float:
        """The largest distance between positions of a point at different speeds."""
        return abs(self.ahead_s) * FASTEST

    def usual(self, point: int) -> float | None:
        """The position of a point at the usual speed there; None until observed."""
        return _median(np.array(self.observed[point])) if self.observed[point] else None

    def sector_lines(self) -> tuple[int | None, int | None]:
        """The ends of sectors 1 and 2 in metres, rounded to ``SHOWN_M``."""
        return self._shown

    def _rounded(self, point: int) -> int | None:
        usual = self.usual(point)
        return None if usual is None else round(usual / SHOWN_M) * SHOWN_M

    def _rests(self, *points: int) -> list[_Rest]:
        """The observations of ``points`` less the effect of the speed; points without observations are left out."""
        rests = []
        for point in points:
            if self.observed[point]:
                speed = np.array(self.speeds[point])
                rest = np.array(self.observed[point]) - self.ahead_s * speed
                middle = _median(rest)
                rests.append(_Rest(point, middle, rest - middle, speed))
        return rests

    def _slope(self) -> float:
        """The common slope of metres over speed at the points on track: least squares with outliers weighted down."""
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
        for point, middle, _, _ in rests:
            self._at[point] = middle
        self._shown = self._rounded(SECTOR_1), self._rounded(SECTOR_2)
        on_track = self._at[FINISH]
        if on_track is not None:
            passes, trust = len(self.observed[PIT_FINISH]), (_noise(rests) / PIT_EARLY_SPREAD_M) ** 2
            early = sum(on_track - pit.middle for pit in self._rests(PIT_FINISH))
            self._at[PIT_FINISH] = on_track - (passes * early + trust * PIT_EARLY_M) / (passes + trust)


class _Rest(NamedTuple):
    """Of a point: its position for a car with speed 0 (m), each observation's offset from it, and its speed."""

    point: int
    middle: float
    off: Floats
    speed: Floats


def _noise(rests: list[_Rest]) -> float:
    """Standard deviation of one observation, m."""
    return max(MAD * _median(np.abs(np.concatenate([rest.off for rest in rests]))), LEAST_NOISE_M) if rests else 0.0


def _median(values: Floats) -> float:
    return float(np.sort(values)[len(values) // 2])
