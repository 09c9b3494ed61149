"""The cars' samples: irregular and noisy, in the columns of a packet."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from f1stream.sources.session import Columns
from f1stream.sources.simulator.circuit import PIT_ROAD_M, Floats
from f1stream.sources.simulator.simulation import RaceSimulation
from f1stream.sources.simulator.trace import STEP_S, Cars, Trace

_MEDIAN_STEP_S = 0.13
_STEP_SPREAD = 0.45
_GAP_CHANCE = 0.0012
"""Chance that a sample is late, by up to 1.2 s as in recordings."""
_WHITE_NOISE_M = 0.3
_DRIFT_M = 0.35
_DRIFT_EVERY_S = 3.0
"""The position error changes over this time."""
_LINE_SPREAD_M = 0.7
_LINE_EVERY_M = 140.0
"""Deviation from the reference line, and the distance over which it changes."""
_SPEED_NOISE_KMH = 0.3
_SILENT_AFTER_S = 60.0
"""A car that has stopped beside the track sends no samples after this."""
_GEAR_FROM_KMH = (3.0, 80.0, 115.0, 150.0, 185.0, 220.0, 255.0, 290.0)
_AHEAD_ROWS = 2
"""The car ahead is determined once in so many rows of the trace."""


def telemetry_of(race: RaceSimulation, trace: Trace, start_ms: int, rng: np.random.Generator) -> dict[str, Columns]:
    """Every car's samples, by driver number."""
    lost = {retired.car: retired.t for retired in race.retired_cars}
    ahead = _cars_ahead(race, trace, lost)
    return {
        driver.number: _samples(race, trace, car, lost.get(car, trace.end_s), ahead, start_ms, rng)
        for car, driver in enumerate(race.drivers)
    }


def _samples(
    race: RaceSimulation, trace: Trace, car: int, lost: float, ahead: Cars, start_ms: int, rng: np.random.Generator
) -> Columns:
    circuit = race.circuit
    clock = _clock(trace.begin_s, min(lost + _SILENT_AFTER_S, trace.end_s), rng)
    t = clock / 1000.0
    n = len(t)
    p = trace.progress_at(t, car)
    v = trace.speed_at(t, car)
    place = p % circuit.length
    moving = v > 0.0
    line = _wander(p, _LINE_EVERY_M, rng).clip(-2.0, 2.0) * _LINE_SPREAD_M
    lateral = trace.lateral_at(t, car) + np.where(_in_pit_lane(race, car, p), circuit.pit_offset(place), line)

    def position(table: Floats, normal: Floats) -> Floats:
        noise = rng.normal(0.0, _WHITE_NOISE_M, n) + _DRIFT_M * _wander(t, _DRIFT_EVERY_S, rng)
        metres = circuit.at(table, place) + lateral * circuit.at(normal, place) + noise
        return np.round(metres * 10, 1)

    kmh = np.where(moving, np.maximum(v * 3.6 + rng.normal(0.0, _SPEED_NOISE_KMH, n), 0.0), 0.0)
    change = (trace.speed_at(t + 0.15, car) - trace.speed_at(np.maximum(t - 0.15, trace.begin_s), car)) / 0.3
    gear = np.searchsorted(_GEAR_FROM_KMH, v * 3.6)
    lap = np.maximum(np.floor(p / circuit.length).astype(np.int64) + 1, 1)
    begin = np.where(lap == 1, trace.progress[0, car], (lap - 1) * circuit.length)
    driver_ahead, metres = _ahead_of(race, trace, t, p, car, ahead)
    return {
        "session_time_ms": start_ms + clock,
        "x": position(circuit.x, circuit.normal_x),
        "y": position(circuit.y, circuit.normal_y),
        "z": np.round(circuit.at(circuit.z, place) * 10 + rng.normal(0.0, 0.4, n), 1),
        "speed": np.round(kmh, 2),
        "rpm": _rpm(v * 3.6, gear, rng),
        "throttle": _throttle(v, change),
        "brake": (change < -7.0) | ~moving,
        "gear": gear,
        "drs": np.full(n, None, dtype=object),
        "lap": lap,
        "distance": np.round(p - begin, 2),
        "relative_distance": np.round((p - begin) / (lap * circuit.length - begin), 6),
        "driver_ahead": driver_ahead,
        "distance_to_driver_ahead": metres,
    }


def _clock(begin: float, end: float, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Sample times from begin to end (s), in ms after lights out."""
    n = int((end - begin) / 0.11) + 100
    steps = rng.lognormal(np.log(_MEDIAN_STEP_S), _STEP_SPREAD, n).clip(0.004, 0.42)
    steps += np.where(rng.random(n) < _GAP_CHANCE, rng.uniform(0.4, 0.78, n), 0.0)
    times = np.cumsum(np.maximum(np.round(steps * 1000), 4.0)).astype(np.int64) + round(begin * 1000)
    return times[times < round(end * 1000)]


def _wander(along: Floats, every: float, rng: np.random.Generator) -> Floats:
    """A smooth random value of about unit size with one knot per ``every``."""
    first, last = float(along[0]), float(along[-1])
    knots = np.arange(first, last + 2 * every, every)
    return np.interp(along, knots, rng.normal(0.0, 1.0, len(knots)))


def _in_pit_lane(race: RaceSimulation, car: int, p: Floats) -> npt.NDArray[np.bool_]:
    inside = np.zeros(len(p), dtype=bool)
    for visit in race.pits.visits:
        if visit.car == car:
            inside |= (p >= visit.entry - PIT_ROAD_M) & (p <= visit.exit + PIT_ROAD_M)
    return inside


def _rpm(kmh: Floats, gear: npt.NDArray[np.intp], rng: np.random.Generator) -> Floats:
    """Engine speed, rpm: rises within each gear, idle in neutral."""
    limits = np.array([0.0, *_GEAR_FROM_KMH[:1], *_GEAR_FROM_KMH[1:], 335.0])
    low, high = limits[gear], limits[gear + 1]
    share = np.clip((kmh - low) / (high - low), 0.0, 1.0)
    driving = np.where(gear == 1, 5_000 + 6_500 * share, 9_300 + 2_300 * share)
    return np.round(np.where(gear == 0, 4_200.0, driving) + rng.normal(0.0, 25.0, len(kmh)), 0)


def _throttle(v: Floats, change: Floats) -> Floats:
    """Per cent of the greatest acceleration at this speed."""
    full = np.minimum(12.0, 820.0 / np.maximum(v, 1.0))
    needed = (change + 0.00112 * v * v) / full
    return np.where(v > 0.0, np.round(np.clip(needed * 105.0, 0.0, 100.0), 0), 0.0)


def _cars_ahead(race: RaceSimulation, trace: Trace, lost: dict[int, float]) -> Cars:
    """For every _AHEAD_ROWS-th row of the trace and every car: the next car ahead, -1 for none within a lap."""
    progress = trace.progress[::_AHEAD_ROWS].copy()
    for car, t in lost.items():
        progress[int((t - trace.begin_s) / (STEP_S * _AHEAD_ROWS)) :, car] = -np.inf
    order = np.argsort(-progress, axis=1, kind="stable")
    sorted_progress = np.take_along_axis(progress, order, axis=1)
    ahead = np.full(order.shape, -1)
    with np.errstate(invalid="ignore"):
        near = sorted_progress[:, :-1] - sorted_progress[:, 1:] < race.circuit.length
    np.put_along_axis(ahead, order[:, 1:], np.where(near, order[:, :-1], -1), axis=1)
    return ahead


def _ahead_of(
    race: RaceSimulation, trace: Trace, t: Floats, p: Floats, car: int, ahead: Cars
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Driver number of the car ahead and the distance to it (m); None without a car within a lap."""
    rows = np.minimum(((t - trace.begin_s) / (STEP_S * _AHEAD_ROWS)).astype(np.intp), len(ahead) - 1)
    other = ahead[rows, car]
    none = other < 0
    numbers = np.array([driver.number for driver in race.drivers], dtype=object)
    driver_ahead = numbers[other]
    metres = np.round(np.maximum(trace.progress_at(t, other) - p, 0.0), 2).astype(object)
    driver_ahead[none] = metres[none] = None
    return driver_ahead, metres
