"""Where the pit lane is: nobody tells, so the first car that is seen driving through it shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from math import hypot

STEP_DM = 150.0
"""Between two points of the line, 1/10 m; a car that stands adds none."""
MOST_POINTS = 80
APART_DM = 600.0
"""A longer way between two samples is a hole: at the limit of 80 km/h a car does 22 m in a second."""
PUSHED_KMH = 10.0
"""A slower car may be on its way into a garage."""
SHORTEST_DM, LONGEST_DM = 1_500.0, 15_000.0
"""From the entry line to the exit line; what is shorter or longer was no pass through it."""
LONGEST_PATH = int(LONGEST_DM / STEP_DM) + 1
"""Points; a path of more is longer than any pit lane."""
MOST_CARS = 30
"""Cars that are watched at a time: one of them is enough."""


@dataclass(slots=True)
class PitLane:
    """The pit lane's line (X, Y in 1/10 m), and what cars that are in it now have shown so far."""

    line: list[tuple[int, int]] = field(default_factory=list)
    """Empty until known; then it stays."""
    paths: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """By car in the pit lane: where it was since the entry line, every STEP_DM."""

    def enter(self, car: str) -> None:
        """A car was told to be at the entry line."""
        if not self.line and len(self.paths) < MOST_CARS:
            self.paths[car] = []

    def sample(self, car: str, x: float, y: float, speed: float) -> None:
        """Where a car in the pits is. A visit with an unknown position (0, 0) or a hole shows nothing."""
        path = self.paths.get(car)
        if path is None or speed < PUSHED_KMH:
            return
        at = (int(x), int(y))
        if not (x or y) or (path and _apart(path[-1], at) > APART_DM):
            del self.paths[car]
        elif not path or _apart(path[-1], at) >= STEP_DM:
            path.append(at)
            if len(path) > LONGEST_PATH:
                del self.paths[car]

    def leave(self, car: str) -> None:
        """A car was told to be at the exit line: if its path is good, it is the line."""
        path = self.paths.pop(car, [])
        length = sum(_apart(one, other) for one, other in pairwise(path))
        if not self.line and SHORTEST_DM <= length <= LONGEST_DM:
            every = -(-len(path) // MOST_POINTS)
            self.line = path[::every]
            self.paths.clear()


def _apart(one: tuple[int, int], other: tuple[int, int]) -> float:
    return hypot(one[0] - other[0], one[1] - other[1])
