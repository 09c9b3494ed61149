"""The pit lane: who comes in and when, the queue of a suspended race, and the way out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from f1stream.sources.simulator.circuit import PIT_EXIT_M
from f1stream.sources.simulator.pit_visit import LANE_ENTERED_M, PitVisit
from f1stream.sources.simulator.plan import SimulatedTyres
from f1stream.sources.simulator.race_director import Flag

if TYPE_CHECKING:
    from f1stream.sources.simulator.simulation import RaceSimulation

_COMMIT_M = (930.0, 630.0)
"""Where a car decides to come in: between these distances before the finish line."""
_FIRST_AND_LAST_BOX_M = (-150.0, 150.0)
_QUEUE_M = 200.0
_QUEUE_SLOT_M = 8.0
_STOP_S = (2.0, 4.0)
_RELEASE_AFTER_S = 8.0
_RELEASE_EVERY_S = 2.2
_ROLLING_MS = 22.0


@dataclass(frozen=True)
class TyreFitting:
    """A set of tyres put on a car."""

    car: int
    tyres: SimulatedTyres
    lap: int
    """The first lap driven on it."""
    why: Literal["start", "stop", "suspension"]
    visit: PitVisit | None


class SimulatedPitLane:
    """All visits of a race, past and present, and the stops that are still planned."""

    def __init__(self, race: RaceSimulation) -> None:
        plan = race.plan
        self._race = race
        self.stops = [dict(stops) for stops in plan.stops]
        self.fittings = [TyreFitting(car, tyres, 1, "start", None) for car, tyres in enumerate(plan.start_tyres)]
        self.visits: list[PitVisit] = []
        self._visiting: dict[int, PitVisit] = {}
        teams = max(driver.box for driver in race.drivers) + 1
        self._box = np.linspace(*_FIRST_AND_LAST_BOX_M, teams).tolist()
        self._slot_m = min(_QUEUE_SLOT_M, _QUEUE_M / len(race.drivers))
        self._queued = 0

    def inside(self) -> list[int]:
        """Cars in the pit lane or sure to come in."""
        return list(self._visiting)

    def mark_lane(self, in_lane: npt.NDArray[np.bool_]) -> None:
        """Set the cars that are out of the others' way."""
        for car, visit in self._visiting.items():
            in_lane[car] = self._race.p[car] > visit.entry - LANE_ENTERED_M

    def start_from(self, car: int) -> None:
        """A car waits at the exit for the field to pass."""
        place = float(self._race.p[car])
        self._enter(PitVisit(car, "start", 0, -np.inf, place, PIT_EXIT_M, phase="standing"))
        self._race.in_lane[car] = True

    def come_in(self) -> None:
        """Cars that reach the last place where they can still decide for the pits."""
        race = self._race
        to_line = race.circuit.length - race.p % race.circuit.length
        near = (to_line < _COMMIT_M[0]) & (to_line > _COMMIT_M[1]) & (race.p > 0)
        near &= race.on_track & ~race.finished & ~race.failing
        for car in np.flatnonzero(near).tolist():
            visit = self._visit_due(car) if car not in self._visiting else None
            if visit is not None:
                self._enter(visit)

    def _visit_due(self, car: int) -> PitVisit | None:
        race, lap = self._race, self._race.lap_of(car)
        length, box = race.circuit.length, self._box[race.drivers[car].box]
        breakdown = race.plan.breakdowns.get(car)
        if race.director.flag is Flag.RED:
            visit = PitVisit.after_lap(car, "suspension", lap, length, PIT_EXIT_M)
            visit.tyres = self.stops[car].pop(lap, None) if race.limping[car] else None
            return visit
        if breakdown is not None and breakdown.answer == "none" and lap >= breakdown.lap:
            return PitVisit.after_lap(car, "retire", lap, length, box)
        if lap not in self.stops[car] or lap >= race.laps:
            return None
        if self._team_mate_is_in(car) and lap + 1 < race.laps and not race.limping[car]:
            self.stops[car][lap + 1] = self.stops[car].pop(lap)
            return None
        visit = PitVisit.after_lap(car, "stop", lap, length, box)
        visit.tyres = self.stops[car].pop(lap)
        visit.standing_s = round(float(np.clip(race.rng.gamma(6.0, 0.12) + 1.9, *_STOP_S)), 1)
        return visit

    def _team_mate_is_in(self, car: int) -> bool:
        drivers = self._race.drivers
        return any(drivers[other].box == drivers[car].box for other in self._visiting)

    def _enter(self, visit: PitVisit) -> None:
        self.visits.append(visit)
        self._visiting[visit.car] = visit

    def rethink_stops(self) -> None:
        """A stop costs less behind the safety car: some of those due soon come in now."""
        race = self._race
        soon = max(round(0.2 * race.laps), 2)
        for car, stops in enumerate(self.stops):
            lap = race.lap_of(car)
            due = next((planned for planned in sorted(stops) if planned > lap), None)
            if due is not None and due <= lap + soon and lap < race.laps - 2 and race.rng.random() < 0.6:
                stops[lap if race.to_line(car) > _COMMIT_M[0] else lap + 1] = stops.pop(due)

    def all_wait(self) -> bool:
        """Every running car waits for the restart."""
        running = np.flatnonzero(~self._race.stopped).tolist()
        return all(car in self._visiting and self._visiting[car].held for car in running)

    def release(self, t: float) -> None:
        """Send the waiting cars out in race order, about two seconds apart at the pit exit."""
        waiting = sorted(self._visiting, key=lambda car: -self._race.p[car])
        to_exit = {car: visit.exit - visit.target for car, visit in self._visiting.items()}
        for place, car in enumerate(waiting):
            visit = self._visiting[car]
            longer_way = (max(to_exit.values()) - to_exit[car]) / _ROLLING_MS
            visit.ready = t + _RELEASE_AFTER_S + _RELEASE_EVERY_S * place + longer_way
            visit.tyres = visit.tyres or self._race.plan.suspension_tyres[car]
        self._queued = 0

    def speed(self, car: int, free: float) -> float:
        """The next speed (m/s) of a car inside, which would drive ``free`` if it could."""
        race, visit = self._race, self._visiting[car]
        p, v = float(race.p[car]), float(race.v[car])
        if visit.kind == "start" and visit.ready == np.inf:
            others = np.delete(race.p, car)[~np.delete(race.stopped, car)]
            if (others > PIT_EXIT_M + 30.0).all():
                visit.ready = race.t + 0.5
        if visit.kind == "suspension" and visit.target == visit.exit and p >= visit.entry:
            visit.queue(self._queued, self._slot_m)
            self._queued += 1
        speed = visit.speed(race.t, p, v, free)
        if visit.kind == "retire" and visit.phase == "standing":
            race.retire(car, in_pits=True)
            del self._visiting[car]
        elif p >= visit.exit:
            self._leave(car, visit)
        return speed

    def _leave(self, car: int, visit: PitVisit) -> None:
        race = self._race
        del self._visiting[car]
        race.resume(car)
        if visit.tyres is not None:
            why: Literal["stop", "suspension"] = "stop" if visit.kind == "stop" else "suspension"
            self.fittings.append(TyreFitting(car, visit.tyres, race.lap_of(car), why, visit))
            race.compound[car], race.age[car] = visit.tyres.compound, visit.tyres.life
            race.pace[car] = race.draw_pace(car, race.lap_of(car))
