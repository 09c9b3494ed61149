"""Cars on the road: following, overtaking and being lapped.

Distances between cars are measured in seconds of the reference lap (``clock``): a following car keeps its distance in
time, not in metres, through corners and along straights.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from f1stream.sources.simulator.circuit import Floats
from f1stream.sources.simulator.state import SimulationState

FOLLOWING_S = 0.45
SC_FOLLOWING_S = 0.3
"""Distance to the car ahead while racing, and behind a safety car."""
_START_FREE_S = 5.0
"""For this long after the start cars do not follow each other."""
_START_SPREAD_S = 30.0
"""After the start the field takes this long to spread from grid distances to following distances."""
_EASE = 0.25
"""How strongly a following car corrects its distance, per second."""
_HARDEST = 0.72
"""A follower does not drop below this share of the pace ahead."""
_SLOW = 0.6
"""A car below this share of the reference pace is passed anywhere while the track is green."""
_ATTACK_S = 0.9
"""A car closer than this to the one ahead can begin to overtake."""
_BLUE_S = 1.1
"""A lapped car sees blue flags when the car behind is closer than this."""
_MOVE_MOST_S = 25.0
"""A move that takes longer is given up."""
_PASSED_S = 0.25
"""A move is complete with this lead."""
_PUSH = 1.04
"""Factor on the pace of the car that overtakes."""
_YIELD = 0.97
_YIELD_BLUE = 0.94
"""Factors on the pace of the car that is overtaken, and of a car that is lapped."""
_CHANCE_PER_PACE = 10.0
"""Chance to begin a move, per decision and per share of pace that the car behind is faster."""
_BLUE_FLAG_EVERY_S = 45.0
"""A car's blue flag messages are at least this far apart."""


@dataclass
class OvertakingMove:
    """One car overtaking another."""

    ahead: int
    """The car that is overtaken."""
    until: float
    """Race time (s) at which the move is given up."""
    yields: float
    """Factor on the pace of the car ahead."""


@dataclass
class Traffic:
    """The overtaking moves in progress, by the car that makes them."""

    race: SimulationState
    moves: dict[int, OvertakingMove] = field(default_factory=dict)
    _blue_shown: dict[int, float] = field(default_factory=dict)
    """By car, race time (s) of its last blue flag."""

    def allowed(self, t: float, pace: Floats) -> Floats:
        """The pace of each car (share of the reference pace), limited by the cars ahead of it."""
        race = self.race
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
        gap1 = self._gap(clock[next1] - clock)
        racing = race.racing
        aside = race.limping | ((race.rate_now < _SLOW) & racing & (t > _START_FREE_S))
        target = np.full(len(race.p), -1)
        for car, move in self.moves.items():
            target[car] = move.ahead
        skip = (target[cars] == ahead1) | aside[ahead1]
        gap = np.where(skip, self._gap(clock[next2] - clock), gap1)
        rate_ahead = np.where(skip, rate[next2], rate[next1])
        if t > _START_FREE_S:
            wanted = FOLLOWING_S * min((t - _START_FREE_S) / _START_SPREAD_S, 1.0) if racing else SC_FOLLOWING_S
            behind = np.maximum(rate_ahead + _EASE * (gap - wanted), _HARDEST * rate_ahead)
            free = race.unlapping[cars] & (race.p[race.leader] - race.p[cars] > race.circuit.length - 100)
            pace[cars] = np.where(free, pace[cars], np.minimum(pace[cars], behind))
        self._finish_moves(t, racing)
        if racing and t > _START_FREE_S + 3:
            close = np.flatnonzero(gap1 < _BLUE_S)
            self._begin_moves(t, aside, [(int(cars[j]), int(ahead1[j]), float(gap1[j])) for j in close])
        for car, move in self.moves.items():
            pace[car] = min(pace[car] * _PUSH, race.pace[car] * _PUSH)
            pace[move.ahead] *= move.yields
        return pace

    def _gap(self, difference: Floats) -> Floats:
        """Seconds of the reference lap to the car ahead; a car alone is a whole lap behind itself."""
        lap = self.race.circuit.lap_time
        gap: Floats = difference % lap
        return np.where(gap < 1e-9, lap, gap)

    def _begin_moves(self, t: float, aside: npt.NDArray[np.bool_], close: list[tuple[int, int, float]]) -> None:
        race = self.race
        attacked = {move.ahead for move in self.moves.values()}
        for car, ahead, gap in close:
            if car in self.moves or ahead in attacked or race.finished[car]:
                continue
            lapping = race.p[car] - race.p[ahead] > race.circuit.length / 2
            if lapping:
                self._show_blue(t, ahead)
                chance = 0.0 if aside[ahead] else 0.25
            elif gap < _ATTACK_S and not aside[ahead] and race.straight_at(car):
                chance = min(_CHANCE_PER_PACE * (race.pace[car] / race.pace[ahead] - 1.0), 0.4)
            else:
                continue
            if race.rng.random() < chance:
                self.moves[car] = OvertakingMove(ahead, t + _MOVE_MOST_S, _YIELD_BLUE if lapping else _YIELD)
                attacked.add(ahead)

    def _finish_moves(self, t: float, racing: bool) -> None:
        race = self.race
        lap = race.circuit.lap_time
        for car, move in list(self.moves.items()):
            lead = (race.clock[car] - race.clock[move.ahead] + lap / 2) % lap - lap / 2
            gone = not (race.on_track[car] and race.on_track[move.ahead])
            if lead > _PASSED_S or t > move.until or gone or (not racing and lead < 0):
                del self.moves[car]

    def _show_blue(self, t: float, car: int) -> None:
        race = self.race
        if t - self._blue_shown.get(car, -np.inf) < _BLUE_FLAG_EVERY_S:
            return
        self._blue_shown[car] = t
        feed, driver = race.feed, race.drivers[car]
        message = f"WAVED BLUE FLAG FOR {driver.label} TIMED AT {feed.clock(t)}"
        feed.say(
            t, race.lap_of(race.leader), message, "Flag", flag="BLUE", driver_number=driver.number
        )  # fmt: skip

    def offsets_m(self, cars: int) -> npt.NDArray[np.float64]:
        """Lateral offset of overtaking cars, m to the left of the line."""
        lateral = np.zeros(cars)
        for car in self.moves:
            lateral[car] = 3.0
        return lateral
