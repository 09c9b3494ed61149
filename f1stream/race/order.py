"""Who is ahead, and by how much."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from f1stream.race.car import LINES, Car


class Distance(NamedTuple):
    """Behind another car: whole laps, and milliseconds at the same place of the track."""

    laps: int
    ms: int | None


UNKNOWN = Distance(0, None)
LEADER = Distance(0, 0)


TIE_MS = 1_000
"""A car that was later at a line than the one behind it, by more: their order has another reason than times."""


def rank(cars: Iterable[Car]) -> list[Car]:
    """First to last: race progress (line, then the time it was crossed), the grid where that is equal.

    A car that starts from the pit lane comes after them until it has left it; retired cars come after all others,
    the one that got farthest first.
    """
    return sorted(cars, key=lambda car: (car.retired, car.waits, -car.line, car.line_ms, car.grid))


def rank_by_feed(cars: Iterable[Car], *, is_result: bool) -> list[Car]:
    """First to last as the feed has them; retired cars last, unless it is the result, which places them too.

    Cars of which the feed says nothing come after those that it places, as ``rank`` has them.
    """
    return sorted(rank(cars), key=lambda car: (car.retired and not is_result, _position(car)))


def _position(car: Car) -> float:
    position = None if car.timing is None else car.timing.position
    return float("inf") if position is None else position


def behind(car: Car, ahead: Car) -> Distance:
    """How far ``car`` is behind ``ahead`` at the last line it crossed."""
    if car.line < 0:
        return UNKNOWN
    laps = max(ahead.line - car.line, 0) // LINES
    passed = ahead.time_at(car.line + laps * LINES)
    if passed is None or car.line_ms - passed < -TIE_MS:
        return Distance(laps, None)
    return Distance(laps, max(car.line_ms - passed, 0))
