"""The pit lane: planned stops, visits, the queue of a suspended race, and the release from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from f1stream.sources.simulator.circuit import PIT_EXIT_M
from f1stream.sources.simulator.pit_visit import LANE_ENTERED_M, SimulatedPitVisit
from f1stream.sources.simulator.plan import SimulatedTyres
from f1stream.sources.simulator.state import Flag, SimulationState

_COMMIT_M = (930.0, 630.0)
"""A car decides to come in between these distances before the finish line."""
_FIRST_AND_LAST_BOX_M = (-150.0, 150.0)
"""Relative to the finish line."""
_QUEUE_M = 200.0
_QUEUE_SLOT_M = 8.0
"""The queue's greatest length, and the distance between two cars in it where that is enough."""
_STOP_S = (2.0, 4.0)
"""The shortest and the longest time that a car stands in its box."""
_RELEASE_AFTER_S = 8.0
_RELEASE_EVERY_S = 2.2
"""After a suspension the first car reaches the exit this long after the restart, the others at this interval."""
_ROLLING_MS = 22.0
"""Speed to the exit, m/s."""


@dataclass(frozen=True)
class TyreFitting:
    """A set of tyres fitted to a car."""

    car: int
    tyres: SimulatedTyres
    lap: int
    """The first lap driven on it."""
    why: Literal["start", "stop", "suspension"]
    visit: SimulatedPitVisit | None


class SimulatedPitLane:
    """All pit visits of a race, and the stops that are still planned."""

    def __init__(self, race: SimulationState) -> None:
        plan = race.plan
        self._race = race
        self.stops = [dict(stops) for stops in plan.stops]
        self.fittings = [TyreFitting(car, tyres, 1, "start", None) for car, tyres in enumerate(plan.start_tyres)]
        self.visits: list[SimulatedPitVisit] = []
        self._visiting: dict[int, SimulatedPitVisit] = {}
        teams = max(driver.box for driver in race.drivers) + 1
        self._box = np.linspace(*_FIRST_AND_LAST_BOX_M, teams).tolist()
        self._slot_m = min(_QUEUE_SLOT_M, _QUEUE_M / len(race.drivers))
        self._queued = 0

    def inside(self) -> list[int]:
        """Cars in the pit lane or committed to it."""
        return list(self._visiting)

    def mark_lane(self, in_lane: npt.NDArray[np.bool_]) -> None:
        """Set ``in_lane`` for the cars that no longer block others."""
        for car, visit in self._visiting.items():
            in_lane[car] = self._race.p[car] > visit.entry - LANE_ENTERED_M

    def start_from(self, car: int) -> None:
        """Let a car wait at the exit until the field has passed."""
        place = float(self._race.p[car])
        self._enter(SimulatedPitVisit(car, "start", 0, -np.inf, place, PIT_EXIT_M, phase="standing"))
        self._race.in_lane[car] = True

    def come_in(self) -> None:
        """Start the visits of cars that reach the last place where they can decide to come in."""
        race = self._race
        to_line = race.circuit.length - race.p % race.circuit.length
        near = (to_line < _COMMIT_M[0]) & (to_line > _COMMIT_M[1]) & (race.p > 0)
        near &= race.on_track & ~race.finished & ~race.failing
        for car in np.flatnonzero(near).tolist():
            visit = self._visit_due(car) if car not in self._visiting else None
            if visit is not None:
                self._enter(visit)

    def _visit_due(self, car: int) -> SimulatedPitVisit | None:
        race, lap = self._race, self._race.lap_of(car)
        length, box = race.circuit.length, self._box[race.drivers[car].box]
        breakdown = race.plan.breakdowns.get(car)
        if race.flag is Flag.RED:
            visit = SimulatedPitVisit.after_lap(car, "suspension", lap, length, PIT_EXIT_M)
            visit.tyres = self.stops[car].pop(lap, None) if race.limping[car] else None
            return visit
        if breakdown is not None and breakdown.answer == "none" and lap >= breakdown.lap:
            return SimulatedPitVisit.after_lap(car, "retire", lap, length, box)
        if lap not in self.stops[car] or lap >= race.laps:
            return None
        if self._team_mate_is_in(car) and lap + 1 < race.laps and not race.limping[car]:
            self.stops[car][lap + 1] = self.stops[car].pop(lap)
            return None
        visit = SimulatedPitVisit.after_lap(car, "stop", lap, length, box)
        visit.tyres = self.stops[car].pop(lap)
        visit.standing_s = round(float(np.clip(race.rng.gamma(6.0, 0.12) + 1.9, *_STOP_S)), 1)
        return visit

    def _team_mate_is_in(self, car: int) -> bool:
        drivers = self._race.drivers
        return any(drivers[other].box == drivers[car].box for other in self._visiting)

    def _enter(self, visit: SimulatedPitVisit) -> None:
        self.visits.append(visit)
        self._visiting[visit.car] = visit

    def bring_stops_forward(self) -> None:
        """Move some stops to this lap: they cost less behind the safety car."""
        race = self._race
        soon = max(round(0.2 * race.laps), 2)
        for car, stops in enumerate(self.stops):
            lap = race.lap_of(car)
            due = next((planned for planned in sorted(stops) if planned > lap), None)
            if due is not None and due <= lap + soon and lap < race.laps - 2 and race.rng.random() < 0.6:
                stops[lap if race.to_line(car) > _COMMIT_M[0] else lap + 1] = stops.pop(due)

    def all_waiting(self) -> bool:
        """Whether every running car waits for the restart."""
        running = np.flatnonzero(~self._race.stopped).tolist()
        return all(car in self._visiting and self._visiting[car].waiting_for_restart for car in running)

    def release(self, t: float) -> None:
        """Release the waiting cars in race order, _RELEASE_EVERY_S apart at the pit exit."""
        waiting = sorted(self._visiting, key=lambda car: -self._race.p[car])
        to_exit = {car: visit.exit - visit.target for car, visit in self._visiting.items()}
        for place, car in enumerate(waiting):
            visit = self._visiting[car]
            longer_way = (max(to_exit.values()) - to_exit[car]) / _ROLLING_MS
            visit.ready = t + _RELEASE_AFTER_S + _RELEASE_EVERY_S * place + longer_way
            visit.tyres = visit.tyres or self._race.plan.suspension_tyres[car]
        self._queued = 0

    def speed(self, car: int, free: float) -> float:
        """The next speed (m/s) of a car that is inside; ``free`` is its speed without the pit lane."""
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

    def _leave(self, car: int, visit: SimulatedPitVisit) -> None:
        race = self._race
        del self._visiting[car]
        race.resume(car)
        if visit.tyres is not None:
            why: Literal["stop", "suspension"] = "stop" if visit.kind == "stop" else "suspension"
            self.fittings.append(TyreFitting(car, visit.tyres, race.lap_of(car), why, visit))
            race.compound[car], race.age[car] = visit.tyres.compound, visit.tyres.life
            race.pace[car] = race.draw_pace(car, race.lap_of(car))
