"""The columns of a frame: values of each car that change with every sample."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Columns:
    """Values by car in grid order; a frame's columns are copies of them."""

    x: list[int | None] = field(default_factory=list)
    y: list[int | None] = field(default_factory=list)
    speed: list[int | None] = field(default_factory=list)
    seen_ms: list[int | None] = field(default_factory=list)
    gap: list[int | None] = field(default_factory=list)
    interval: list[int | None] = field(default_factory=list)
    drs: list[int | None] = field(default_factory=list)

    @classmethod
    def of(cls, cars: int) -> Columns:
        """Columns of ``cars`` cars, all values unknown."""
        unknown: list[int | None] = [None] * cars
        return cls(*(unknown.copy() for _ in range(7)))

    def add(self) -> None:
        """Add a car, all values unknown."""
        for column in (self.x, self.y, self.speed, self.seen_ms, self.gap, self.interval, self.drs):
            column.append(None)

    def put(self, car: int, x: int | None, y: int | None, speed: int, t: int, drs: int | None) -> None:
        """Set the values of a sample at session time ``t``: 1/10 m, km/h, ms."""
        self.x[car], self.y[car], self.speed[car], self.seen_ms[car], self.drs[car] = x, y, speed, t, drs

    def put_gaps(self, car: int, gap: int | None, interval: int | None) -> None:
        """Set the gaps to the leader and to the car ahead, ms."""
        self.gap[car], self.interval[car] = gap, interval
