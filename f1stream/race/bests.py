"""Best laps and sectors, personal and overall."""

from __future__ import annotations

from dataclasses import dataclass, field

from f1stream.race.car import Car
from f1stream.race.kept import trim_slowest
from models.bounds import MOST_LAPS
from models.frame import Mark, Sector

PERSONAL: Mark = "personal"
OVERALL: Mark = "overall"


@dataclass(slots=True)
class Bests:
    """The session's bests. Lap times are kept one by one: a deleted or corrected lap gives way to the next."""

    laps: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By car: (ms, lap number) of its best valid lap."""
    sectors: list[int | None] = field(default_factory=lambda: [None] * 3)
    began: list[dict[str, int]] = field(default_factory=lambda: [{}])
    """By part of the session and by car: how many laps it had completed when the part began."""

    def begin_part(self, cars: list[Car], told: dict[str, int]) -> None:
        """Bests count anew. ``told``: by car, the last lap that was told."""
        self.began.append({car.number: told.get(car.number, 0) for car in cars})
        self.laps.clear()
        self.sectors = [None] * 3
        for car in cars:
            car.sector_bests = [None] * 3

    def best(self, car: Car, part: int) -> tuple[int, int] | None:
        """(ms, lap number) of the car's best valid lap of a part, counted from 0."""
        after = self.began[part].get(car.number, 0)
        until = self.began[part + 1].get(car.number, 0) if part + 1 < len(self.began) else None
        valid = [(ms, int(number)) for number, ms in car.lap_times.items()]
        return min((lap for lap in valid if lap[1] > after and (until is None or lap[1] <= until)), default=None)

    def lap(self, car: Car, lap_number: int, ms: int | None, most: int = MOST_LAPS) -> None:
        """``car`` did (or did after all, or did not: None) ``lap_number`` in ``ms``.

        Of more than ``most`` valid laps of a car the slowest are dropped.
        """
        if ms is None:
            car.lap_times.pop(str(lap_number), None)
        else:
            car.lap_times[str(lap_number)] = ms
            trim_slowest(car.lap_times, most)
        best = self.best(car, len(self.began) - 1)
        if best is not None:
            self.laps[car.number] = best
        else:
            self.laps.pop(car.number, None)

    def fastest(self) -> tuple[str, int, int] | None:
        """(car, lap number, ms) of the fastest lap, the earlier one where two are equal."""
        if not self.laps:
            return None
        ms, lap_number, car = min((ms, lap_number, car) for car, (ms, lap_number) in self.laps.items())
        return car, lap_number, ms

    def mark(self, car: Car) -> Mark | None:
        """Whether the car's last lap is its best, or the best of all."""
        if car.last_lap is None:
            return None
        number, ms = car.last_lap
        if self.laps.get(car.number) != (ms, number):
            return None
        return OVERALL if self.fastest() == (car.number, number, ms) else PERSONAL

    def sector(self, car: Car, sector: int, ms: int | None) -> None:
        """``car`` ended sector 1, 2 or 3, after ``ms`` where that is known."""
        mark: Mark | None = None
        if ms is not None:
            own, overall = car.sector_bests[sector - 1], self.sectors[sector - 1]
            if own is None or ms < own:
                car.sector_bests[sector - 1], mark = ms, PERSONAL
            if overall is None or ms < overall:
                self.sectors[sector - 1], mark = ms, OVERALL
        if sector == 1:
            car.sectors = [None] * 3
        car.sectors[sector - 1] = Sector.model_construct(ms=ms, mark=mark)
