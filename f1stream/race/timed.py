"""Order and gaps of practice and qualifying: by best lap, in a qualifying part by part."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from f1stream.race.bests import Bests
from f1stream.race.car import Car
from f1stream.race.order import UNKNOWN, Distance
from models.bounds import MOST_CARS


@dataclass(slots=True)
class Parts:
    """Q1, Q2 and Q3; a practice is one part with all cars."""

    entries: list[int | None] = field(default_factory=lambda: [None])
    """How many cars take part in each; None: all."""
    goes_on: int | None = None
    """How many cars advance from the present part to the next."""

    def rank(self, cars: list[Car], bests: Bests) -> list[tuple[Car, int]]:
        """First to last, each with the last part (from 0) that it took part in.

        Recomputed from the first part on whenever a lap time changes, so that a deleted or reinstated lap also
        changes who advances. Cars with equal times or without one are in the order of the feed; without positions of
        the feed, in the order in which they entered the part.
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
    """By car: the gap of its best lap to the best of its last part, and to the car ahead in that part."""
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
