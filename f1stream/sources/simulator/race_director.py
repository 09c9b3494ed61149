"""Race control: flags, safety cars, suspension and chequered flag, and the pace they allow."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np

from f1stream.sources.simulator.circuit import Floats
from f1stream.sources.simulator.pit_lane import SimulatedPitLane
from f1stream.sources.simulator.state import Flag, SimulationState

VSC_PACE = 0.65
"""Under the virtual safety car every car drives this share of its own pace."""
SC_LEADER_PACE = 0.5
"""Share of the reference car's pace at which the leader follows the safety car."""
SC_CATCH_UP_PACE = 0.8
UNLAPPING_PACE = 0.9
RED_PACE = 0.45
"""Limits, as shares of the reference pace: catching up with the train, unlapping, and returning under a red flag."""
_TRAIN_S = 0.75
"""Seconds per car: the train is closed when its last car is at most this times its length behind the leader."""
_RESTART_ZONE_M = 420.0
"""This far before the finish line, m, the leader accelerates for the restart."""
_SC_MOST_LAPS = 3
"""After so many laps the safety car comes in even if the train is open."""
_PATIENCE_LAPS = 2
"""After so many laps past its planned lap the suspension no longer waits for the lead lap to be together."""


@dataclass
class RaceDirector:
    """Changes the flag of ``race`` and publishes why. Times are seconds since lights out."""

    race: SimulationState
    pits: SimulatedPitLane
    periods: list[tuple[str, float, float]] = field(default_factory=list)
    """Finished VSC, SC and red flag periods: kind, begin, end."""
    begun: float = 0.0
    """When the present flag was shown."""
    _scheduled: list[tuple[float, int, Callable[[float], None]]] = field(default_factory=list)
    """A heap of time, number (which keeps the order at one instant) and action."""
    _numbers: count[int] = field(default_factory=count)
    _sc_from_lap: int = 0
    _sc_in_after: int | None = None
    """The leader's lap at whose end the safety car comes in; None until that is decided."""
    _called_in: bool = False
    _unlapping_allowed: bool = False
    _all_waiting_since: float | None = None

    def __post_init__(self) -> None:
        self.red_lap = self.race.plan.red_lap
        """The leader's lap on which the race is to be suspended; None once it has been."""

    def at(self, t: float, act: Callable[[float], None]) -> None:
        """Schedule ``act`` for a race time."""
        heapq.heappush(self._scheduled, (t, next(self._numbers), act))

    def update(self, t: float) -> None:
        """Run the actions that are due at ``t``, then react to the cars' positions."""
        race = self.race
        while self._scheduled and self._scheduled[0][0] <= t:
            _, _, act = heapq.heappop(self._scheduled)
            act(t)
        if race.flag is Flag.GREEN and self.red_lap is not None:
            self._suspend_if_due(t)
        elif race.flag is Flag.RED:
            self._resume_if_due(t)
        elif race.flag is Flag.SC:
            self._lead_train(t)

    def pace(self, own: Floats) -> Floats:
        """The allowed pace of each car, as a share of the reference car's, given its own free pace."""
        race = self.race
        if race.flag is Flag.VSC:
            return own * VSC_PACE
        if race.flag is Flag.RED:
            return np.minimum(own, RED_PACE)
        if race.flag is Flag.SC:
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

    def incident(self, t: float, car: int, answer: str) -> None:
        """React to a slow or stopped car: yellow flags, then VSC or safety car if ``answer`` says so."""
        sector = self.race.circuit.marshal_sector(self.race.place(car))
        kind = "YELLOW" if answer == "none" else "DOUBLE YELLOW"
        self.at(t + 3, lambda t: self._yellow(t, kind, sector))
        if answer == "none":
            self.at(t + 25, lambda t: self._clear(t, sector))
        else:
            deploy = self._deploy_vsc if answer == "vsc" else self._deploy_sc
            self.at(t + 12, lambda t: deploy(t, sector))

    def _yellow(self, t: float, kind: str, sector: int) -> None:
        if self.race.racing:
            self.race.feed.track(t, "2")
        self._say(t, f"{kind} IN TRACK SECTOR {sector}", "Flag", flag=kind, sector=sector)

    def _clear(self, t: float, sector: int) -> None:
        self._say(t, f"CLEAR IN TRACK SECTOR {sector}", "Flag", flag="CLEAR", sector=sector)
        if self.race.racing:
            self.race.feed.track(t, "1")

    def _say(self, t: float, message: str, category: str = "Other", **more: Any) -> None:
        self.race.feed.say(t, self.race.lap_of(self.race.leader), message, category, **more)

    # Virtual safety car

    def _deploy_vsc(self, t: float, sector: int) -> None:
        if self.race.flag is not Flag.GREEN:
            return
        self._begin(t, Flag.VSC)
        self.race.feed.track(t, "6")
        self._say(t, "VSC DEPLOYED", "SafetyCar", status="DEPLOYED")
        over = t + self.race.rng.uniform(50.0, 75.0)
        self.at(over - 6, lambda t: self._clear(t, sector))
        self.at(over, self._vsc_ending)

    def _vsc_ending(self, t: float) -> None:
        self.race.feed.track(t, "7")
        self._say(t, "VSC ENDING", "SafetyCar", status="ENDING")
        self.at(t + self.race.rng.uniform(10.0, 15.0), self._green)

    # Safety car

    def _deploy_sc(self, t: float, sector: int) -> None:
        if self.race.flag is not Flag.GREEN:
            return
        self._begin(t, Flag.SC)
        self._sc_from_lap = self.race.lap_of(self.race.leader)
        self._sc_in_after = None
        self._unlapping_allowed = True
        self.race.feed.track(t, "4")
        self._say(t, "SAFETY CAR DEPLOYED", "SafetyCar", status="DEPLOYED")
        self.at(t + 90, lambda t: self._clear(t, sector))
        self.pits.bring_stops_forward()

    def _lead_train(self, t: float) -> None:
        race = self.race
        lap = race.lap_of(race.leader)
        if self._sc_in_after is None:
            driven = lap - self._sc_from_lap
            ready = driven >= 1 and (race.train_is_closed(_TRAIN_S) or driven >= _SC_MOST_LAPS)
            if not ready and lap < race.laps - 2:
                return
            lapped = race.lapped_cars() if self._unlapping_allowed and lap < race.laps - 2 else []
            self._sc_in_after = lap
            if lapped:
                race.unlapping[lapped] = True
                self._sc_in_after = lap + 1
                numbers = ", ".join(race.drivers[car].number for car in lapped)
                cars = "CARS" if len(lapped) > 1 else "CAR"
                self._say(t, f"LAPPED {cars} MAY NOW OVERTAKE THE SAFETY CAR: {numbers}")
            self._called_in = False
        elif (
            lap == self._sc_in_after and not self._called_in and race.to_line(race.leader) < 0.6 * race.circuit.length
        ):
            self._called_in = True
            self._say(t, "SAFETY CAR IN THIS LAP", "SafetyCar", status="IN THIS LAP")
        elif lap > self._sc_in_after:
            self._green(t)

    # Suspension

    def _suspend_if_due(self, t: float) -> None:
        """Suspend the race where all cars on the lead lap can come in at the end of the same lap."""
        race = self.race
        lap = race.lap_of(race.leader)
        place = race.place(race.leader) / race.circuit.length
        if self.red_lap is None or lap < self.red_lap or not 0.3 < place < 0.5:
            return
        if self.pits.inside() or not (race.lead_lap_is_together() or lap > self.red_lap + _PATIENCE_LAPS):
            return
        self.red_lap = None
        self._begin(t, Flag.RED)
        self._all_waiting_since = None
        race.feed.track(t, "5")
        race.feed.session(t, "Aborted")
        self._say(t, "RED FLAG", "Flag", flag="RED")
        self.at(t + 1, lambda t: self._say(t, "RACE SUSPENDED - BARRIER REPAIR AT TURN 6"))

    def _resume_if_due(self, t: float) -> None:
        if not self.pits.all_waiting():
            return
        if self._all_waiting_since is None:
            self._all_waiting_since = t
            resume = t + self.race.rng.uniform(150.0, 240.0)
            self._say(t + 5, f"RACE WILL RESUME AT {self.race.feed.clock(resume)}")
            self.at(resume, self._resume)

    def _resume(self, t: float) -> None:
        """Restart behind the safety car, for one lap and without unlapping."""
        race = self.race
        self._begin(t, Flag.SC)
        self._sc_from_lap = race.lap_of(race.leader)
        self._sc_in_after = self._sc_from_lap
        self._called_in = False
        self._unlapping_allowed = False
        race.feed.session(t, "Started")
        race.feed.track(t, "4")
        self._say(t, "GREEN LIGHT - PIT EXIT OPEN", "Flag", flag="GREEN")
        self._say(t, "SAFETY CAR DEPLOYED", "SafetyCar", status="DEPLOYED")
        self.pits.release(t)

    # Changes of flag

    def _begin(self, t: float, flag: Flag) -> None:
        if self.race.flag not in {Flag.GREEN, Flag.CHEQUERED}:
            self.periods.append((self.race.flag.value, self.begun, t))
        self.race.flag = flag
        self.begun = t

    def _green(self, t: float) -> None:
        if self.race.flag not in {Flag.VSC, Flag.SC}:
            return
        self._begin(t, Flag.GREEN)
        self.race.unlapping[:] = False
        self.race.feed.track(t, "1")
        self._say(t, "TRACK CLEAR", "Flag", flag="CLEAR")

    def chequered(self, t: float) -> None:
        """Show the chequered flag: the winner has crossed the line at ``t``."""
        self._begin(t, Flag.CHEQUERED)
        self.race.feed.say(t, self.race.laps, "CHEQUERED FLAG", "Flag", flag="CHEQUERED")
        self.race.feed.session(t, "Finished")
