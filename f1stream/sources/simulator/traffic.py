"""Cars on the road: who follows, who gets past, who has to let by.

Distances between cars are measured in seconds of the reference lap (``clock``), because a car that follows
keeps its distance in time, not in metres, through corners and along straights.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from f1stream.sources.simulator.circuit import Floats

if TYPE_CHECKING:
    from f1stream.sources.simulator.simulation import RaceSimulation

FOLLOWING_S = 0.45
SC_FOLLOWING_S = 0.3
_START_FREE_S = 5.0
_START_SPREAD_S = 30.0
"""After the start the field takes this long to spread from grid distances to following distances."""
_EASE = 0.25
"""How strongly a following car corrects its distance, per second."""
_HARDEST = 0.72
"""A follower does not drop below this share of the pace ahead."""
_SLOW = 0.6
"""A car below this share of the reference pace is passed anywhere while the track is green."""
_ATTACK_S = 0.9
_BLUE_S = 1.1
_PASS_MOST_S = 25.0
_PASSED_S = 0.25
_PUSH = 1.04
_YIELD = 0.97
_YIELD_BLUE = 0.94
_CHANCE_PER_PACE = 10.0
_BLUE_FLAG_EVERY_S = 45.0


@dataclass
class OvertakingMove:
    """A move under way."""

    ahead: int
    until: float
    yields: float


@dataclass
class Traffic:
    """The moves under way, by the car that makes them."""

    rng: np.random.Generator
    passes: dict[int, OvertakingMove] = field(default_factory=dict)
    _blue_shown: dict[int, float] = field(default_factory=dict)

    def allowed(self, t: float, race: RaceSimulation, pace: Floats) -> Floats:
        """What each car drives (share of the reference pace) when those ahead leave it room."""
        pace = pace.copy()
        cars = np.flatnonzero(race.on_track)
        m = len(cars)
        if m < 2:
            return pace
        clock = race.clock[cars]
        by_place = np.argsort(clock)
        cars, clock = cars[by_place], clock[by_place]
        rate = race.rate_now[cars]
        next1 = np.append(np.arange(1, m), 0)
        next2 = next1[next1]
        ahead1 = cars[next1]
        gap1 = self._gap(clock[next1] - clock, race)
        racing = race.director.racing
        aside = race.limping | ((race.rate_now < _SLOW) & racing & (t > _START_FREE_S))
        target = np.full(len(race.p), -1)
        for car, move in self.passes.items():
            target[car] = move.ahead
        skip = (target[cars] == ahead1) | aside[ahead1]
        gap = np.where(skip, self._gap(clock[next2] - clock, race), gap1)
        rate_ahead = np.where(skip, rate[next2], rate[next1])
        if t > _START_FREE_S:
            wanted = FOLLOWING_S * min((t - _START_FREE_S) / _START_SPREAD_S, 1.0) if racing else SC_FOLLOWING_S
            behind = np.maximum(rate_ahead + _EASE * (gap - wanted), _HARDEST * rate_ahead)
            free = race.unlapping[cars] & (race.p[race.leader] - race.p[cars] > race.circuit.length - 100)
            pace[cars] = np.where(free, pace[cars], np.minimum(pace[cars], behind))
        self._finish_passes(t, race, racing)
        if racing and t > _START_FREE_S + 3:
            close = np.flatnonzero(gap1 < _BLUE_S)
            self._begin_passes(t, race, aside, [(int(cars[j]), int(ahead1[j]), float(gap1[j])) for j in close])
        for car, move in self.passes.items():
            pace[car] = min(pace[car] * _PUSH, race.pace[car] * _PUSH)
            pace[move.ahead] *= move.yields
        return pace

    @staticmethod
    def _gap(difference: Floats, race: RaceSimulation) -> Floats:
        """Seconds of the reference lap to a car ahead; a car alone is a whole lap behind itself."""
        lap = race.circuit.lap_time
        gap: Floats = difference % lap
        return np.where(gap < 1e-9, lap, gap)

    def _begin_passes(
        self, t: float, race: RaceSimulation, aside: npt.NDArray[np.bool_], close: list[tuple[int, int, float]]
    ) -> None:
        attacked = {move.ahead for move in self.passes.values()}
        for car, ahead, gap in close:
            if car in self.passes or ahead in attacked or race.finished[car]:
                continue
            lapping = race.p[car] - race.p[ahead] > race.circuit.length / 2
            if lapping:
                self._show_blue(t, race, ahead)
                chance = 0.0 if aside[ahead] else 0.25
            elif gap < _ATTACK_S and not aside[ahead] and race.straight_at(car):
                chance = min(_CHANCE_PER_PACE * (race.pace[car] / race.pace[ahead] - 1.0), 0.4)
            else:
                continue
            if self.rng.random() < chance:
                self.passes[car] = OvertakingMove(ahead, t + _PASS_MOST_S, _YIELD_BLUE if lapping else _YIELD)
                attacked.add(ahead)

    def _finish_passes(self, t: float, race: RaceSimulation, racing: bool) -> None:
        lap = race.circuit.lap_time
        for car, move in list(self.passes.items()):
            lead = (race.clock[car] - race.clock[move.ahead] + lap / 2) % lap - lap / 2
            gone = not (race.on_track[car] and race.on_track[move.ahead])
            if lead > _PASSED_S or t > move.until or gone or (not racing and lead < 0):
                del self.passes[car]

    def _show_blue(self, t: float, race: RaceSimulation, car: int) -> None:
        if t - self._blue_shown.get(car, -np.inf) < _BLUE_FLAG_EVERY_S:
            return
        self._blue_shown[car] = t
        feed, driver = race.director.feed, race.drivers[car]
        message = f"WAVED BLUE FLAG FOR {driver.label} TIMED AT {feed.clock(t)}"
        feed.say(
            t, race.lap_of(race.leader), message, "Flag", flag="BLUE", driver_number=driver.number
        )  # fmt: skip

    def aside_m(self, cars: int) -> npt.NDArray[np.float64]:
        """How far left of the line the cars that pass drive, m."""
        lateral = np.zeros(cars)
        for car in self.passes:
            lateral[car] = 3.0
        return lateral
