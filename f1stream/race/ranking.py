"""Order, gaps and intervals, once the facts of a frame are in."""

from __future__ import annotations

from itertools import pairwise

from f1stream.race.car import Car
from f1stream.race.gaps import PATIENCE_MS, let_gaps_grow, write_gaps
from f1stream.race.order import LEADER, UNKNOWN, behind, rank, rank_by_feed
from f1stream.race.state import OrderSource, Race
from f1stream.race.timed import Parts, distances

UNSEEN_MS = 10_000
"""ms. A car without a sample for longer does not count as measured."""
BEHIND_LINES = 2
"""A car whose samples are more lines behind its official crossings does not either: its lap is uncertain."""
MEASURED = 0.75
"""Share of the running cars that must be measured; with fewer, the feed's positions are the order."""
SETTLED_MS = 5_000
"""ms after the last car finished, until the feed has published all positions of the result."""
OVER = {"Finalised", "Ends"}
"""Session statuses after which the feed's positions are the result."""


def update_ranking(race: Race, now: int) -> bool:
    """Rank the cars and measure their gaps if any car needs it. True if order or gaps may have changed.

    ``now``: session time (ms). Gaps of cars that are overdue at their next line grow.
    """
    has_ranked = bool(race.needs_ranking)
    if has_ranked and race.parts is not None:
        _by_lap_time(race, race.parts)
    elif has_ranked:
        _by_progress(race)
    race.needs_ranking.clear()
    if race.parts is not None or race.suspended:  # gaps pause
        return has_ranked
    grown = let_gaps_grow(race, now)
    if grown:
        write_gaps(race, grown)
    return has_ranked or bool(grown)


def choose_source(race: Race, now: int) -> None:
    """Decide at session time ``now`` (ms) what the order is by: lines, feed or result. See ``OrderSource``."""
    source = _source(race, now)
    if source != race.order_by:
        race.order_by = source
        race.needs_ranking.update(race.cars)


def _source(race: Race, now: int) -> OrderSource:
    """Without measured cars the feed knows best who is ahead within a lap.

    Its positions count from its first change after the start: earlier ones are those of the grid.
    """
    if race.parts is not None or not race.official or race.started_ms is None or race.placed_ms < race.started_ms:
        return "lines"
    if race.order_by == "result":
        return "result"
    running = [car for car in race.cars.values() if not car.retired]
    if any(car.timing is None or car.timing.position is None for car in running):
        return "lines"
    if race.flag_ms is not None and (race.status in OVER or _all_finished(running, now)):
        return "result"
    if race.timing_points is None:
        return "feed"
    return "lines" if sum(_is_measured(car, now) for car in running) >= MEASURED * len(running) else "feed"


def _is_measured(car: Car, now: int) -> bool:
    seen = car.seen_ms is not None and now - car.seen_ms < UNSEEN_MS
    return seen and car.measured_line >= car.line - BEHIND_LINES


def _all_finished(running: list[Car], now: int) -> bool:
    last = max((car.lap_end_ms or 0 for car in running), default=0)
    return all(car.finished for car in running) and now - last >= SETTLED_MS


def _by_progress(race: Race) -> None:
    ranked = rank(race.cars.values())
    if race.order_by != "lines":
        by_lines = {car.number: place for place, car in enumerate(ranked)}
        ranked = rank_by_feed(ranked, is_result=race.order_by == "result")
        if race.order_by == "result":
            race.put_back = [
                car.number for place, car in enumerate(ranked) if car.finished and place > by_lines[car.number]
            ]
    before, race.order = race.order, [car.number for car in ranked]
    if race.suspended:  # gaps pause
        return
    stale = race.needs_ranking
    if race.order[0] != before[0]:
        stale = set(race.cars)
    elif race.order != before:
        stale = stale | {number for _, number in set(pairwise(race.order)) - set(pairwise(before))}
    for place, car in enumerate(ranked):
        if car.number in stale:
            _measure(race, car, ranked[0], ranked[place - 1] if place else None)
    write_gaps(race, stale)


def _by_lap_time(race: Race, parts: Parts) -> None:
    ranked = parts.rank(list(race.cars.values()), race.bests)
    race.order = [car.number for car, _ in ranked]
    for number, (gap, interval) in distances(ranked, race.bests).items():
        race.gaps[number], race.intervals[number] = gap, interval
        race.columns.put_gaps(race.cars[number].grid, gap.ms, interval.ms)
    for car, part in ranked:
        eliminated = part + 1 < len(parts.entries) or (car.timing is not None and car.timing.knocked_out)
        if car.eliminated != eliminated:
            car.eliminated = eliminated
            race.changed.add(car.number)


def _measure(race: Race, car: Car, leader: Car, ahead: Car | None) -> None:
    leads = ahead is None
    race.gaps[car.number] = UNKNOWN if car.retired else LEADER if leads else behind(car, leader, race.resumed_ms)
    race.intervals[car.number] = UNKNOWN if car.retired or ahead is None else behind(car, ahead, race.resumed_ms)
    race.gaps_due_ms[car.number] = car.line_ms + PATIENCE_MS
