"""Practice and qualifying: the order is by best lap, in a qualifying part by part."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from f1stream.race.bests import Bests
from f1stream.race.car import Car
from f1stream.race.order import UNKNOWN, Distance
from models.bounds import MOST_CARS


@dataclass(slots=True)
class Parts:
    """Q1, Q2 and Q3; a practice is one part in which all take part."""

    entries: list[int | None] = field(default_factory=lambda: [None])
    """How many cars take part in each; None is all."""
    goes_on: int | None = None
    """How many cars of the present part go on to the next."""

    def rank(self, cars: list[Car], bests: Bests) -> list[tuple[Car, int]]:
        """First to last, each with the part (from 0) in which it was last.

        Recomputed from the first part on whenever a lap time changes, so that a deleted or reinstated lap has all
        its consequences. Cars without a time, and of equal times, are in the order in which the feed shows them;
        where it shows none, in the order in which they came into the part.
        """
        inside = sorted(cars, key=lambda car: car.grid)
        outside: list[tuple[Car, int]] = []
        for part, entries in enumerate(self.entries):
            if part and entries is not None:
                outside = [(car, part - 1) for car in inside[entries:]] + outside
                inside = inside[:entries]
            inside.sort(key=lambda car: (_is_knocked_out(car), _time(bests, car, part), _shown_position(car)))
        return [(car, len(self.entries) - 1) for car in inside] + outside


def _time(bests: Bests, car: Car, part: int) -> float:
    best = bests.best(car, part)
    return float("inf") if best is None else best[0]


def _is_knocked_out(car: Car) -> bool:
    return car.timing is not None and car.timing.knocked_out


def _shown_position(car: Car) -> int:
    position = None if car.timing is None else car.timing.position
    return MOST_CARS if position is None else position


def distances(ranked: list[tuple[Car, int]], bests: Bests) -> dict[str, tuple[Distance, Distance]]:
    """By car: how far its best lap is behind the best of the part in which it was last, and the car ahead's there."""
    of_part = {
        part: sorted(best[0] for car, last in ranked if last >= part and (best := bests.best(car, part)) is not None)
        for part in {part for _, part in ranked}
    }
    found: dict[str, tuple[Distance, Distance]] = {}
    for car, part in ranked:
        best = bests.best(car, part)
        if best is None:
            found[car.number] = (UNKNOWN, UNKNOWN)
            continue
        ms, place = best[0], bisect_left(of_part[part], best[0])
        interval = Distance(0, ms - of_part[part][place - 1]) if place else UNKNOWN
        found[car.number] = (Distance(0, ms - of_part[part][0]), interval)
    return found
