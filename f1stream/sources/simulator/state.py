"""The state of a simulated race that race control, the pit lane and the traffic rules read and change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from f1stream.sources.simulator.circuit import Floats, SimulatedCircuit
from f1stream.sources.simulator.drivers import SimulatedDriver, pace
from f1stream.sources.simulator.feed import SimulatedFeed
from f1stream.sources.simulator.plan import Plan

GRID_SLOT_M = 8.0
"""Distance between two grid slots, m."""


class Flag(Enum):
    """The state of the whole track."""

    GREEN = "green"
    VSC = "virtual safety car"
    SC = "safety car"
    RED = "red flag"
    CHEQUERED = "chequered flag"


@dataclass(frozen=True)
class RetiredCar:
    """A car that has retired: when (race time, s) and where (progress, m) it stopped."""

    car: int
    t: float
    progress: float
    in_pits: bool


class SimulationState:
    """Arrays with one element per car, indexed by grid place.

    ``p`` is progress (m), ``v`` speed (m/s) and ``lateral`` the offset to the left of the line (m). ``rate`` and
    ``pace`` are shares of the reference car's speed. ``t`` is seconds since lights out.
    """

    def __init__(
        self, circuit: SimulatedCircuit, drivers: list[SimulatedDriver], plan: Plan, laps: int, feed: SimulatedFeed,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        n = len(drivers)
        self.circuit, self.drivers, self.plan, self.laps = circuit, drivers, plan, laps
        self.feed, self.rng = feed, rng
        self.t = 0.0
        self.flag = Flag.GREEN
        self.p: Floats = -GRID_SLOT_M * np.arange(1.0, n + 1.0)
        self.v: Floats = np.zeros(n)
        self.pace: Floats = np.ones(n)
        """Of each car on its tyres and fuel; drawn again for every lap."""
        self.rate: Floats = np.zeros(n)
        self.rate_change: Floats = np.zeros(n)
        """Change of ``rate`` per step."""
        self.lateral: Floats = np.where(np.arange(n) % 2, -3.0, 3.0)
        self.stopped = np.zeros(n, dtype=bool)
        self.finished = np.zeros(n, dtype=bool)
        self.failing = np.zeros(n, dtype=bool)
        self.limping = np.zeros(n, dtype=bool)
        self.unlapping = np.zeros(n, dtype=bool)
        self.in_lane = np.zeros(n, dtype=bool)
        self.age = [tyres.life for tyres in plan.start_tyres]
        self.compound = [tyres.compound for tyres in plan.start_tyres]
        self.laps_done: Floats = np.floor(self.p / circuit.length)
        self.retired_cars: list[RetiredCar] = []

    @property
    def racing(self) -> bool:
        """Whether overtaking is allowed."""
        return self.flag in {Flag.GREEN, Flag.CHEQUERED}

    def refresh(self) -> None:
        """Recompute what is derived from positions: ``clock``, ``rate_now``, ``on_track`` and ``leader``."""
        place = self.p % self.circuit.length
        self.clock: Floats = self.circuit.at(self.circuit.clock, place)
        self.rate_now: Floats = self.v / self.circuit.at(self.circuit.speed, place)
        self.on_track = ~self.stopped & ~self.in_lane
        self.leader = int(np.argmax(np.where(self.stopped, -np.inf, self.p)))

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
        """Whether the car is where it can pass another."""
        return bool(self.circuit.straights[int(self.place(car))])

    def train_is_closed(self, per_car_s: float) -> bool:
        """Whether all running cars are in one train behind the leader, none of them in the pit lane."""
        if self.in_lane[~self.stopped].any():
            return False
        behind = (self.clock[self.leader] - self.clock[self.on_track]) % self.circuit.lap_time
        return bool((behind < 2.0 + per_car_s * len(behind)).all())

    def lapped_cars(self) -> list[int]:
        """Running cars that are a lap or more behind, in their order on the road."""
        behind = self.p[self.leader] - self.p
        lapped = np.flatnonzero(self.on_track & (behind > 0.6 * self.circuit.length))
        return [int(car) for car in lapped[np.argsort(-self.p[lapped])]]

    def lead_lap_is_together(self) -> bool:
        """Whether all cars that are not lapped have the same next finish line."""
        running = ~self.stopped & ~self.limping
        lead_lap = running & (self.p > self.p[self.leader] - 0.98 * self.circuit.length)
        same = np.floor(self.p[lead_lap] / self.circuit.length) == self.laps_done[self.leader]
        return bool(same.all())

    def say(self, message: str) -> None:
        """Publish a race control message of category ``Other`` now."""
        self.feed.say(self.t, self.lap_of(self.leader), message)

    def retire(self, car: int, in_pits: bool) -> None:
        """Stop a car for good where it is."""
        self.stopped[car] = True
        self.rate[car] = self.rate_change[car] = 0.0
        self.retired_cars.append(RetiredCar(car, self.t, float(self.p[car]), in_pits))
        if not in_pits:
            self.say(f"{self.drivers[car].label} STOPPED AFTER TURN {self.circuit.corner_before(self.place(car))}")

    def resume(self, car: int) -> None:
        """Put a car back on the track from the pit lane, repaired."""
        self.in_lane[car] = self.limping[car] = False
        self.rate_change[car] = 0.0
        place = np.array([self.place(car)])
        self.rate[car] = self.v[car] / self.circuit.at(self.circuit.speed, place)[0]

    def draw_pace(self, car: int, lap: int) -> float:
        """Draw the car's pace on its tyres for a lap."""
        to_go = max(self.laps - lap, 0)
        return pace(self.drivers[car], self.compound[car], self.age[car], to_go, self.rng)
