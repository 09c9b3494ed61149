"""Order and gaps of a race: who is ahead, and by how much."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from f1stream.race.car import LINES, Car


class Distance(NamedTuple):
    """How far behind another car: whole laps, and milliseconds at the same timing line; None: unknown."""

    laps: int
    ms: int | None


UNKNOWN = Distance(0, None)
LEADER = Distance(0, 0)
TIE_MS = 1_000
"""ms. If a car crossed a line by more than this before the car that is ranked ahead of it, no gap is shown."""


def rank(cars: Iterable[Car]) -> list[Car]:
    """First to last: by the last line crossed, then the time it was crossed, then the grid.

    A pit lane starter is behind all until it has left the pit lane. Retired cars are last, the one that drove
    farthest first.
    """
    return sorted(cars, key=lambda car: (car.retired, car.waits, -car.line, car.line_ms, car.grid))


def rank_by_feed(cars: Iterable[Car], *, is_result: bool) -> list[Car]:
    """First to last by the feed's positions; retired cars last, except in the result, which places them too.

    Cars without a position of the feed follow, in the order of ``rank``.
    """
    return sorted(rank(cars), key=lambda car: (car.retired and not is_result, _position(car)))


def _position(car: Car) -> float:
    position = None if car.timing is None else car.timing.position
    return float("inf") if position is None else position


def behind(car: Car, ahead: Car, resumed_ms: int = 0) -> Distance:
    """How far ``car`` is behind ``ahead`` at the last line that ``car`` crossed.

    A suspension that ended at ``resumed_ms``, after ``ahead`` crossed the line and before ``car`` did, is left out.
    """
    if car.line < 0:
        return UNKNOWN
    laps = max(ahead.line - car.line, 0) // LINES
    passed = ahead.time_at(car.line + laps * LINES)
    if passed is None or car.line_ms - passed < -TIE_MS:
        return Distance(laps, None)
    if passed < resumed_ms <= car.line_ms:
        passed = resumed_ms
    return Distance(laps, max(car.line_ms - passed, 0))
