"""Every car's laps as records: told when they have ended, and again when what was told of them changes."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from f1stream.sources.lap_deletions import Deletion, TimedLap, deleted_laps, deletion_changes, parse_deletion
from f1stream.sources.livetiming.parser.car_laps import LATE_MS, CarLaps
from f1stream.sources.livetiming.parser.reconcile_laps import ReconciledLap, reconcile_laps
from f1stream.sources.livetiming.parser.tyres import CarTyres, TyreStint, stint_of
from models import Entry, Lap
from models.bounds import MOST_LAPS

TOLERANCE_MS = 3
"""By so much the times of an accurate lap may disagree. Source: FastF1."""
SAFETY_CAR, RED = "4", "5"
ACCURATE_UNDER = {"1", "2", "12", "21"}


@dataclass
class CarInputs:
    """What is known of a car's laps."""

    laps: CarLaps = field(default_factory=CarLaps)
    tyres: CarTyres = field(default_factory=CarTyres)
    deletions: list[tuple[int, Deletion]] = field(default_factory=list)
    """What race control said of its lap times, and when."""
    told: dict[int, Lap] = field(default_factory=dict)
    """By lap number, as last told."""
    look_at: list[int] = field(default_factory=list)
    """Session times at which there may be something new to tell."""


@dataclass
class SessionLaps:
    """The laps of all cars of a session. Session time in ms throughout."""

    is_race: bool = False
    t0_utc_ms: int | None = None
    entries: dict[str, Entry] = field(default_factory=dict)
    statuses: list[tuple[int, str]] = field(default_factory=list)
    """Track status from when on."""
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

    def take_timing(self, number: str, line: dict[str, Any], at_ms: int, *, snapshot: bool = False) -> None:
        """A change of a car's line in ``TimingData``."""
        car = self.cars[number]
        car.laps.raced_since_ms = self.started_ms if self.is_race else None
        car.laps.counts_leaving = not self.is_race
        if car.laps.take(line, at_ms, snapshot=snapshot):
            car.look_at += [at_ms, at_ms + LATE_MS]
        elif "BestLapTime" in line:
            car.look_at.append(at_ms)

    def take_tyres(self, number: str, line: dict[str, Any], at_ms: int, *, snapshot: bool = False) -> None:
        """A change of a car's line in ``TimingAppData``."""
        if self.cars[number].tyres.take(line, snapshot=snapshot):
            self.cars[number].look_at.append(at_ms)

    def take_race_control(self, message: str, at_ms: int) -> None:
        """Lap times are deleted and reinstated by race control."""
        said = parse_deletion(message)
        if said is not None:
            self.cars[said.driver_number].deletions.append((at_ms, said))
            self.cars[said.driver_number].look_at.append(at_ms)

    def due(self, at_ms: int) -> list[Lap]:
        """Laps that have ended by now, or have changed since they were told, oldest first."""
        found: list[Lap] = []
        for number, car in self.cars.items():
            if car.look_at and min(car.look_at) <= at_ms:
                car.look_at = [at for at in car.look_at if at > at_ms]
                waits = len(car.laps.rows) > 1 and car.laps.rows[-2].lap_time_ms is None and bool(car.look_at)
                found += self._news(number, car, at_ms if waits else None)
        return sorted(found, key=lambda lap: lap.end_ms)

    def finish(self) -> list[Lap]:
        """What is left to tell when the session is over."""
        found: list[Lap] = []
        for number, car in self.cars.items():
            found += self._news(number, car, None, is_over=True)
        return found

    def _news(self, number: str, car: CarInputs, waits_ms: int | None, *, is_over: bool = False) -> list[Lap]:
        if number not in self.entries:
            return []
        news = []
        for lap in self._laps(number, car, is_over=is_over):
            if waits_ms is not None and lap.end_ms + LATE_MS > waits_ms and lap.lap_number not in car.told:
                continue  # its time may still come
            if car.told.get(lap.lap_number) != lap:
                car.told[lap.lap_number] = lap
                news.append(lap)
        return news

    def _laps(self, number: str, car: CarInputs, *, is_over: bool) -> list[Lap]:
        settled = self._raced(reconcile_laps(car.laps.driven(is_over=is_over)))
        if not settled:
            return []
        self._tidy_first(settled[0])
        self._starts(settled, car.laps.laps_before)
        stints = car.tyres.stints()
        deleted = self._deleted(number, car, settled)
        bests = _personal_bests([lap for lap in settled if lap.number not in deleted], car.laps.bests)
        statuses = [self._status(lap) for lap in settled]
        _repeat_speeds(settled, statuses)
        laps: list[Lap] = []
        for n, lap in enumerate(settled):
            lap_number = car.laps.laps_before + lap.number
            stint = stint_of(stints, lap_number)
            with suppress(ValidationError):  # no lap that anybody drove has such numbers
                laps.append(self._record(
                    number, lap_number, lap, stint, statuses[n],
                    is_best=lap.number in bests, deleted=deleted.get(lap.number),
                    is_accurate=_is_accurate(settled, statuses, n),
                    position=self._position(number, lap_number, lap),
                ))  # fmt: skip
        return laps

    def _deleted(self, number: str, car: CarInputs, laps: list[ReconciledLap]) -> dict[int, str]:
        """By number among ``laps`` why a lap was deleted. Cars of another series have the same numbers.

        In a race a best time that the feed takes back was deleted, for a reason that it does not say. In a qualifying
        the next part takes it back.
        """
        tla = self.entries[number].tla
        said = [(at_ms, each) for at_ms, each in car.deletions if each.tla in (tla, None)]
        timed = [TimedLap(lap.number, lap.end_ms, lap.lap_time_ms) for lap in laps]
        deleted = deleted_laps(deletion_changes(said, timed, car.laps.shift))
        for time in car.laps.taken_back if self.is_race else ():
            numbers = [lap.number for lap in laps if lap.lap_time_ms == time]
            if len(numbers) == 1:
                deleted.setdefault(numbers[0], "")
        return deleted

    def _raced(self, laps: list[ReconciledLap]) -> list[ReconciledLap]:
        """A race's laps begin with its start: what ended before was a lap to the grid."""
        if not self.is_race or self.started_ms is None:
            return laps
        return [lap for lap in laps if lap.end_ms > self.started_ms]

    def _tidy_first(self, lap: ReconciledLap) -> None:
        """Laps to the grid are none of the race: a car goes through the pits between them."""
        if lap.pit_in_ms is not None and lap.pit_out_ms is not None and lap.pit_in_ms < lap.pit_out_ms:
            lap.pit_in_ms = None
        if lap.pit_out_ms is not None and self.started_ms is not None and lap.pit_out_ms < self.started_ms:
            lap.pit_out_ms = None

    def _starts(self, laps: list[ReconciledLap], laps_before: int) -> None:
        """A lap starts where the one before ended; the first and one after a red flag with the start or the pits.

        The start of a lap after laps that were missed is known from its own time only. ``laps_before``: those that
        were driven before we listened.
        """
        for n, lap in enumerate(laps):
            before = _before(laps, n)
            if before is not None:
                lap.start_ms = before.end_ms
            elif laps_before + lap.number > 1:
                lap.start_ms = None if lap.lap_time_ms is None else lap.end_ms - lap.lap_time_ms
            else:
                lap.start_ms = self.started_ms if self.is_race else None
        for restart in self.restarts:
            again = next((lap for lap in laps if lap.pit_out_ms is not None and lap.pit_out_ms > restart), None)
            if again is not None and not self.is_race:
                again.start_ms = None
            elif again is not None and again.lap_time_ms is None:
                again.start_ms = restart
        for lap in laps:
            if lap.start_ms is None:
                lap.start_ms = lap.pit_out_ms

    def _status(self, lap: ReconciledLap) -> str:
        """Every track status during the lap, in order, each once."""
        codes = ""
        for n, (since, code) in enumerate(self.statuses):
            until = self.statuses[n + 1][0] if n + 1 < len(self.statuses) else None
            if code not in codes and since <= lap.end_ms and (
                until is None or lap.end_ms <= until or (lap.start_ms is not None and lap.start_ms <= until)
            ):  # fmt: skip
                codes += code
        return codes

    def _position(self, number: str, lap_number: int, lap: ReconciledLap) -> int | None:
        """In a race, how many cars had ended this lap when this one did."""
        if not self.is_race:
            return None
        others = (car.told.get(lap_number) for other, car in self.cars.items() if other != number)
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


def _before(laps: list[ReconciledLap], n: int) -> ReconciledLap | None:
    """The lap before; None where it was missed."""
    return laps[n - 1] if n and laps[n - 1].number == laps[n].number - 1 else None


def _personal_bests(laps: list[ReconciledLap], bests: list[list[int]]) -> set[int]:
    """The numbers of laps that were the car's best when they were driven; ``bests``: by part, their times."""
    first = {lap.lap_time_ms: lap.number for lap in reversed(laps)}
    return {first[best] for part in bests for best in part if best in first}


def _repeat_speeds(laps: list[ReconciledLap], statuses: list[str]) -> None:
    """The feed says nothing where a trap measured the same again."""
    last: dict[str, int] = {}
    for n, (lap, status) in enumerate(zip(laps, statuses, strict=True)):
        last = lap.speeds.copy() if _before(laps, n) is None else last | lap.speeds
        if RED not in status:
            traps = last.keys() if lap.pit_in_ms is None else last.keys() - {"FL"}
            lap.speeds = {trap: last[trap] for trap in traps} | lap.speeds


def _is_accurate(laps: list[ReconciledLap], statuses: list[str], n: int) -> bool:
    """Whether the lap's times agree with each other and nothing was out of the ordinary. Source: FastF1."""
    lap, before = laps[n], _before(laps, n)
    told = [sector for sector in lap.sectors if sector is not None]
    if lap.lap_time_ms is None or len(told) < len(lap.sectors) or statuses[n] not in ACCURATE_UNDER:
        return False
    if lap.pit_in_ms is not None or lap.pit_out_ms is not None or abs(sum(told) - lap.lap_time_ms) > TOLERANCE_MS:
        return False
    if before is None:
        return True
    return statuses[n - 1] != SAFETY_CAR and abs(lap.end_ms - before.end_ms - lap.lap_time_ms) <= TOLERANCE_MS
