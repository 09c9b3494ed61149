"""Race control: flags, safety cars, the suspension, the chequered flag, and how fast they let cars drive."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from f1stream.sources.simulator.circuit import Floats
from f1stream.sources.simulator.feed import SimulatedFeed

if TYPE_CHECKING:
    from f1stream.sources.simulator.simulation import RaceSimulation

VSC_PACE = 0.65
"""Share of its own pace that every car drives under the virtual safety car."""
SC_LEADER_PACE = 0.5
"""Share of the reference car's pace that the safety car drives."""
SC_CATCH_UP_PACE = 0.8
UNLAPPING_PACE = 0.9
RED_PACE = 0.45
_TRAIN_S = 0.75
"""A car belongs to the safety car's train if it is at most this far behind the one ahead, per car in it."""
_RESTART_ZONE_M = 420.0
_SC_MOST_LAPS = 3
_PATIENCE_LAPS = 2


class Flag(Enum):
    """What the whole track is under."""

    GREEN = "green"
    VSC = "virtual safety car"
    SC = "safety car"
    RED = "red flag"
    CHEQUERED = "chequered flag"


@dataclass
class RaceDirector:
    """Race control's state, brought forward by ``update``. Times are seconds since lights out."""

    feed: SimulatedFeed
    rng: np.random.Generator
    laps: int
    red_lap: int | None
    flag: Flag = Flag.GREEN
    periods: list[tuple[str, float, float]] = field(default_factory=list)
    """Finished VSC, SC and red flag periods: kind, begin, end."""
    begun: float = 0.0
    released: float | None = None
    """When the pit exit opens after a suspension; None while it is closed or was never closed."""
    _todo: list[tuple[float, int, Callable[[float], None]]] = field(default_factory=list)
    _numbers: count[int] = field(default_factory=count)
    _sc_from_lap: int = 0
    _sc_in_after: int | None = None
    _called_in: bool = False
    _unlapping_allowed: bool = False
    _all_stand_since: float | None = None

    def at(self, t: float, act: Callable[[float], None]) -> None:
        """Do something at a race time."""
        heapq.heappush(self._todo, (t, next(self._numbers), act))

    @property
    def racing(self) -> bool:
        """Overtaking is allowed."""
        return self.flag in {Flag.GREEN, Flag.CHEQUERED}

    def update(self, t: float, race: RaceSimulation) -> None:
        """Act on what is due at ``t`` and on what the cars do."""
        while self._todo and self._todo[0][0] <= t:
            _, _, act = heapq.heappop(self._todo)
            act(t)
        if self.flag is Flag.GREEN and self.red_lap is not None:
            self._perhaps_suspend(t, race)
        elif self.flag is Flag.RED:
            self._perhaps_resume(t, race)
        elif self.flag is Flag.SC:
            self._lead_the_train(t, race)

    def pace(self, own: Floats, race: RaceSimulation) -> Floats:
        """What each car may drive now, as a share of the reference car's pace, given its own free pace."""
        if self.flag is Flag.VSC:
            return own * VSC_PACE
        if self.flag is Flag.RED:
            return np.minimum(own, RED_PACE)
        if self.flag is Flag.SC:
            if (
                self._sc_in_after is not None
                and race.to_line(race.leader) < _RESTART_ZONE_M
                and (race.lap_of(race.leader) == self._sc_in_after)
            ):
                return own
            allowed = np.minimum(own, np.where(race.unlapping, UNLAPPING_PACE, SC_CATCH_UP_PACE))
            allowed[race.leader] = SC_LEADER_PACE
            return allowed
        return own

    # Incidents

    def incident(self, t: float, race: RaceSimulation, car: int, answer: str) -> None:
        """A car is in trouble on the track: yellow, and perhaps a (virtual) safety car after it."""
        sector = race.circuit.marshal_sector(race.place(car))
        kind = "YELLOW" if answer == "none" else "DOUBLE YELLOW"
        self.at(t + 3, lambda t: self._yellow(t, race, kind, sector))
        if answer == "none":
            self.at(t + 25, lambda t: self._clear(t, race, sector))
        else:
            deploy = self._deploy_vsc if answer == "vsc" else self._deploy_sc
            self.at(t + 12, lambda t: deploy(t, race, sector))

    def _yellow(self, t: float, race: RaceSimulation, kind: str, sector: int) -> None:
        if self.racing:
            self.feed.track(t, "2")
        self._say(t, race, f"{kind} IN TRACK SECTOR {sector}", "Flag", flag=kind, sector=sector)

    def _clear(self, t: float, race: RaceSimulation, sector: int) -> None:
        self._say(t, race, f"CLEAR IN TRACK SECTOR {sector}", "Flag", flag="CLEAR", sector=sector)
        if self.racing:
            self.feed.track(t, "1")

    def _say(self, t: float, race: RaceSimulation, message: str, category: str = "Other", **more: Any) -> None:
        self.feed.say(t, race.lap_of(race.leader), message, category, **more)

    # Virtual safety car

    def _deploy_vsc(self, t: float, race: RaceSimulation, sector: int) -> None:
        if self.flag is not Flag.GREEN:
            return
        self._begin(t, Flag.VSC)
        self.feed.track(t, "6")
        self._say(t, race, "VSC DEPLOYED", "SafetyCar", status="DEPLOYED")
        over = t + self.rng.uniform(50.0, 75.0)
        self.at(over - 6, lambda t: self._clear(t, race, sector))
        self.at(over, lambda t: self._vsc_ending(t, race))

    def _vsc_ending(self, t: float, race: RaceSimulation) -> None:
        self.feed.track(t, "7")
        self._say(t, race, "VSC ENDING", "SafetyCar", status="ENDING")
        self.at(t + self.rng.uniform(10.0, 15.0), lambda t: self._green(t, race))

    # Safety car

    def _deploy_sc(self, t: float, race: RaceSimulation, sector: int) -> None:
        if self.flag is not Flag.GREEN:
            return
        self._begin(t, Flag.SC)
        self._sc_from_lap = race.lap_of(race.leader)
        self._sc_in_after = None
        self._unlapping_allowed = True
        self.feed.track(t, "4")
        self._say(t, race, "SAFETY CAR DEPLOYED", "SafetyCar", status="DEPLOYED")
        self.at(t + 90, lambda t: self._clear(t, race, sector))
        race.pits.rethink_stops()

    def _lead_the_train(self, t: float, race: RaceSimulation) -> None:
        lap = race.lap_of(race.leader)
        if self._sc_in_after is None:
            driven = lap - self._sc_from_lap
            ready = driven >= 1 and (race.train_is_closed(_TRAIN_S) or driven >= _SC_MOST_LAPS)
            if not ready and lap < self.laps - 2:
                return
            lapped = race.lapped_cars() if self._unlapping_allowed and lap < self.laps - 2 else []
            self._sc_in_after = lap
            if lapped:
                race.unlapping[lapped] = True
                self._sc_in_after = lap + 1
                numbers = ", ".join(race.drivers[car].number for car in lapped)
                cars = "CARS" if len(lapped) > 1 else "CAR"
                self._say(t, race, f"LAPPED {cars} MAY NOW OVERTAKE THE SAFETY CAR: {numbers}")
            self._called_in = False
        elif (
            lap == self._sc_in_after
            and not self._called_in
            and race.to_line(race.leader) < 0.6 * (race.circuit.length)
        ):
            self._called_in = True
            self._say(t, race, "SAFETY CAR IN THIS LAP", "SafetyCar", status="IN THIS LAP")
        elif lap > self._sc_in_after:
            self._green(t, race)

    # Suspension

    def _perhaps_suspend(self, t: float, race: RaceSimulation) -> None:
        """Stop the race where every car on the lead lap can come in at the end of the same lap."""
        lap = race.lap_of(race.leader)
        place = race.place(race.leader) / race.circuit.length
        if self.red_lap is None or lap < self.red_lap or not 0.3 < place < 0.5:
            return
        if race.pits.inside() or not (race.lead_lap_is_together() or lap > self.red_lap + _PATIENCE_LAPS):
            return
        self.red_lap = None
        self._begin(t, Flag.RED)
        self._all_stand_since = None
        self.released = None
        self.feed.track(t, "5")
        self.feed.session(t, "Aborted")
        self._say(t, race, "RED FLAG", "Flag", flag="RED")
        self.at(t + 1, lambda t: self._say(t, race, "RACE SUSPENDED - BARRIER REPAIR AT TURN 6"))

    def _perhaps_resume(self, t: float, race: RaceSimulation) -> None:
        if not race.pits.all_wait():
            return
        if self._all_stand_since is None:
            self._all_stand_since = t
            resume = t + self.rng.uniform(150.0, 240.0)
            self._say(t + 5, race, f"RACE WILL RESUME AT {self.feed.clock(resume)}")
            self.at(resume, lambda t: self._resume(t, race))

    def _resume(self, t: float, race: RaceSimulation) -> None:
        """Behind the safety car for one lap, without unlapping."""
        self._begin(t, Flag.SC)
        self.released = t
        self._sc_from_lap = race.lap_of(race.leader)
        self._sc_in_after = self._sc_from_lap
        self._called_in = False
        self._unlapping_allowed = False
        self.feed.session(t, "Started")
        self.feed.track(t, "4")
        self._say(t, race, "GREEN LIGHT - PIT EXIT OPEN", "Flag", flag="GREEN")
        self._say(t, race, "SAFETY CAR DEPLOYED", "SafetyCar", status="DEPLOYED")
        race.pits.release(t)

    # Changes of flag

    def _begin(self, t: float, flag: Flag) -> None:
        if self.flag not in {Flag.GREEN, Flag.CHEQUERED}:
            self.periods.append((self.flag.value, self.begun, t))
        self.flag = flag
        self.begun = t

    def _green(self, t: float, race: RaceSimulation) -> None:
        if self.flag not in {Flag.VSC, Flag.SC}:
            return
        self._begin(t, Flag.GREEN)
        race.unlapping[:] = False
        self.feed.track(t, "1")
        self._say(t, race, "TRACK CLEAR", "Flag", flag="CLEAR")

    def chequered(self, t: float) -> None:
        """The winner has crossed the line at ``t``."""
        self._begin(t, Flag.CHEQUERED)
        self.feed.say(t, self.laps, "CHEQUERED FLAG", "Flag", flag="CHEQUERED")
        self.feed.session(t, "Finished")
