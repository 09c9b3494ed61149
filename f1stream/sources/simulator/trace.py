"""The motion of all cars, from which every record of a simulated session is derived.

Speed is linear between steps, so progress is a parabola and the time at which a car crosses a line is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from f1stream.sources.simulator.circuit import Floats

STEP_S = 0.1
"""Seconds between two rows."""

Cars = npt.NDArray[np.intp]


def crossing_in_step(rest: float, v0: float, v1: float) -> float:
    """Seconds into a step until ``rest`` metres are covered, the speed going from ``v0`` to ``v1`` (m/s)."""
    half = (v1 - v0) / (2 * STEP_S)
    # The numerically stable root of the quadratic, which also holds for constant speed.
    return float(2 * rest / (v0 + np.sqrt(max(v0 * v0 + 4 * half * rest, 0.0)))) if rest > 0 else 0.0


@dataclass
class Trace:
    """Tables with one row per step and one column per car."""

    begin_s: float
    """Race time (seconds since lights out) of the first row."""
    progress: Floats
    """m since the finish line at the start; grid slots are negative."""
    speed: Floats
    """m/s along the circuit's line"""
    lateral: Floats
    """m to the left of the line, from manoeuvres only"""

    @property
    def end_s(self) -> float:
        """Race time of the last row."""
        return self.begin_s + (len(self.progress) - 1) * STEP_S

    def _step(self, t: Floats) -> tuple[Cars, Floats]:
        along = (np.asarray(t, dtype=np.float64) - self.begin_s) / STEP_S
        row = np.clip(along.astype(np.intp), 0, len(self.progress) - 2)
        return row, (along - row) * STEP_S

    def progress_at(self, t: Floats, car: Cars | int) -> Floats:
        """Progress (m) at race times; ``car`` is one car or one for each time."""
        row, rest = self._step(t)
        v0, v1 = self.speed[row, car], self.speed[row + 1, car]
        result: Floats = self.progress[row, car] + rest * (v0 + (v1 - v0) * rest / (2 * STEP_S))
        return result

    def speed_at(self, t: Floats, car: Cars | int) -> Floats:
        """Speed (m/s) at race times."""
        return self._linear(self.speed, t, car)

    def lateral_at(self, t: Floats, car: Cars | int) -> Floats:
        """Lateral offset (m) at race times."""
        return self._linear(self.lateral, t, car)

    def _linear(self, table: Floats, t: Floats, car: Cars | int) -> Floats:
        row, rest = self._step(t)
        result: Floats = table[row, car] + (table[row + 1, car] - table[row, car]) * (rest / STEP_S)
        return result

    def crossing(self, car: int, progress: float) -> float | None:
        """The race time at which a car reached a progress (m); None if it never did."""
        column = self.progress[:, car]
        row = int(np.searchsorted(column, progress)) - 1
        if row < 0 or row + 1 >= len(column):
            return None
        v0, v1 = float(self.speed[row, car]), float(self.speed[row + 1, car])
        return self.begin_s + row * STEP_S + crossing_in_step(progress - float(column[row]), v0, v1)

    def standing_s(self, car: int, begin: float, end: float) -> float:
        """Seconds that a car stood still between two race times."""
        rows = slice(int((begin - self.begin_s) / STEP_S), int((end - self.begin_s) / STEP_S) + 2)
        still = int(np.count_nonzero(self.speed[rows, car] == 0.0))
        return max(still - 1, 0) * STEP_S
