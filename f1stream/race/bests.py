"""Best laps and sectors, personal and overall."""

from __future__ import annotations

from dataclasses import dataclass, field

from f1stream.race.car import Car, FeedBest
from f1stream.race.limits import trim_slowest
from models import PartBest
from models.bounds import MOST_LAPS
from models.frame import Mark, Sector

PERSONAL: Mark = "personal"
OVERALL: Mark = "overall"
DELETION_LAG_MS = 120_000
"""ms. The feed's own best follows a deletion by race control within this time: 14 to 50 s were seen."""


@dataclass(slots=True)
class Bests:
    """The session's bests. All lap times are kept: when a lap is deleted or corrected, the next one counts."""

    laps: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By car: (ms, lap number) of its best valid lap."""
    sectors: list[int | None] = field(default_factory=lambda: [None] * 3)
    began_ms: list[int] = field(default_factory=lambda: [0])
    """Session time at which each part of the session began; a lap belongs to the part in which it ended."""

    def begin_part(self, cars: list[Car], at_ms: int) -> None:
        """Begin the next part of the session: its bests start empty."""
        self.began_ms.append(at_ms)
        self.laps.clear()
        self.sectors = [None] * 3
        for car in cars:
            car.sector_bests = [None] * 3
            self._update(car)

    def best(self, car: Car, part: int) -> tuple[int, int] | None:
        """(ms, lap number) of the car's best valid lap of a part, counted from 0.

        The feed's own best replaces all laps that had ended when it was shown: it includes laps before the run began,
        and leaves out laps that were withdrawn without a message.
        """
        laps = self._laps(car, part)
        shown = car.feed_bests.get(part)
        if shown is None:
            return min(laps, default=None)
        newer = [lap for lap in laps if car.lap_ends.get(str(lap[1]), 0) > shown.since_ms]
        if shown.ms is not None:
            newer.append((shown.ms, shown.lap or 0))
        return min(newer, default=None)

    def own_best(self, car: Car, part: int) -> tuple[int, int] | None:
        """The same by the lap records alone, without the feed's own best."""
        return min(self._laps(car, part), default=None)

    def _laps(self, car: Car, part: int) -> list[tuple[int, int]]:
        """(ms, lap number) of the car's valid laps that ended in a part."""
        since = self.began_ms[part] if 0 < part < len(self.began_ms) else None
        until = self.began_ms[part + 1] if part + 1 < len(self.began_ms) else None
        if since is None and until is None:
            return [(ms, int(number)) for number, ms in car.lap_times.items()]
        ends = ((ms, number, car.lap_ends.get(number, 0)) for number, ms in car.lap_times.items())
        return [
            (ms, int(number))
            for ms, number, end in ends
            if (since is None or end >= since) and (until is None or end < until)
        ]

    def lap(self, car: Car, lap_number: int, ms: int | None, most: int = MOST_LAPS) -> None:
        """Set the time of a lap of ``car``; None: the lap has no valid time, or no longer one.

        Of more than ``most`` valid laps of a car the slowest are dropped.
        """
        if ms is None or ms <= 0:
            car.lap_times.pop(str(lap_number), None)
        else:
            car.lap_times[str(lap_number)] = ms
            trim_slowest(car.lap_times, most)
            for shown in car.feed_bests.values():
                if shown.ms == ms:
                    shown.lap = lap_number
        self._update(car)

    def show(self, car: Car, best: PartBest, at_ms: int) -> None:
        """Apply that the feed shows another best lap of ``car`` from session time ``at_ms`` on."""
        known = [number for ms, number in self._laps(car, best.part - 1) if ms == best.ms]
        car.feed_bests[best.part - 1] = FeedBest(best.ms, max(known, default=best.lap), at_ms)
        self._update(car)

    def delete(self, car: Car, ms: int, at_ms: int | None) -> None:
        """Note that race control deleted a lap time of ``car`` at ``at_ms``; None: reinstated it."""
        for shown in car.feed_bests.values():
            if shown.ms == ms and (at_ms is None or shown.deleted_ms is None):
                shown.deleted_ms = at_ms

    def drop_deleted(self, car: Car, now: int) -> bool:
        """Drop bests that the feed still shows ``DELETION_LAG_MS`` after their deletion. True if there were any."""
        late = [
            part
            for part, shown in car.feed_bests.items()
            if shown.deleted_ms is not None and now - shown.deleted_ms > DELETION_LAG_MS
        ]
        for part in late:
            del car.feed_bests[part]
        if late:
            self._update(car)
        return bool(late)

    def _update(self, car: Car) -> None:
        best = self.best(car, len(self.began_ms) - 1)
        if best is not None:
            self.laps[car.number] = best
        else:
            self.laps.pop(car.number, None)

    def fastest(self) -> tuple[str, int, int] | None:
        """(car, lap number, ms) of the fastest lap; of equal ones the earlier."""
        if not self.laps:
            return None
        ms, lap_number, car = min((ms, lap_number, car) for car, (ms, lap_number) in self.laps.items())
        return car, lap_number, ms

    def mark(self, car: Car) -> Mark | None:
        """Whether the car's last lap is its best, or the best of all cars."""
        if car.last_lap is None:
            return None
        number, ms = car.last_lap
        if self.laps.get(car.number) != (ms, number):
            return None
        return OVERALL if self.fastest() == (car.number, number, ms) else PERSONAL

    def sector(self, car: Car, sector: int, ms: int | None) -> None:
        """Apply the end of sector 1, 2 or 3; ``ms``: its time, None if unknown."""
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
