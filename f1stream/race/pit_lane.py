"""The line of the pit lane: no source has it, so it is learned from the first car that drives through."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from math import hypot

STEP_DM = 150.0
"""1/10 m between two points of the line; a stationary car adds none."""
MOST_POINTS = 80
"""Points of the line; a longer path is thinned out."""
APART_DM = 600.0
"""1/10 m. A larger distance between two samples is a gap: at the limit of 80 km/h a car drives 22 m a second."""
PUSHED_KMH = 10.0
"""km/h. A slower car may be pushed into its garage: its samples are left out."""
SHORTEST_DM, LONGEST_DM = 1_500.0, 15_000.0
"""1/10 m from the entry line to the exit line; a shorter or longer path is not used."""
LONGEST_PATH = int(LONGEST_DM / STEP_DM) + 1
"""Points of a path; one of more is longer than any pit lane, and dropped."""
MOST_CARS = 30
"""Cars whose paths are recorded at a time: one is enough."""


@dataclass(slots=True)
class PitLane:
    """The pit lane's line (X, Y in 1/10 m), and the paths of cars that are in it now."""

    line: list[tuple[int, int]] = field(default_factory=list)
    """Empty until learned; then it does not change."""
    paths: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """By car in the pit lane: its positions since the entry line, every ``STEP_DM``."""

    def enter(self, car: str) -> None:
        """Begin the path of a car at the entry line."""
        if not self.line and len(self.paths) < MOST_CARS:
            self.paths[car] = []

    def sample(self, car: str, x: float, y: float, speed: float) -> None:
        """Add a position to a car's path. A path with an unknown position (0, 0) or a gap is dropped."""
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
        """End the path of a car at the exit line: if its length is plausible, it becomes the line."""
        path = self.paths.pop(car, [])
        length = sum(_apart(one, other) for one, other in pairwise(path))
        if not self.line and SHORTEST_DM <= length <= LONGEST_DM:
            every = -(-len(path) // MOST_POINTS)
            self.line = path[::every]
            self.paths.clear()


def _apart(one: tuple[int, int], other: tuple[int, int]) -> float:
    return hypot(one[0] - other[0], one[1] - other[1])
