"""The car ahead and the distance to it, by FastF1's rule (``Telemetry.calculate_driver_ahead``).

The speed of each car is integrated from the finish line on, over the relevant laps. The car ahead is the nearest one
with a greater distance at the same instant; a car whose distance does not change is ignored.

FastF1 computes this lap by lap with data frames, in a third of a second each; arrays give the same numbers faster.
FastF1 fails for laps in which another car has samples at other times (most first laps); this code ignores these.
On the first lap of a race distances begin at the grid slots, so gaps lack the distance between slots, as FastF1's do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Nanoseconds = npt.NDArray[np.int64]
NAT = np.iinfo(np.int64).min
"""NaT, the missing time, as an integer."""


@dataclass(frozen=True)
class _CarDistances:
    number: str
    at: Nanoseconds
    """Session time of the samples, ns."""
    speed: Floats
    """km/h"""
    lap: Floats
    """Lap numbers, with the start and end of each lap (session time, ns)."""
    start: Nanoseconds
    end: Nanoseconds

    def distance(self, from_ns: int, to_ns: int, other_lap: float | None) -> tuple[Nanoseconds, Floats] | None:
        """Times and metres since the line of the samples in a time span; None if the position is unknown.

        ``other_lap`` is the lap on which the car behind begins; a car that has not begun it will begin it next.
        """
        begun = np.flatnonzero((self.start != NAT) & (self.start <= from_ns))
        first = self.lap[begun[-1]] if len(begun) else self.lap.min()
        if len(begun) and other_lap is not None and first < other_lap:
            first += 1
        ending = np.flatnonzero((self.end != NAT) & (self.end >= to_ns))
        last = self.lap[ending[0]] if len(ending) else self.lap.max()
        laps = np.flatnonzero((self.lap >= first) & (self.lap <= last))
        if not len(laps):
            return None
        if self.start[laps[-1]] == NAT:  # one lap more before or after where a bound is missing
            laps = np.flatnonzero((self.lap >= first - 1) & (self.lap <= last))
        elif self.end[laps[0]] == NAT:
            laps = np.flatnonzero((self.lap >= first) & (self.lap <= last + 1))
        starts, ends = self.start[laps], self.end[laps]
        if len(laps) > 1:
            starts, ends = starts[starts != NAT], ends[ends != NAT]
        if not len(starts) or not len(ends) or NAT in {starts.min(), ends.max()}:
            return None
        begin, stop = np.searchsorted(self.at, starts.min()), np.searchsorted(self.at, ends.max(), "right")
        at = self.at[begin:stop]
        if not len(at):
            return None
        seconds = np.diff((at - starts.min()) / 1e9, prepend=0)  # FastF1's operations: equal to the last bit
        metres = np.cumsum(self.speed[begin:stop] / 3.6 * seconds)
        shown = slice(np.searchsorted(at, from_ns), np.searchsorted(at, to_ns, "right"))
        return at[shown], metres[shown]


class CarsAhead:
    """The cars of a loaded FastF1 session."""

    def __init__(self, session: Any) -> None:
        self._cars: dict[str, _CarDistances] = {}
        for number in session.drivers:
            laps = session.laps[session.laps["DriverNumber"] == number]
            if number in session.car_data and len(laps):
                car = session.car_data[number]
                self._cars[number] = _CarDistances(
                    number,
                    _ns(car["SessionTime"]),
                    car["Speed"].to_numpy(dtype=np.float64),
                    laps["LapNumber"].to_numpy(dtype=np.float64),
                    _ns(laps["LapStartTime"]),
                    _ns(laps["Time"]),
                )

    def of(self, number: str, at: Nanoseconds) -> tuple[npt.NDArray[np.object_], Floats]:
        """For a car's samples of one lap: the number of the car ahead ("" for none) and the metres to it."""
        none = np.full(len(at), "", dtype=object), np.full(len(at), np.nan)
        own = self._cars[number]
        begun = np.flatnonzero((own.start != NAT) & (own.start <= at[0]))
        placed = own.distance(int(at[0]), int(at[-1]), None) if len(begun) else None
        if placed is None:
            return none
        numbers, gaps = [], []
        for car in self._cars.values():
            other = car.distance(int(at[0]), int(at[-1]), own.lap[begun[-1]]) if car is not own else None
            if other is None:
                continue
            numbers.append(car.number)
            gaps.append(_moving(_on(at, *other)) - _on(at, *placed))
        if not numbers:
            return none
        gap = np.array(gaps)
        gap[~(gap >= 0)] = np.inf
        nearest = gap.argmin(axis=0)
        metres = gap[nearest, np.arange(len(at))]
        there = np.isfinite(metres)
        return (
            np.where(there, np.array(numbers, dtype=object)[nearest], ""),
            np.where(there, metres, np.nan),
        )


def _moving(metres: Floats) -> Floats:
    return np.where(np.diff(metres, prepend=metres[:1]) == 0, np.nan, metres)  # the first sample has none before it


def _on(at: Nanoseconds, theirs: Nanoseconds, values: Floats) -> Floats:
    """``values`` at the times ``at``; NaN without a sample at exactly that time."""
    found = np.full(len(at), np.nan)
    _, mine, other = np.intersect1d(at, theirs, return_indices=True)
    found[mine] = values[other]
    return found


def _ns(column: Any) -> Nanoseconds:
    return column.to_numpy(dtype="timedelta64[ns]").view(np.int64)  # type: ignore[no-any-return]


@contextmanager
def fast_driver_ahead(session: Any) -> Iterator[None]:
    """Make ``Lap.get_telemetry()`` of this session use ``CarsAhead`` inside the context."""
    from fastf1.core import Telemetry  # noqa: PLC0415

    cars, original = CarsAhead(session), Telemetry.calculate_driver_ahead

    def calculate(telemetry: Any, return_reference: bool = False) -> Any:
        ahead, metres = cars.of(telemetry.driver, _ns(telemetry["SessionTime"]))
        return (ahead, metres, telemetry) if return_reference else (ahead, metres)

    Telemetry.calculate_driver_ahead = calculate
    try:
        yield
    finally:
        Telemetry.calculate_driver_ahead = original
