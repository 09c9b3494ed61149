"""What changes with every sample, by car: the columns of a frame."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Columns:
    """What changes all the time, by car in grid order: a frame's columns are copies of these."""

    x: list[int | None] = field(default_factory=list)
    y: list[int | None] = field(default_factory=list)
    speed: list[int | None] = field(default_factory=list)
    seen_ms: list[int | None] = field(default_factory=list)
    gap: list[int | None] = field(default_factory=list)
    interval: list[int | None] = field(default_factory=list)
    drs: list[int | None] = field(default_factory=list)

    @classmethod
    def of(cls, cars: int) -> Columns:
        """Nothing known of so many cars."""
        unknown: list[int | None] = [None] * cars
        return cls(*(unknown.copy() for _ in range(7)))

    def add(self) -> None:
        """A car more, of which nothing is known."""
        for column in (self.x, self.y, self.speed, self.seen_ms, self.gap, self.interval, self.drs):
            column.append(None)

    def put(self, car: int, x: int | None, y: int | None, speed: int, t: int, drs: int | None) -> None:
        """A sample at session time ``t``."""
        self.x[car], self.y[car], self.speed[car], self.seen_ms[car], self.drs[car] = x, y, speed, t, drs

    def apart(self, car: int, gap: int | None, interval: int | None) -> None:
        """Behind the leader and behind the car ahead, ms."""
        self.gap[car], self.interval[car] = gap, interval
