"""The events of a race, drawn from its seed before the start.

The plan has the lap of each event; the simulation starts it on that lap when the track is green and the car is at the
right place.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from f1stream.sources.simulator.drivers import COMPOUNDS


@dataclass(frozen=True)
class SimulatedTyres:
    """A set of tyres when it is fitted."""

    compound: str
    life: int = 0
    """Laps already driven on it."""


@dataclass(frozen=True)
class Breakdown:
    """A car that retires."""

    lap: int
    place: float
    """Position on the lap as a share of it; ignored in the pits."""
    answer: str
    """Race control's reaction: ``vsc``, ``sc``, or ``none`` for a car that retires in its pit box."""


@dataclass
class Plan:
    """All events decided before the start; cars are indexed by grid place."""

    start_tyres: list[SimulatedTyres]
    stops: list[dict[int, SimulatedTyres]]
    """Per car: in-lap to the tyres that are fitted."""
    suspension_tyres: list[SimulatedTyres | None]
    """Per car: the tyres fitted while the race is suspended."""
    breakdowns: dict[int, Breakdown] = field(default_factory=dict)
    punctures: dict[int, int] = field(default_factory=dict)
    """By car: the lap with the puncture, at whose end it comes in."""
    red_lap: int | None = None
    """The leader's lap on which the race is suspended."""


def plan_race(rng: np.random.Generator, cars: int, laps: int) -> Plan:
    """Draw a race. From 3 laps there are stops and a VSC, from 12 also a red flag, a puncture and a safety car."""
    start = [_tyres(rng, ("SOFT", "MEDIUM", "MEDIUM", "HARD")) for _ in range(cars)]
    plan = Plan(
        start_tyres=start,
        stops=[_stops(rng, laps, tyres.compound) for tyres in start],
        suspension_tyres=[_tyres(rng, COMPOUNDS) if rng.random() < 0.55 else None for _ in range(cars)],
    )
    # The pole sitter and the car that starts from the pit lane do not retire.
    unlucky = [int(car) for car in rng.permutation(np.arange(1, max(cars - 1, 1)))]
    if laps >= 3 and cars >= 4:
        plan.breakdowns[unlucky.pop()] = Breakdown(2, rng.uniform(0.3, 0.45), "vsc")
    if laps >= 12:
        plan.red_lap = max(5, round(0.2 * laps))
        if cars >= 5:
            plan.punctures[unlucky.pop()] = 3
        if cars >= 6:
            plan.breakdowns[unlucky.pop()] = Breakdown(
                max(plan.red_lap + 3, round(0.45 * laps)), rng.uniform(0.3, 0.7), "sc"
            )
        if cars >= 8 and laps >= 30:
            plan.breakdowns[unlucky.pop()] = Breakdown(round(0.8 * laps), 0.0, "none")
            plan.punctures[unlucky.pop()] = round(0.7 * laps)
    return plan


def _tyres(rng: np.random.Generator, compounds: tuple[str, ...]) -> SimulatedTyres:
    return SimulatedTyres(str(rng.choice(compounds)), int(rng.choice((0, 0, 0, 2, 3))))


def _stops(rng: np.random.Generator, laps: int, first: str) -> dict[int, SimulatedTyres]:
    """In-laps are neither the first nor the last lap; every stop changes the compound."""
    if laps < 3:
        return {}
    if laps >= 30 and rng.random() < 0.45:
        in_laps = [round(laps * rng.uniform(0.22, 0.38)), round(laps * rng.uniform(0.58, 0.74))]
    else:
        in_laps = [round(laps * rng.uniform(0.35, 0.68))]
    stops, compound = {}, first
    for in_lap in in_laps:
        tyres = _tyres(rng, tuple(other for other in COMPOUNDS if other != compound))
        stops[min(max(in_lap, 2), laps - 1)] = tyres
        compound = tyres.compound
    return stops
