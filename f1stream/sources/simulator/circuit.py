"""The simulator's circuit: its line, the speed profile of the reference car, and the pit lane."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Plane = npt.NDArray[np.complex128]
"""Points as complex numbers: X real, Y imaginary."""

LENGTH_M = 5_120.0
CORNER_ROUNDING_M = 20.0
"""Spread of the Gaussian that rounds the polygon's corners; a right angle becomes a radius of about 32 m."""
MIN_CORNER_CURVATURE = 0.006
"""1/m; where the line bends more is a corner."""
ORIENTATION_RAD = 0.43
ORIGIN_M = (-95.0, 160.0)
MARSHAL_SECTORS = 20

# Driving direction, clockwise, metres before scaling. The last edge (to the first point) is the main straight.
_POLYGON = (
    (560.0, 0.0), (640.0, -230.0), (905.0, -270.0), (930.0, -560.0), (610.0, -690.0), (470.0, -470.0),
    (230.0, -500.0), (120.0, -790.0), (-240.0, -850.0), (-660.0, -690.0), (-470.0, -400.0),
    (-700.0, -300.0), (-960.0, -330.0), (-900.0, -60.0), (-600.0, 0.0),
)  # fmt: skip

MAX_SPEED_MS = 90.0
_MIN_SPEED_MS = 20.0
"""Bounds of the reference car's speed, m/s."""

PIT_LIMIT_MS = 80 / 3.6
"""Speed limit in the pit lane, m/s."""
PIT_OFFSET_M = 15.0
"""The pit lane lies this far beside the main straight, on the inside."""
PIT_ROAD_M = 110.0
"""Length of the roads from the track to the pit lane's entry line and from its exit line back."""
PIT_ENTRY_M = -330.0
"""Entry line, relative to the finish line."""
PIT_EXIT_M = 240.0
SPEED_TRAP_M = 350.0
"""Exit line and speed trap, after the finish line."""


@dataclass(frozen=True)
class SimulatedCircuit:
    """One lap as tables over the distance ``s`` (m) from the finish line; the last row equals the first."""

    name: str
    length: float
    """m"""
    s: Floats
    x: Floats
    """m; so are y and z."""
    y: Floats
    z: Floats
    normal_x: Floats
    """Unit normal, to the left of the driving direction."""
    normal_y: Floats
    speed: Floats
    """Speed of the reference car, m/s."""
    clock: Floats
    """Time of the reference car since the finish line, s."""
    corners: tuple[tuple[str, float], ...]
    """Number and ``s``."""
    straights: npt.NDArray[np.bool_]
    """Where overtaking is possible."""

    @property
    def lap_time(self) -> float:
        """The reference car's flying lap, seconds."""
        return float(self.clock[-1])

    def at(self, table: Floats, s: Floats) -> Floats:
        """A table's values at distances within one lap (m)."""
        values: Floats = np.interp(s, self.s, table)
        return values

    def outline(self, every_m: int = 8) -> list[tuple[float, float]]:
        """The driven line, X and Y in 1/10 m, from the finish line on."""
        return [
            (round(float(x) * 10, 1), round(float(y) * 10, 1))
            for x, y in zip(self.x[:-1:every_m], self.y[:-1:every_m], strict=True)
        ]

    def corner_points(self) -> list[tuple[str, float, float]]:
        """Number, X and Y (1/10 m) of every corner."""
        points = []
        for number, s in self.corners:
            at = np.array([s])
            x, y = self.at(self.x, at)[0], self.at(self.y, at)[0]
            points.append((number, round(float(x) * 10, 1), round(float(y) * 10, 1)))
        return points

    def marshal_sector_points(self) -> list[tuple[int, float, float]]:
        """Number, X and Y (1/10 m) where each marshals' sector begins."""
        at: Floats = np.arange(MARSHAL_SECTORS, dtype=np.float64) * (self.length / MARSHAL_SECTORS)
        return [
            (number, round(float(x) * 10, 1), round(float(y) * 10, 1))
            for number, (x, y) in enumerate(zip(self.at(self.x, at), self.at(self.y, at), strict=True), 1)
        ]

    def corner_before(self, s: float) -> str:
        """The number of the last corner at or before ``s``."""
        return next((number for number, at in reversed(self.corners) if at <= s), self.corners[-1][0])

    def marshal_sector(self, s: float) -> int:
        """The number of the marshals' sector at ``s``."""
        return 1 + int(s / self.length * MARSHAL_SECTORS) % MARSHAL_SECTORS

    def pit_offset(self, s: Floats) -> Floats:
        """Offset of the pit lane and its roads to the left of the line, m; 0 elsewhere."""
        along = np.where(s > self.length / 2, s - self.length, s)
        into = (along - (PIT_ENTRY_M - PIT_ROAD_M)) / PIT_ROAD_M
        out_of = (PIT_EXIT_M + PIT_ROAD_M - along) / PIT_ROAD_M
        share = np.clip(np.minimum(into, out_of), 0.0, 1.0)
        offset: Floats = -PIT_OFFSET_M * share * share * (3 - 2 * share)
        return offset


@lru_cache(maxsize=1)
def circuit() -> SimulatedCircuit:
    """The circuit of all simulated sessions."""
    x, y = _line()
    n = len(x)
    step = LENGTH_M / n
    dx, dy = _slope(x), _slope(y)
    norm = np.hypot(dx, dy)
    dx, dy = dx / norm, dy / norm
    curvature = (dx * _slope(dy) - dy * _slope(dx)) / step
    speed = _speed_profile(np.abs(curvature), step)
    closed = np.append(speed, speed[0])
    turn = 2 * np.pi * np.arange(n) / n
    z = 12.0 + 6.0 * np.sin(turn + 0.7) + 2.5 * np.sin(3 * turn) + 0.8 * np.sin(7 * turn + 2.0)

    def close(table: Floats) -> Floats:
        return np.append(table, table[0])

    return SimulatedCircuit(
        name="Halvard Ring",
        length=LENGTH_M,
        s=np.arange(n + 1, dtype=np.float64) * step,
        x=close(x),
        y=close(y),
        z=close(z),
        normal_x=close(-dy),
        normal_y=close(dx),
        speed=closed,
        clock=np.concatenate(([0.0], np.cumsum(2 * step / (closed[1:] + closed[:-1])))),
        corners=_corners(np.abs(curvature), step),
        straights=closed > 0.72 * MAX_SPEED_MS,
    )


def _slope(table: Floats) -> Floats:
    """Central difference of a closed table, per sample."""
    return (np.roll(table, -1) - np.roll(table, 1)) / 2


def _line() -> tuple[Floats, Floats]:
    """The driven line, about 1 m apart: the polygon with its corners rounded, from the finish line on."""
    points = np.array(_POLYGON)
    shape: Plane = points[:, 0] + 1j * points[:, 1]
    finish = (shape[-1] + shape[0]) / 2
    line: Plane = np.concatenate(([finish], shape, [finish]))
    n = round(LENGTH_M)
    # Rounding cuts corners, so the polygon is scaled until the rounded line has the length wanted.
    scale = 1.0
    for _ in range(8):
        dense = _resample(line * scale, n)
        spread = CORNER_ROUNDING_M / (np.abs(np.diff(line * scale)).sum() / n)
        smooth = np.fft.ifft(np.fft.fft(dense) * np.exp(-2 * (np.pi * spread * np.fft.fftfreq(n)) ** 2))
        scale *= LENGTH_M / np.abs(np.diff(np.append(smooth, smooth[0]))).sum()
    rounded = _resample(np.append(smooth, smooth[0]), n)
    placed = rounded * np.exp(1j * ORIENTATION_RAD) + complex(*ORIGIN_M)
    return np.ascontiguousarray(placed.real), np.ascontiguousarray(placed.imag)


def _resample(line: Plane, n: int) -> Plane:
    """``n`` points at equal distances along a closed line given with its end."""
    along = np.concatenate(([0.0], np.cumsum(np.abs(np.diff(line)))))
    at = np.arange(n) * (along[-1] / n)
    points: Plane = np.interp(at, along, line.real) + 1j * np.interp(at, along, line.imag)
    return points


def pull(speed: float) -> float:
    """The greatest acceleration (m/s²) at a speed (m/s), limited by grip, then by power, less drag."""
    return min(12.0, 820.0 / max(speed, 1.0)) - 0.00112 * speed * speed


def _grip_speed(curvature: Floats) -> Floats:
    """The greatest speed (m/s) in a corner; downforce grows with the square of the speed."""
    spare = np.maximum(curvature - 0.0035, 1e-6)
    return np.clip(np.sqrt(25.0 / spare), _MIN_SPEED_MS, MAX_SPEED_MS)


def _speed_profile(curvature: Floats, step: float) -> Floats:
    """Speeds (m/s) of the fastest lap: accelerating out of corners, braking before them."""
    speed = _grip_speed(curvature).tolist()
    n = len(speed)
    for i in range(2 * n):  # twice around, so that the finish line is crossed flying
        v = speed[i % n]
        speed[(i + 1) % n] = min(speed[(i + 1) % n], (v * v + 2 * step * pull(v)) ** 0.5)
    for i in range(2 * n, 0, -1):
        v = speed[i % n]
        braking = 20.0 + 0.0036 * v * v
        speed[(i - 1) % n] = min(speed[(i - 1) % n], (v * v + 2 * step * braking) ** 0.5)
    return np.array(speed)


def _corners(curvature: Floats, step: float) -> tuple[tuple[str, float], ...]:
    """The points of greatest curvature, numbered from the finish line."""
    bend = np.flatnonzero(curvature > MIN_CORNER_CURVATURE)
    starts = [int(bend[0]), *(int(b) for a, b in pairwise(bend) if b - a > 1)]
    corners = []
    for number, start in enumerate(starts, 1):
        end = start
        while end < len(curvature) and curvature[end] > MIN_CORNER_CURVATURE:
            end += 1
        corners.append((str(number), float(start + int(np.argmax(curvature[start:end]))) * step))
    return tuple(corners)
