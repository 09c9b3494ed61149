"""Who is ahead, and by how much."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from f1stream.race.car import LINES, Car


class Distance(NamedTuple):
    """Behind another car: whole laps, and milliseconds at the same place of the track."""

    laps: int
    ms: int | None


UNKNOWN = Distance(0, None)


def rank(cars: Iterable[Car]) -> list[Car]:
    """First to last: race progress (line, then the time it was crossed), the grid where that is equal.

    Retired cars come after all others, the one that got farthest first.
    """
    return sorted(cars, key=lambda car: (car.retired, -car.line, car.line_ms, car.grid))


def behind(car: Car, ahead: Car) -> Distance:
    """How far ``car`` is behind ``ahead`` at the last line it crossed."""
    if car.line < 0:
        return UNKNOWN
    laps = max(ahead.line - car.line, 0) // LINES
    passed = ahead.time_at(car.line + laps * LINES)
    return Distance(laps, None if passed is None else max(car.line_ms - passed, 0))


def distances(order: Sequence[Car]) -> dict[str, tuple[Distance, Distance]]:
    """For each car by number: behind the leader, and behind the car ahead."""
    found: dict[str, tuple[Distance, Distance]] = {}
    for place, car in enumerate(order):
        if car.retired:
            found[car.number] = (UNKNOWN, UNKNOWN)
        elif place == 0:
            found[car.number] = (Distance(0, 0), UNKNOWN)
        else:
            found[car.number] = (behind(car, order[0]), behind(car, order[place - 1]))
    return found
