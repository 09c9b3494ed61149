"""Two laps on a common axis of distance: where along the lap one car gains on another.

Official times and positions come from different clocks, some tenths of a second apart. A lap's samples are therefore
shifted so that the car is at the finish line at the lap's official start and end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from f1stream.race.line import ReferenceLine

Floats = npt.NDArray[np.float64]

STEP_M = 5.0
"""m between two points of the axis."""
CLOCK_M = 60.0
"""m. A larger shift at the finish line is not due to the clocks: the car started from the grid."""
ASTRAY_M = 400.0
"""m. A position further than this from the integrated speed is not of this lap, and is left out."""
LONGEST_M = 15_000.0
"""m, twice the longest circuit. A longer lap is refused."""
SMOOTH_MS = 2_000
"""ms. A position is off by some metres from one sample to the next: the time between two laps would jump by 0.2 s.
What the positions say beyond the integrated speed is therefore averaged over this time, twice."""
FEWEST = 20
"""Samples that a lap must have at least: two and a half seconds of them."""


class Samples(NamedTuple):
    """A car's samples in time order, column by column."""

    t: npt.NDArray[Any]
    """Session time, ms."""
    x: npt.NDArray[Any]
    """1/10 m, as ``y``."""
    y: npt.NDArray[Any]
    speed: npt.NDArray[Any]
    """km/h."""
    throttle: npt.NDArray[Any]
    """Per cent; 104 is "no data"."""
    brake: npt.NDArray[Any]
    """0 or 1."""
    gear: npt.NDArray[Any]
    drs: npt.NDArray[Any]
    """As recorded; 255 where it is not known."""


@dataclass(frozen=True, slots=True)
class Driven:
    """A lap to compare: its samples, some before and after it included, and its official times (session ms)."""

    samples: Samples
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Resampled:
    """A lap at every point of the common axis."""

    time_ms: Floats
    """Since the start of the lap."""
    speed: Floats
    throttle: Floats
    brake: npt.NDArray[Any]
    gear: npt.NDArray[Any]
    x: Floats
    y: Floats


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two laps, point by point."""

    distance_m: Floats
    a: Resampled
    b: Resampled
    delta_ms: Floats
    """b's time minus a's: positive where b is behind."""


class TooFewSamplesError(ValueError):
    """A lap cannot be compared; the text says why."""


def compare(a: Driven, b: Driven, line: ReferenceLine | None, step_m: float = STEP_M) -> Comparison:
    """Compare two laps every ``step_m`` or so. Without a reference line, speeds give the length of the axis.

    Raises TooFewSamplesError.
    """
    length = line.length_m if line else (speed_length(a) + speed_length(b)) / 2
    if length <= 0:
        raise TooFewSamplesError("there is no car data for them")
    if length > LONGEST_M:
        raise TooFewSamplesError(f"the speeds give a lap of {length:.0f} m, longer than any circuit")
    axis = np.linspace(0.0, length, round(length / step_m) + 1)
    first, second = (resample(lap, axis, line) for lap in (a, b))
    return Comparison(axis, first, second, second.time_ms - first.time_ms)


def speed_length(lap: Driven) -> float:
    """Length of a lap in metres by its integrated speed."""
    along = _driven(lap.samples)
    start, end = np.interp([lap.start_ms, lap.end_ms], lap.samples.t, along) if len(along) else (0.0, 0.0)
    return float(end - start)


def resample(lap: Driven, axis: Floats, line: ReferenceLine | None) -> Resampled:
    """A lap at every point of an axis that ends at the finish line. Raises TooFewSamplesError."""
    at, along = distances(lap, float(axis[-1]), line)
    # A stationary car has several times at one distance: the last one counts, when it left.
    time = np.interp(axis, along, at)
    time[0] = lap.start_ms
    columns = lap.samples
    t = columns.t.astype(np.float64)
    latest = np.clip(np.searchsorted(t, time, side="right") - 1, 0, len(t) - 1)
    smooth = (np.interp(time, t, column.astype(np.float64)) for column in (columns.speed, columns.x, columns.y))
    speed, x, y = smooth
    throttle = np.interp(time, t, np.minimum(columns.throttle, 100).astype(np.float64))
    return Resampled(
        time_ms=time - lap.start_ms, speed=speed, throttle=throttle, brake=columns.brake[latest],
        gear=columns.gear[latest], x=x, y=y,
    )  # fmt: skip


def distances(lap: Driven, length: float, line: ReferenceLine | None) -> tuple[Floats, Floats]:
    """Times (session ms) within a lap, its start and end among them, and metres along it, never falling.

    Raises TooFewSamplesError.
    """
    t = lap.samples.t.astype(np.float64)
    within = np.count_nonzero((t > lap.start_ms) & (t < lap.end_ms))
    if within < FEWEST:
        raise TooFewSamplesError(f"the lap has only {within} samples")
    edges = np.array([lap.start_ms, lap.end_ms], dtype=np.float64)
    driven = _driven(lap.samples)
    begin, end = np.interp(edges, t, driven)
    if end <= begin:
        raise TooFewSamplesError("the car did not move in the lap")
    along = (driven - begin) * (length / (end - begin))
    if line is not None:
        t, along = _projected(t, along, lap.samples, line)
        along = _fitted(t, along, edges, length)
    inside = (t > edges[0]) & (t < edges[1])
    times = np.concatenate([edges[:1], t[inside], edges[1:]])
    metres = np.concatenate([[0.0], np.clip(along[inside], 0.0, length), [length]])
    return times, np.maximum.accumulate(metres)


def _driven(samples: Samples) -> Floats:
    """Metres driven since the first sample, by integrated speed."""
    t, speed = samples.t.astype(np.float64), samples.speed.astype(np.float64) / 3.6
    steps = (speed[1:] + speed[:-1]) / 2 * np.diff(t) / 1_000
    return np.concatenate([np.zeros(min(len(t), 1)), np.cumsum(steps)])


def _projected(t: Floats, expected: Floats, samples: Samples, line: ReferenceLine) -> tuple[Floats, Floats]:
    """Metres along the lap by position, counted through the finish line; positions off the lap are left out."""
    at = line.project(samples.x.astype(np.float64), samples.y.astype(np.float64))
    off = (at - expected + line.length_m / 2) % line.length_m - line.length_m / 2
    here = (np.abs(off) < ASTRAY_M) & (
        (samples.x != 0) | (samples.y != 0)
    )  # the feed sends (0, 0) for an unknown one
    if np.count_nonzero(here) < FEWEST:
        return t, expected
    off = _averaged(t[here], _averaged(t[here], off[here]))
    along: Floats = expected[here] + off
    return t[here], along


def _averaged(t: Floats, values: Floats) -> Floats:
    """The mean of the values within half of ``SMOOTH_MS`` of each time."""
    first = np.searchsorted(t, t - SMOOTH_MS / 2, side="left")
    last = np.searchsorted(t, t + SMOOTH_MS / 2, side="right")
    sums = np.concatenate([[0.0], np.cumsum(values)])
    mean: Floats = (sums[last] - sums[first]) / (last - first)
    return mean


def _fitted(t: Floats, along: Floats, edges: Floats, length: float) -> Floats:
    """Shift the distances so that the car is at the line at its official times; the shift is spread over the lap."""
    begin, end = np.interp(edges, t, along) - np.array([0.0, length])
    if abs(begin) > CLOCK_M:
        begin = end
    elif abs(end) > CLOCK_M:
        end = begin
    share = (t - edges[0]) / (edges[1] - edges[0])
    shifted: Floats = along - (begin + (end - begin) * share)
    return shifted
