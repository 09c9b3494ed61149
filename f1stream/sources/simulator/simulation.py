"""The race itself, in small steps of time: every car's motion from the grid to the flag."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from f1stream.sources.session import SourceError
from f1stream.sources.simulator.circuit import PIT_EXIT_M, Floats, SimulatedCircuit
from f1stream.sources.simulator.drivers import COMPOUNDS, SimulatedDriver, pace
from f1stream.sources.simulator.feed import SimulatedFeed
from f1stream.sources.simulator.pit_lane import SimulatedPitLane
from f1stream.sources.simulator.plan import Plan, SimulatedTyres
from f1stream.sources.simulator.race_director import Flag, RaceDirector
from f1stream.sources.simulator.trace import STEP_S, Trace, crossing_in_step
from f1stream.sources.simulator.traffic import Traffic

BEFORE_START_S = 30.0
"""How long the cars are seen standing on the grid."""
AFTER_FINISH_S = 12.0
RETIREMENT_DELAY_S = 10.0
GRID_SLOT_M = 8.0
_THINK_STEPS = 5
"""Drivers and race control decide every so many steps."""
_BRAKE = 55.0
_RATE_UP = 0.2
_RATE_DOWN = 0.15
_FAILING_DOWN = 0.1
"""Change of a car's share of the reference pace, per second."""
_LIMPING_PACE = 0.42
_COOL_DOWN_PACE = 0.4
_LATERAL_SPEED = 2.0
_LAUNCH_S = 3.0
_MOST_S_PER_LAP = 300.0
_MOST_STANDING_S = 3600.0


@dataclass(frozen=True)
class RetiredCar:
    """A car that gave up: where (m of progress) and when (race time) it stood."""

    car: int
    t: float
    progress: float
    in_pits: bool


class RaceSimulation:
    """Cars are indexed by their place on the grid; progress is metres, pace a share of the reference car's."""

    def __init__(
        self, circuit: SimulatedCircuit, drivers: list[SimulatedDriver], plan: Plan, laps: int, feed: SimulatedFeed,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        n = len(drivers)
        self.circuit, self.drivers, self.plan, self.laps, self.rng = circuit, drivers, plan, laps, rng
        self.director = RaceDirector(feed, rng, laps, plan.red_lap)
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
        self.pits = SimulatedPitLane(self)
        self.retired_cars: list[RetiredCar] = []
        self._reaction = np.array([driver.reaction_s for driver in drivers])
        self._launch = np.array([driver.launch for driver in drivers])
        self._cool_down_end = np.full(n, np.inf)
        self._over: float | None = None
        self._rate_change: Floats = np.zeros(n)
        self._lateral_change: Floats = np.zeros(n)
        for car, driver in enumerate(drivers):
            if driver.entry.pit_lane_start:
                self.p[car] = PIT_EXIT_M - 3.0
                self.lateral[car] = 0.0
                self.pits.start_from(car)
        self._laps_done = np.floor(self.p / circuit.length)
        self.pace: Floats = np.array([self.draw_pace(car, 1) for car in range(n)])
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
            if self.t > _MOST_S_PER_LAP * self.laps + _MOST_STANDING_S:
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
        """Every running car is in one train behind the leader, none in the pit lane."""
        if self.in_lane[~self.stopped].any():
            return False
        behind = (self.clock[self.leader] - self.clock[self.on_track]) % self.circuit.lap_time
        return bool((behind < 2.0 + per_car_s * len(behind)).all())

    def lapped_cars(self) -> list[int]:
        """Running cars a lap or more behind, the first on the road first."""
        behind = self.p[self.leader] - self.p
        lapped = np.flatnonzero(self.on_track & (behind > 0.6 * self.circuit.length))
        return [int(car) for car in lapped[np.argsort(-self.p[lapped])]]

    def lead_lap_is_together(self) -> bool:
        """All cars that are not lapped have the same next finish line."""
        running = ~self.stopped & ~self.limping
        lead_lap = running & (self.p > self.p[self.leader] - 0.98 * self.circuit.length)
        same = np.floor(self.p[lead_lap] / self.circuit.length) == self._laps_done[self.leader]
        return bool(same.all())

    # Decisions

    def _look(self) -> None:
        """What is true of all cars now."""
        place = self.p % self.circuit.length
        self.clock: Floats = self.circuit.at(self.circuit.clock, place)
        self.rate_now: Floats = self.v / self.circuit.at(self.circuit.speed, place)
        self.pits.mark_lane(self.in_lane)
        self.on_track = ~self.stopped & ~self.in_lane
        self.leader = int(np.argmax(np.where(self.stopped, -np.inf, self.p)))

    def _think(self) -> None:
        self._look()
        self.director.update(self.t, self)
        self._suffer()
        self.pits.come_in()
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
            self.retire(car, in_pits=False)
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
                self.pits.stops[car][self.lap_of(car)] = SimulatedTyres(str(self.rng.choice(fresh)))
                self.director.incident(self.t, self, car, "none")
                self._say(f"{self.drivers[car].label} SLOW - PUNCTURE")

    def _say(self, message: str) -> None:
        self.director.feed.say(self.t, self.lap_of(self.leader), message)

    def retire(self, car: int, in_pits: bool) -> None:
        """The car stands where it is for good."""
        self.stopped[car] = True
        self.rate[car] = self._rate_change[car] = 0.0
        self.retired_cars.append(RetiredCar(car, self.t, float(self.p[car]), in_pits))
        if not in_pits:
            self._say(f"{self.drivers[car].label} STOPPED AFTER TURN {self.circuit.corner_before(self.place(car))}")

    def resume(self, car: int) -> None:
        """A car is back on the track from the pit lane, mended."""
        self.in_lane[car] = self.limping[car] = False
        self._rate_change[car] = 0.0
        place = np.array([self.place(car)])
        self.rate[car] = self.v[car] / self.circuit.at(self.circuit.speed, place)[0]

    def draw_pace(self, car: int, lap: int) -> float:
        """How fast the car is on its tyres for a lap."""
        to_go = max(self.laps - lap, 0)
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
        for car in self.pits.inside():
            v[car] = self.pits.speed(car, float(v[car]))
        if self.director.flag is Flag.CHEQUERED:
            v = np.minimum(v, np.sqrt(6.0 * np.maximum(self._cool_down_end - self.p, 0.0)))
        p = self.p + (self.v + v) * (STEP_S / 2)
        laps_done = np.floor(p / length)
        if (laps_done != self._laps_done).any():
            self._cross(np.flatnonzero(laps_done != self._laps_done).tolist(), v, laps_done)
        self.p, self.v, self._laps_done = p, v, laps_done
        self.lateral = self.lateral + self._lateral_change

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
            self.pace[car] = self.draw_pace(car, int(laps_done[car]) + 1)
        if (self.finished | self.stopped).all() and self._over is None:
            self._over = self.t + AFTER_FINISH_S
