"""The places where official times are taken, and where along the lap they are.

The finish line is where the reference line begins. Where the sector lines are, and where the finish line
crosses the pit lane (in Melbourne 17 m early), nobody tells: it is learned from laps already completed.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field
from typing import NamedTuple

FINISH, SECTOR_1, SECTOR_2, PIT_FINISH = range(4)
KEPT = 99
"""Observations per place; their median is where it is."""
FARTHEST_PIT_FINISH_M = 60.0
SHOWN_M = 10
"""What is shown is rounded, so that it does not change with every lap."""


class Place(NamedTuple):
    """A car was measured at a place of a lap at a session time."""

    place: int
    lap: int
    time_ms: int


class Compared(NamedTuple):
    """One car at one place of one lap: when it was measured there, and officially."""

    car: str
    place: int
    lap: int
    measured_ms: int
    official_ms: int


@dataclass(slots=True)
class Places:
    """What has been learned of one circuit."""

    length_m: float
    observed: list[list[float]] = field(default_factory=lambda: [[], [], [], []])
    """For each place the latest observations in order of arrival: metres from the lap's start (pit lane: end)."""
    _median: list[float | None] = field(default_factory=lambda: [None] * 4)

    def __post_init__(self) -> None:
        for place in range(4):
            self._settle(place)

    def learn(self, place: int, metres: float) -> None:
        """A car was ``metres`` along when it was officially there."""
        fits = abs(metres) < FARTHEST_PIT_FINISH_M if place == PIT_FINISH else 0 < metres < self.length_m
        if fits:
            self.observed[place].append(metres)
            del self.observed[place][:-KEPT]
            self._settle(place)

    def position(self, place: int) -> float | None:
        """Metres from the start of the lap (for the pit lane from its end); None until learned."""
        return self._median[place]

    def sector_lines(self) -> tuple[int | None, int | None]:
        """The ends of sectors 1 and 2, rounded to ``SHOWN_M``."""
        first, second = self._median[SECTOR_1], self._median[SECTOR_2]
        return (
            None if first is None else round(first / SHOWN_M) * SHOWN_M,
            None if second is None else round(second / SHOWN_M) * SHOWN_M,
        )

    def _settle(self, place: int) -> None:
        ordered: list[float] = []
        for metres in self.observed[place]:
            insort(ordered, metres)
        self._median[place] = ordered[len(ordered) // 2] if ordered else None
