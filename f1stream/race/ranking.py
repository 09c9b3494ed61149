"""Order, gaps and intervals, once the facts of a frame are in."""

from __future__ import annotations

from itertools import pairwise

from f1stream.race.car import Car
from f1stream.race.order import LEADER, UNKNOWN, Distance, behind, rank
from f1stream.race.state import State
from f1stream.race.timed import Parts, distances


def update_ranking(race: State) -> bool:
    """Rank the cars and measure their gaps, where a car in ``race.moved`` asks for it. True when they were ranked."""
    if not race.moved:
        return False
    if race.parts is None:
        _by_progress(race)
    else:
        _by_lap_time(race, race.parts)
    race.moved.clear()
    return True


def _by_progress(race: State) -> None:
    ranked = rank(race.cars.values())
    before = dict(pairwise(reversed(race.order)))
    new_leader = ranked[0].number != race.order[0]
    race.order = [car.number for car in ranked]
    if race.suspended:  # the clock runs on, the gaps do not
        return
    for ahead, car in zip([None, *ranked], ranked, strict=False):
        if new_leader or car.number in race.moved or before.get(car.number) != (ahead and ahead.number):
            _measure(race, car, ranked[0], ahead)


def _by_lap_time(race: State, parts: Parts) -> None:
    ranked = parts.rank(list(race.cars.values()), race.bests)
    race.order = [car.number for car, _ in ranked]
    for number, (gap, interval) in distances(ranked, race.bests).items():
        _write(race, race.cars[number], gap, interval)
    for car, part in ranked:
        eliminated = part + 1 < len(parts.entries) or (car.timing is not None and car.timing.knocked_out)
        if car.eliminated != eliminated:
            car.eliminated = eliminated
            race.touched.add(car.number)


def _measure(race: State, car: Car, leader: Car, ahead: Car | None) -> None:
    leads = ahead is None
    gap = UNKNOWN if car.retired else LEADER if leads else behind(car, leader)
    interval = UNKNOWN if car.retired or ahead is None else behind(car, ahead)
    _write(race, car, gap, interval)


def _write(race: State, car: Car, gap: Distance, interval: Distance) -> None:
    race.gaps[car.number], race.intervals[car.number] = gap, interval
    race.columns.apart(car.grid, gap.ms, interval.ms)
