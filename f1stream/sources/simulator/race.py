"""The race itself, in small steps of time: every car's motion from the grid to the flag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from f1stream.sources.session import SourceError
from f1stream.sources.simulator.bulletin import Bulletin
from f1stream.sources.simulator.circuit import PIT_EXIT_M, Circuit, Floats
from f1stream.sources.simulator.director import Director, Flag
from f1stream.sources.simulator.field import COMPOUNDS, Driver, pace
from f1stream.sources.simulator.pits import LANE_ENTERED_M, Visit
from f1stream.sources.simulator.plan import Plan, Tyres
from f1stream.sources.simulator.trace import STEP_S, Trace, crossing_in_step
from f1stream.sources.simulator.traffic import Traffic

BEFORE_START_S = 30.0
"""How long the cars are seen standing on the grid."""
AFTER_FINISH_S = 12.0
RETIREMENT_TOLD_S = 10.0
GRID_SLOT_M = 8.0
_THINK_STEPS = 5
"""Drivers and race control decide every so many steps."""
_COMMIT_M = (930.0, 630.0)
"""Where a car decides to come in: between these distances before the finish line."""
_BRAKE = 55.0
_RATE_UP = 0.2
_RATE_DOWN = 0.15
_FAILING_DOWN = 0.1
"""Change of a car's share of the reference pace, per second."""
_LIMPING_PACE = 0.42
_COOL_DOWN_PACE = 0.4
_LATERAL_SPEED = 2.0
_LAUNCH_S = 3.0
_FOUR_HOURS_S = 4 * 3600.0


@dataclass(frozen=True)
class Fit:
    """A set of tyres put on a car."""

    car: int
    tyres: Tyres
    lap: int
    """The first lap driven on it."""
    why: Literal["start", "stop", "suspension"]
    visit: Visit | None


@dataclass(frozen=True)
class Loss:
    """A car that gave up: where (m of progress) and when (race time) it stood."""

    car: int
    t: float
    progress: float
    in_pits: bool


class Race:
    """Cars are indexed by their place on the grid; progress is metres, pace a share of the reference car's."""

    def __init__(
        self, circuit: Circuit, drivers: list[Driver], plan: Plan, laps: int, bulletin: Bulletin,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        n = len(drivers)
        self.circuit, self.drivers, self.plan, self.laps, self.rng = circuit, drivers, plan, laps, rng
        self.director = Director(bulletin, rng, laps, plan.red_lap)
        self.traffic = Traffic(rng)
        self.t = 0.0
        self.p: Floats = -GRID_SLOT_M * np.arange(1.0, n + 1.0)
        self.v: Floats = np.zeros(n)
        self.rate: Floats = np.zeros(n)
        self.lateral: Floats = np.where(np.arange(n) % 2, -3.0, 3.0)
        self.stopped = np.zeros(n, dtype=bool)
        self.finished = np.zeros(n, dtype=bool)
        self.failing = np.zeros(n, dtype=bool)
        self.limping = np.zeros(n, dtype=bool)
        self.unlapping = np.zeros(n, dtype=bool)
        self.in_lane = np.zeros(n, dtype=bool)
        self.age = [tyres.life for tyres in plan.start_tyres]
        self.compound = [tyres.compound for tyres in plan.start_tyres]
        self.stops = [dict(stops) for stops in plan.stops]
        self.fits = [Fit(car, tyres, 1, "start", None) for car, tyres in enumerate(plan.start_tyres)]
        self.visits: list[Visit] = []
        self.losses: list[Loss] = []
        self._visiting: dict[int, Visit] = {}
        self._reaction = np.array([driver.reaction_s for driver in drivers])
        self._launch = np.array([driver.launch for driver in drivers])
        self._box = np.linspace(-150.0, 150.0, max(driver.box for driver in drivers) + 1).tolist()
        self._queue_spacing = min(GRID_SLOT_M, 200.0 / n)
        self._queued = 0
        self._cool_down_end = np.full(n, np.inf)
        self._over: float | None = None
        self._rate_change: Floats = np.zeros(n)
        self._lateral_change: Floats = np.zeros(n)
        for car, driver in enumerate(drivers):
            if driver.entry.pit_lane_start:
                self.p[car] = PIT_EXIT_M - 3.0
                self.lateral[car] = 0.0
                visit = Visit(car, "start", 0, -np.inf, self.p[car], PIT_EXIT_M, phase="standing")
                self._enter(visit)
                self.in_lane[car] = True
        self._laps_done = np.floor(self.p / circuit.length)
        self.pace: Floats = np.array([self._draw_pace(car) for car in range(n)])
        self._look()

    def run(self) -> Trace:
        """From 30 s before lights out until some seconds after the last car has finished."""
        still = round(BEFORE_START_S / STEP_S)
        ps, vs, laterals = ([column] * (still + 1) for column in (self.p, self.v, self.lateral))
        step = 0
        while self._over is None or self.t < self._over:
            if step % _THINK_STEPS == 0:
                self._think()
            self._move()
            step += 1
            self.t = step * STEP_S
            ps.append(self.p)
            vs.append(self.v)
            laterals.append(self.lateral)
            if self.t > _FOUR_HOURS_S:
                raise SourceError("The simulated race does not end; try another seed.")
        return Trace(-BEFORE_START_S, np.array(ps), np.array(vs), np.array(laterals))

    # What race control and the other cars see

    def lap_of(self, car: int) -> int:
        """The lap a car is on, from 1."""
        return max(int(self.p[car] // self.circuit.length) + 1, 1)

    def place(self, car: int) -> float:
        """Metres since the finish line."""
        return float(self.p[car] % self.circuit.length)

    def to_line(self, car: int) -> float:
        """Metres to the finish line."""
        return self.circuit.length - self.place(car)

    def straight_at(self, car: int) -> bool:
        """The car is where it can pass another."""
        return bool(self.circuit.straights[int(self.place(car))])

    def train_is_closed(self, per_car_s: float) -> bool:
        """Every car on the track is in one train behind the leader."""
        behind = (self.clock[self.leader] - self.clock[self.on_track]) % self.circuit.lap_time
        return bool((behind < 2.0 + per_car_s * len(behind)).all())

    def lapped_cars(self) -> list[int]:
        """Running cars a lap or more behind, the first on the road first."""
        behind = self.p[self.leader] - self.p
        lapped = np.flatnonzero(~self.stopped & self.on_track & (behind > 0.6 * self.circuit.length))
        return [int(car) for car in lapped[np.argsort(-self.p[lapped])]]

    def lead_lap_is_together(self) -> bool:
        """Nobody is in the pits, and all cars that are not lapped have the same next finish line."""
        running = ~self.stopped & ~self.limping
        lead_lap = running & (self.p > self.p[self.leader] - 0.98 * self.circuit.length)
        same = np.floor(self.p[lead_lap] / self.circuit.length) == self._laps_done[self.leader]
        return not self._visiting and bool(same.all())

    def all_stand_in_the_pits(self) -> bool:
        """Every running car waits for the restart."""
        running = np.flatnonzero(~self.stopped)
        return all(car in self._visiting and self._visiting[car].held for car in running.tolist())

    def release_from_the_pits(self, t: float) -> None:
        """Send the waiting cars out in race order, about two seconds apart at the pit exit."""
        waiting = sorted((car for car in self._visiting if not self.stopped[car]), key=lambda car: -self.p[car])
        farthest = max((visit.exit - visit.target for visit in self._visiting.values()), default=0.0)
        for place, car in enumerate(waiting):
            visit = self._visiting[car]
            head_start = (farthest - (visit.exit - visit.target)) / 22.0
            visit.ready = t + 8.0 + 2.2 * place + head_start
            visit.tyres = visit.tyres or self.plan.suspension_tyres[car]
        self._queued = 0

    def rethink_stops(self) -> None:
        """A stop costs less behind the safety car: some of those due soon come in now."""
        soon = max(round(0.2 * self.laps), 2)
        for car, stops in enumerate(self.stops):
            lap = self.lap_of(car)
            due = next((planned for planned in sorted(stops) if planned > lap), None)
            if due is not None and due <= lap + soon and lap < self.laps - 2 and self.rng.random() < 0.6:
                stops[lap if self.to_line(car) > _COMMIT_M[0] else lap + 1] = stops.pop(due)

    # Decisions

    def _look(self) -> None:
        """What is true of all cars now."""
        place = self.p % self.circuit.length
        self.clock: Floats = self.circuit.at(self.circuit.clock, place)
        self.rate_now: Floats = self.v / self.circuit.at(self.circuit.speed, place)
        for car, visit in self._visiting.items():
            self.in_lane[car] = self.p[car] > visit.entry - LANE_ENTERED_M
        self.on_track = ~self.stopped & ~self.in_lane
        self.leader = int(np.argmax(np.where(self.stopped, -np.inf, self.p)))

    def _think(self) -> None:
        self._look()
        self.director.update(self.t, self)
        self._suffer()
        self._come_in()
        pace = self.director.pace(self.pace, self)
        pace = np.where(self.limping, np.minimum(pace, _LIMPING_PACE), pace)
        pace = np.where(self.finished, _COOL_DOWN_PACE, pace)
        pace = self.traffic.allowed(self.t, self, pace)
        slack = _THINK_STEPS * STEP_S
        rate = self.rate + np.clip(pace - self.rate, -_RATE_DOWN * slack, _RATE_UP * slack)
        rate = np.where(self.failing, self.rate - _FAILING_DOWN * slack, rate)
        self.rate[self.stopped] = 0.0
        rate = np.where(self.stopped, 0.0, np.maximum(rate, 0.0))
        self._rate_change = (rate - self.rate) / _THINK_STEPS
        aside = self.traffic.aside_m(len(self.p))
        aside[self.limping] = -2.5
        aside[self.unlapping] = 3.5
        aside[self.failing] = 7.0
        if self.t > 2.0:
            most = _LATERAL_SPEED * slack
            self._lateral_change = np.clip(aside - self.lateral, -most, most) / _THINK_STEPS

    def _suffer(self) -> None:
        """Breakdowns and punctures whose lap has come, when the track is green."""
        for car in np.flatnonzero(self.failing & ~self.stopped & (self.v < 1.5)).tolist():
            self._retire(car, in_pits=False)
        if self.director.flag is not Flag.GREEN:
            return
        share = (self.p % self.circuit.length) / self.circuit.length
        for car, breakdown in self.plan.breakdowns.items():
            due = self.lap_of(car) >= breakdown.lap and breakdown.place <= share[car] < breakdown.place + 0.1
            if breakdown.answer != "none" and due and self.on_track[car] and not self.failing[car]:
                self.failing[car] = True
                self.director.incident(self.t, self, car, breakdown.answer)
        for car, lap in list(self.plan.punctures.items()):
            if self.lap_of(car) >= lap and 0.1 < share[car] < 0.2 and self.on_track[car]:
                del self.plan.punctures[car]
                self.limping[car] = True
                fresh = [compound for compound in COMPOUNDS if compound != self.compound[car]]
                self.stops[car][self.lap_of(car)] = Tyres(str(self.rng.choice(fresh)))
                self.director.incident(self.t, self, car, "none")
                self._say(f"{self.drivers[car].label} SLOW - PUNCTURE")

    def _come_in(self) -> None:
        """Cars that reach the last place where they can still decide for the pits."""
        to_line = self.circuit.length - self.p % self.circuit.length
        near = (to_line < _COMMIT_M[0]) & (to_line > _COMMIT_M[1]) & self.on_track & ~self.finished & ~self.failing
        for car in np.flatnonzero(near).tolist():
            lap = self.lap_of(car)
            if car in self._visiting or self.p[car] < 0:
                continue
            breakdown = self.plan.breakdowns.get(car)
            box = self._box[self.drivers[car].box]
            if self.director.flag is Flag.RED:
                visit = Visit.after_lap(car, "suspension", lap, self.circuit.length, PIT_EXIT_M)
                if self.limping[car]:
                    visit.tyres = self.stops[car].pop(lap, None)
            elif breakdown is not None and breakdown.answer == "none" and lap >= breakdown.lap:
                visit = Visit.after_lap(car, "retire", lap, self.circuit.length, box)
            elif lap in self.stops[car] and lap < self.laps:
                if self._team_mate_is_in(car) and lap + 1 < self.laps and not self.limping[car]:
                    self.stops[car][lap + 1] = self.stops[car].pop(lap)
                    continue
                visit = Visit.after_lap(car, "stop", lap, self.circuit.length, box)
                visit.tyres = self.stops[car].pop(lap)
                visit.standing_s = round(float(np.clip(self.rng.gamma(6.0, 0.12) + 1.9, 2.0, 4.0)), 1)
            else:
                continue
            self._enter(visit)

    def _team_mate_is_in(self, car: int) -> bool:
        box = self.drivers[car].box
        return any(self.drivers[other].box == box for other in self._visiting)

    def _enter(self, visit: Visit) -> None:
        self.visits.append(visit)
        self._visiting[visit.car] = visit

    def _say(self, message: str) -> None:
        self.director.bulletin.say(self.t, self.lap_of(self.leader), message)

    def _retire(self, car: int, in_pits: bool) -> None:
        self.stopped[car] = True
        self.rate[car] = self._rate_change[car] = 0.0
        self.losses.append(Loss(car, self.t, float(self.p[car]), in_pits))
        if not in_pits:
            self._say(f"{self.drivers[car].label} STOPPED AFTER TURN {self.circuit.corner_before(self.place(car))}")

    def _draw_pace(self, car: int) -> float:
        to_go = max(self.laps - self.lap_of(car), 0)
        return pace(self.drivers[car], self.compound[car], self.age[car], to_go, self.rng)

    # Motion

    def _move(self) -> None:
        """One step: speeds first, then progress, then whoever crossed the finish line."""
        length = self.circuit.length
        if self.t < _LAUNCH_S:
            self.rate = np.where(self.t >= self._reaction, 1.0, 0.0)
        else:
            self.rate = self.rate + self._rate_change
        free = self.rate * self.circuit.at(self.circuit.speed, (self.p + self.v * STEP_S) % length)
        pull = np.minimum(12.0, 850.0 / np.maximum(self.v, 10.0)) * STEP_S
        if self.t < 10.0:
            pull *= self._launch
        v = np.maximum(np.minimum(free, self.v + pull), np.maximum(self.v - _BRAKE * STEP_S, 0.0))
        for car, visit in list(self._visiting.items()):
            v[car] = self._pit_speed(car, visit, float(v[car]))
        if self.director.flag is Flag.CHEQUERED:
            v = np.minimum(v, np.sqrt(6.0 * np.maximum(self._cool_down_end - self.p, 0.0)))
        p = self.p + (self.v + v) * (STEP_S / 2)
        laps_done = np.floor(p / length)
        if (laps_done != self._laps_done).any():
            self._cross(np.flatnonzero(laps_done != self._laps_done).tolist(), v, laps_done)
        self.p, self.v, self._laps_done = p, v, laps_done
        self.lateral = self.lateral + self._lateral_change

    def _pit_speed(self, car: int, visit: Visit, free: float) -> float:
        p, v = float(self.p[car]), float(self.v[car])
        if visit.kind == "start" and visit.ready == np.inf:
            others = np.delete(self.p, car)[~np.delete(self.stopped, car)]
            if (others > PIT_EXIT_M + 30.0).all():
                visit.ready = self.t + 0.5
        suspended = self.director.flag is Flag.RED
        if suspended and p >= visit.entry and visit.standing_s != np.inf and visit.phase == "out":
            visit.queue(self._queued, self._queue_spacing)  # its stop is over, but the pit exit is closed
            self._queued += 1
        elif visit.kind == "suspension" and visit.target == visit.exit and p >= visit.entry:
            visit.queue(self._queued, self._queue_spacing)
            self._queued += 1
        speed = visit.speed(self.t, p, v, free)
        if visit.kind == "retire" and visit.phase == "standing":
            self._retire(car, in_pits=True)
            del self._visiting[car]
        elif p >= visit.exit:
            self._leave(car, visit, v)
        return speed

    def _leave(self, car: int, visit: Visit, v: float) -> None:
        del self._visiting[car]
        self.in_lane[car] = self.limping[car] = False
        self._rate_change[car] = 0.0
        self.rate[car] = v / float(self.circuit.at(self.circuit.speed, np.array([self.place(car)]))[0])
        if visit.tyres is not None:
            why: Literal["stop", "suspension"] = "stop" if visit.kind == "stop" else "suspension"
            self.fits.append(Fit(car, visit.tyres, self.lap_of(car), why, visit))
            self.compound[car], self.age[car] = visit.tyres.compound, visit.tyres.life
            self.pace[car] = self._draw_pace(car)

    def _cross(self, cars: list[int], v: Floats, laps_done: Floats) -> None:
        """Cars over the finish line within this step, in the order in which they cross."""
        length = self.circuit.length
        crossed = []
        for car in cars:
            rest = float(laps_done[car] * length - self.p[car])
            crossed.append((crossing_in_step(rest, float(self.v[car]), float(v[car])), car))
        for after, car in sorted(crossed):
            if laps_done[car] < 1 or self.finished[car]:
                continue
            self.age[car] += 1
            if laps_done[car] >= self.laps and self.director.flag is not Flag.CHEQUERED:
                self.director.chequered(self.t + after)
            if self.director.flag is Flag.CHEQUERED:
                self.finished[car] = True
                self._cool_down_end[car] = (laps_done[car] + 1) * length - 1_000.0
            to_go = max(self.laps - int(laps_done[car]) - 1, 0)
            self.pace[car] = pace(self.drivers[car], self.compound[car], self.age[car], to_go, self.rng)
        if (self.finished | self.stopped).all() and self._over is None:
            self._over = self.t + AFTER_FINISH_S
