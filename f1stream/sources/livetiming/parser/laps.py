"""Every car's laps as records: published when they have ended, and again when something about them changes."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from f1stream.sources.lap_deletions import Deletion, TimedLap, deleted_laps, deletion_changes, parse_deletion
from f1stream.sources.livetiming.parser import lap_rules
from f1stream.sources.livetiming.parser.car_laps import LATE_MS, CarLaps
from f1stream.sources.livetiming.parser.reconcile_laps import ReconciledLap, reconcile_laps
from f1stream.sources.livetiming.parser.tyres import CarTyres, TyreStint, stint_of
from models import Entry, Lap, RaceControl, SessionStatus
from models.bounds import MOST_LAPS
from models.session_start import start_after


@dataclass
class CarInputs:
    """What a car's lap records are made from, and those that are published."""

    laps: CarLaps = field(default_factory=CarLaps)
    tyres: CarTyres = field(default_factory=CarTyres)
    deletions: list[tuple[int, Deletion]] = field(default_factory=list)
    """Deletions and reinstatements of its lap times by race control, each with its session time."""
    published: dict[int, Lap] = field(default_factory=dict)
    """By lap number, as last published."""
    due_ms: list[int] = field(default_factory=list)
    """Session times at which its records are made again, because a lap may be new or changed."""


@dataclass
class SessionLaps:
    """The laps of all cars of a session. Session time in ms throughout."""

    is_race: bool = False
    t0_utc_ms: int | None = None
    """The UTC instant (Unix ms) of session time 0, as known at the start; None before it."""
    entries: dict[str, Entry] = field(default_factory=dict)
    """By car number. Laps of other cars are not published."""
    statuses: list[tuple[int, str]] = field(default_factory=list)
    """The track's: (session time since when, code)."""
    started_ms: int | None = None
    restarts: list[int] = field(default_factory=list)
    """When an aborted session was started again."""
    is_aborted: bool = False
    cars: defaultdict[str, CarInputs] = field(default_factory=lambda: defaultdict(CarInputs))

    @property
    def first_lap_over(self) -> bool:
        """Whether a car has completed a lap."""
        return any(car.laps.lap_number > 1 for car in self.cars.values())

    def take_status(self, status: str, at_ms: int) -> None:
        """A session that was aborted starts again at once, or after the feed has called it Inactive for a while."""
        if status == "Aborted":
            self.is_aborted = True
        elif status == "Started" and self.is_aborted:
            self.is_aborted = False
            if self.started_ms is not None:
                self.restarts.append(at_ms)

    def update_start(self, fact: SessionStatus | RaceControl, t0_utc_ms: int) -> None:
        """Apply what ``fact`` says about the session's start."""
        before = self.started_ms
        self.started_ms = start_after(before, fact, self.first_lap_over)
        if before is not None and self.started_ms is None:
            for car in self.cars.values():
                car.tyres.restart()
        if self.started_ms is not None and before is None:
            self.t0_utc_ms = t0_utc_ms

    def take_timing(self, number: str, line: dict[str, Any], at_ms: int, *, snapshot: bool = False) -> None:
        """A change of a car's line in ``TimingData``."""
        car = self.cars[number]
        car.laps.raced_since_ms = self.started_ms if self.is_race else None
        car.laps.counts_leaving = not self.is_race
        if car.laps.take(line, at_ms, snapshot=snapshot):
            car.due_ms += [at_ms, at_ms + LATE_MS]
        elif "BestLapTime" in line:
            car.due_ms.append(at_ms)

    def take_tyres(self, number: str, line: dict[str, Any], at_ms: int, *, snapshot: bool = False) -> None:
        """A change of a car's line in ``TimingAppData``."""
        if self.cars[number].tyres.take(line, snapshot=snapshot):
            self.cars[number].due_ms.append(at_ms)

    def take_race_control(self, message: str, at_ms: int) -> None:
        """Race control deletes and reinstates lap times."""
        found = parse_deletion(message)
        if found is not None:
            self.cars[found.driver_number].deletions.append((at_ms, found))
            self.cars[found.driver_number].due_ms.append(at_ms)

    def due(self, at_ms: int) -> list[Lap]:
        """Laps that have ended by now, or have changed since they were published, oldest first."""
        found: list[Lap] = []
        for number, car in self.cars.items():
            if car.due_ms and min(car.due_ms) <= at_ms:
                car.due_ms = [at for at in car.due_ms if at > at_ms]
                waits = len(car.laps.rows) > 1 and car.laps.rows[-2].lap_time_ms is None and bool(car.due_ms)
                found += self._changed(number, car, at_ms if waits else None)
        return sorted(found, key=lambda lap: lap.end_ms)

    def finish(self) -> list[Lap]:
        """The laps that remain to be published when the session is over."""
        found: list[Lap] = []
        for number, car in self.cars.items():
            found += self._changed(number, car, None, is_over=True)
        return found

    def _changed(self, number: str, car: CarInputs, now_ms: int | None, *, is_over: bool = False) -> list[Lap]:
        """``now_ms`` is set while a lap that has just ended still waits for its time."""
        if number not in self.entries:
            return []
        changed = []
        for lap in self._records(number, car, is_over=is_over):
            if now_ms is not None and lap.end_ms + LATE_MS > now_ms and lap.lap_number not in car.published:
                continue
            if car.published.get(lap.lap_number) != lap:
                car.published[lap.lap_number] = lap
                changed.append(lap)
        return changed

    def _records(self, number: str, car: CarInputs, *, is_over: bool) -> list[Lap]:
        laps = reconcile_laps(car.laps.driven(is_over=is_over))
        laps = lap_rules.without_formation_laps(laps, self.started_ms if self.is_race else None)
        if not laps:
            return []
        lap_rules.drop_visits_before_start(laps[0], self.started_ms)
        first_start_ms = self.started_ms if self.is_race else None
        lap_rules.set_starts(laps, car.laps.laps_before, first_start_ms, self.restarts, is_race=self.is_race)
        stints = car.tyres.stints()
        deleted = self._deleted(number, car, laps)
        bests = lap_rules.personal_bests([lap for lap in laps if lap.number not in deleted], car.laps.bests)
        statuses = [lap_rules.track_status(lap, self.statuses) for lap in laps]
        lap_rules.repeat_speeds(laps, statuses)
        records: list[Lap] = []
        for n, lap in enumerate(laps):
            lap_number = car.laps.laps_before + lap.number
            stint = stint_of(stints, lap_number)
            with suppress(ValidationError):  # a damaged value: no lap can have it
                records.append(self._record(
                    number, lap_number, lap, stint, statuses[n],
                    is_best=lap.number in bests, deleted=deleted.get(lap.number),
                    is_accurate=lap_rules.is_accurate(laps, statuses, n),
                    position=self._position(number, lap_number, lap),
                ))  # fmt: skip
        return records

    def _deleted(self, number: str, car: CarInputs, laps: list[ReconciledLap]) -> dict[int, str]:
        """By number among ``laps``: why a lap was deleted. Cars of another series have the same numbers.

        In a race, a best time that the feed takes back was deleted, for a reason that it does not send. In a
        qualifying, the next part takes it back.
        """
        tla = self.entries[number].tla
        of_car = [(at_ms, each) for at_ms, each in car.deletions if each.tla in (tla, None)]
        timed = [TimedLap(lap.number, lap.end_ms, lap.lap_time_ms) for lap in laps]
        deleted = deleted_laps(deletion_changes(of_car, timed, car.laps.shift))
        for time in car.laps.taken_back if self.is_race else ():
            numbers = [lap.number for lap in laps if lap.lap_time_ms == time]
            if len(numbers) == 1:
                deleted.setdefault(numbers[0], "")
        return deleted

    def _position(self, number: str, lap_number: int, lap: ReconciledLap) -> int | None:
        """In a race, 1 plus the number of cars that had ended this lap when this one did."""
        if not self.is_race:
            return None
        others = (car.published.get(lap_number) for other, car in self.cars.items() if other != number)
        return 1 + sum(other is not None and other.end_ms < lap.end_ms for other in others)

    def _record(
        self, number: str, lap_number: int, lap: ReconciledLap, stint: TyreStint | None, status: str,
        *, is_best: bool, deleted: str | None, is_accurate: bool, position: int | None,
    ) -> Lap:  # fmt: skip
        entry = self.entries[number]
        age = None
        if stint is not None and stint.laps_before is not None:
            age = min(stint.laps_before + lap_number - stint.first_lap + 1, MOST_LAPS)
        return Lap(
            driver=entry.tla, driver_number=number, team=entry.team, lap_number=lap_number, end_ms=lap.end_ms,
            lap_time_ms=lap.lap_time_ms, pit_out_ms=lap.pit_out_ms, pit_in_ms=lap.pit_in_ms,
            sector1_ms=lap.sectors[0], sector2_ms=lap.sectors[1], sector3_ms=lap.sectors[2],
            sector1_end_ms=lap.sectors_at[0], sector2_end_ms=lap.sectors_at[1], sector3_end_ms=lap.sectors_at[2],
            start_ms=lap.start_ms, start_utc=self._utc(lap.start_ms),
            stint=None if stint is None else stint.number + 1,
            tyre_life=age,
            position=position, speed_i1=lap.speeds.get("I1"), speed_i2=lap.speeds.get("I2"),
            speed_fl=lap.speeds.get("FL"), speed_st=lap.speeds.get("ST"),
            compound=stint.compound if stint is not None else None, track_status=status or None,
            is_personal_best=is_best, fresh_tyre=stint.is_fresh if stint is not None else None,
            deleted=deleted is not None, deleted_reason=deleted or None, generated=False, is_accurate=is_accurate,
        )  # fmt: skip

    def _utc(self, session_ms: int | None) -> datetime | None:
        if session_ms is None or self.t0_utc_ms is None:
            return None
        return datetime.fromtimestamp((self.t0_utc_ms + session_ms) / 1000, UTC)
