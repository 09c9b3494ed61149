"""What a pit stop costs in this race, by its stops so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Literal

from f1stream.race.car import Car, PitVisit
from models.frame import PitCondition, PitLoss

Condition = PitCondition | Literal["red"]
OF_STATUS: dict[str, Condition] = {"4": "sc", "5": "red", "6": "vsc", "7": "vsc"}
"""By track status; under any other status cars race at full speed, except in single sectors."""
CONDITIONS: tuple[PitCondition, ...] = ("green", "vsc", "sc")


def pit_loss(cars: Iterable[Car], changes: Sequence[tuple[int, Condition]]) -> tuple[PitLoss, ...]:
    """By condition at the pit entry, where there was a stop: the median over the stops of their losses.

    ``changes``: (session time, condition from then on), in order; green before the first.

    A stop's loss is the time of the in and the out lap together, less the median of the same two laps of the cars
    that were not in the pit lane then. Stops that cannot be compared are left out: see ``_condition``.
    """
    running = list(cars)
    in_pits = {car.number: {visit.lap for visit in car.visits} for car in running}
    losses: dict[PitCondition, list[float]] = {}
    for car in running:
        for stop in car.stops():
            condition = _condition(car, stop, in_pits[car.number], changes)
            if condition is None:
                continue
            through = {stop.lap - 1, stop.lap, stop.lap + 1}
            others = [two for other in running if in_pits[other.number].isdisjoint(through)
                      and (two := _two_laps(other, stop.lap)) is not None]  # fmt: skip
            own = _two_laps(car, stop.lap)
            if others and own is not None:
                losses.setdefault(condition, []).append(own - median(others))
    return tuple(
        PitLoss(condition=condition, loss_ms=round(median(losses[condition])), stops=len(losses[condition]))
        for condition in CONDITIONS
        if condition in losses
    )


def _two_laps(car: Car, lap: int) -> int | None:
    """The time of ``lap`` and the next one; None until both are driven."""
    begin, end = car.lap_ends.get(str(lap - 1)), car.lap_ends.get(str(lap + 1))
    return None if begin is None or end is None else end - begin


def _condition(
    car: Car, stop: PitVisit, in_pits: set[int], changes: Sequence[tuple[int, Condition]]
) -> PitCondition | None:
    """The condition of a stop; None if its cost cannot be measured.

    It cannot for a stop on lap 1, which begins at standstill at different distances from the line; one that shares a
    lap with another pit visit; one with a red flag in its two laps; one during which the condition changed; and one
    under green with a safety car, real or virtual, before the end of the out lap: other cars had slowed down for it
    already, or not yet. A safety car that comes before the pit entry, or ends after the exit, costs all cars alike.
    """
    begin, end = car.lap_ends.get(str(stop.lap - 1)), car.lap_ends.get(str(stop.lap + 1))
    if begin is None or end is None or stop.out_ms is None:
        return None
    if in_pits & {stop.lap - 1, stop.lap + 1}:
        return None
    if "red" in _between(begin, end, changes):
        return None
    condition = _at(stop.in_ms, changes)
    until = end if condition == "green" else stop.out_ms
    if condition == "red" or _between(stop.in_ms, until, changes) != {condition}:
        return None
    return condition


def _at(ms: int, changes: Sequence[tuple[int, Condition]]) -> Condition:
    return next((condition for since, condition in reversed(changes) if since <= ms), "green")


def _between(begin: int, end: int, changes: Sequence[tuple[int, Condition]]) -> set[Condition]:
    """All conditions from ``begin`` to ``end``."""
    return {_at(begin, changes), *(condition for since, condition in changes if begin < since <= end)}
