"""The simulation loop: every car's motion from the grid to the flag, in steps of ``STEP_S``."""

from __future__ import annotations

import numpy as np

from f1stream.sources.session import SourceError
from f1stream.sources.simulator.circuit import PIT_EXIT_M, Floats, SimulatedCircuit
from f1stream.sources.simulator.drivers import COMPOUNDS, SimulatedDriver
from f1stream.sources.simulator.feed import SimulatedFeed
from f1stream.sources.simulator.pit_lane import SimulatedPitLane
from f1stream.sources.simulator.plan import Plan, SimulatedTyres
from f1stream.sources.simulator.race_director import RaceDirector
from f1stream.sources.simulator.state import Flag, SimulationState
from f1stream.sources.simulator.trace import STEP_S, Trace, crossing_in_step
from f1stream.sources.simulator.traffic import Traffic

BEFORE_START_S = 30.0
"""How long the cars stand on the grid before lights out."""
AFTER_FINISH_S = 12.0
"""The simulation goes on for this long after the last car has finished."""
RETIREMENT_DELAY_S = 10.0
"""The feed publishes a retirement this long after the car has stopped."""
_DECIDE_STEPS = 5
"""Drivers and race control decide every so many steps."""
_BRAKE = 55.0
"""The most a car can brake, m/s²."""
_RATE_UP = 0.2
_RATE_DOWN = 0.15
_FAILING_DOWN = 0.1
"""Change of a car's share of the reference pace, per second."""
_LIMPING_PACE = 0.42
_COOL_DOWN_PACE = 0.4
"""Shares of the reference pace, with a puncture and after the flag."""
_LATERAL_SPEED = 2.0
"""m/s"""
_LAUNCH_S = 3.0
"""For this long after lights out each car accelerates as its driver reacts."""
_MOST_S_PER_LAP = 300.0
_MOST_STANDING_S = 3600.0
"""A race that takes longer than both allow raises SourceError."""


class RaceSimulation(SimulationState):
    """Moves the cars of a race, step by step."""

    def __init__(
        self, circuit: SimulatedCircuit, drivers: list[SimulatedDriver], plan: Plan, laps: int, feed: SimulatedFeed,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        super().__init__(circuit, drivers, plan, laps, feed, rng)
        n = len(drivers)
        self.pits = SimulatedPitLane(self)
        self.director = RaceDirector(self, self.pits)
        self.traffic = Traffic(self)
        self._reaction = np.array([driver.reaction_s for driver in drivers])
        self._launch = np.array([driver.launch for driver in drivers])
        self._cool_down_end = np.full(n, np.inf)
        self._over: float | None = None
        self._lateral_change: Floats = np.zeros(n)
        for car, driver in enumerate(drivers):
            if driver.entry.pit_lane_start:
                self.p[car] = PIT_EXIT_M - 3.0
                self.lateral[car] = 0.0
                self.pits.start_from(car)
        self.laps_done = np.floor(self.p / circuit.length)
        self.pace = np.array([self.draw_pace(car, 1) for car in range(n)])
        self._refresh()

    def run(self) -> Trace:
        """Run from BEFORE_START_S before lights out until AFTER_FINISH_S after the last car has finished."""
        still = round(BEFORE_START_S / STEP_S)
        ps, vs, laterals = ([column] * (still + 1) for column in (self.p, self.v, self.lateral))
        step = 0
        while self._over is None or self.t < self._over:
            if step % _DECIDE_STEPS == 0:
                self._decide()
            self._move()
            step += 1
            self.t = step * STEP_S
            ps.append(self.p)
            vs.append(self.v)
            laterals.append(self.lateral)
            if self.t > _MOST_S_PER_LAP * self.laps + _MOST_STANDING_S:
                raise SourceError("The simulated race does not end; try another seed.")
        return Trace(-BEFORE_START_S, np.array(ps), np.array(vs), np.array(laterals))

    # Decisions

    def _refresh(self) -> None:
        self.pits.mark_lane(self.in_lane)
        self.refresh()

    def _decide(self) -> None:
        self._refresh()
        self.director.update(self.t)
        self._break_down()
        self.pits.come_in()
        pace = self.director.pace(self.pace)
        pace = np.where(self.limping, np.minimum(pace, _LIMPING_PACE), pace)
        pace = np.where(self.finished, _COOL_DOWN_PACE, pace)
        pace = self.traffic.allowed(self.t, pace)
        slack = _DECIDE_STEPS * STEP_S
        rate = self.rate + np.clip(pace - self.rate, -_RATE_DOWN * slack, _RATE_UP * slack)
        rate = np.where(self.failing, self.rate - _FAILING_DOWN * slack, rate)
        self.rate[self.stopped] = 0.0
        rate = np.where(self.stopped, 0.0, np.maximum(rate, 0.0))
        self.rate_change = (rate - self.rate) / _DECIDE_STEPS
        aside = self.traffic.offsets_m(len(self.p))
        aside[self.limping] = -2.5
        aside[self.unlapping] = 3.5
        aside[self.failing] = 7.0
        if self.t > 2.0:
            most = _LATERAL_SPEED * slack
            self._lateral_change = np.clip(aside - self.lateral, -most, most) / _DECIDE_STEPS

    def _break_down(self) -> None:
        """Start the breakdowns and punctures that are due, if the track is green."""
        for car in np.flatnonzero(self.failing & ~self.stopped & (self.v < 1.5)).tolist():
            self.retire(car, in_pits=False)
        if self.flag is not Flag.GREEN:
            return
        share = (self.p % self.circuit.length) / self.circuit.length
        for car, breakdown in self.plan.breakdowns.items():
            due = self.lap_of(car) >= breakdown.lap and breakdown.place <= share[car] < breakdown.place + 0.1
            if breakdown.answer != "none" and due and self.on_track[car] and not self.failing[car]:
                self.failing[car] = True
                self.director.incident(self.t, car, breakdown.answer)
        for car, lap in list(self.plan.punctures.items()):
            if self.lap_of(car) >= lap and 0.1 < share[car] < 0.2 and self.on_track[car]:
                del self.plan.punctures[car]
                self.limping[car] = True
                fresh = [compound for compound in COMPOUNDS if compound != self.compound[car]]
                self.pits.stops[car][self.lap_of(car)] = SimulatedTyres(str(self.rng.choice(fresh)))
                self.director.incident(self.t, car, "none")
                self.say(f"{self.drivers[car].label} SLOW - PUNCTURE")

    # Motion

    def _move(self) -> None:
        """One step: speeds, then progress, then crossings of the finish line."""
        length = self.circuit.length
        if self.t < _LAUNCH_S:
            self.rate = np.where(self.t >= self._reaction, 1.0, 0.0)
        else:
            self.rate = self.rate + self.rate_change
        free = self.rate * self.circuit.at(self.circuit.speed, (self.p + self.v * STEP_S) % length)
        pull = np.minimum(12.0, 850.0 / np.maximum(self.v, 10.0)) * STEP_S
        if self.t < 10.0:
            pull *= self._launch
        v = np.maximum(np.minimum(free, self.v + pull), np.maximum(self.v - _BRAKE * STEP_S, 0.0))
        for car in self.pits.inside():
            v[car] = self.pits.speed(car, float(v[car]))
        if self.flag is Flag.CHEQUERED:
            v = np.minimum(v, np.sqrt(6.0 * np.maximum(self._cool_down_end - self.p, 0.0)))
        p = self.p + (self.v + v) * (STEP_S / 2)
        laps_done = np.floor(p / length)
        if (laps_done != self.laps_done).any():
            self._cross(np.flatnonzero(laps_done != self.laps_done).tolist(), v, laps_done)
        self.p, self.v, self.laps_done = p, v, laps_done
        self.lateral = self.lateral + self._lateral_change

    def _cross(self, cars: list[int], v: Floats, laps_done: Floats) -> None:
        """Handle the cars that cross the finish line within this step, in the order in which they cross."""
        length = self.circuit.length
        crossed = []
        for car in cars:
            rest = float(laps_done[car] * length - self.p[car])
            crossed.append((crossing_in_step(rest, float(self.v[car]), float(v[car])), car))
        for after, car in sorted(crossed):
            if laps_done[car] < 1 or self.finished[car]:
                continue
            self.age[car] += 1
            if laps_done[car] >= self.laps and self.flag is not Flag.CHEQUERED:
                self.director.chequered(self.t + after)
            if self.flag is Flag.CHEQUERED:
                self.finished[car] = True
                self._cool_down_end[car] = (laps_done[car] + 1) * length - 1_000.0
            self.pace[car] = self.draw_pace(car, int(laps_done[car]) + 1)
        if (self.finished | self.stopped).all() and self._over is None:
            self._over = self.t + AFTER_FINISH_S
