"""Gaps and intervals between two timing lines.

A gap is measured when a car crosses a line. Until it crosses the next one, it is at least as far behind as the time
since the car ahead crossed that: without this the gap of a car that stands in the gravel freezes, and cars ahead of
it show greater ones.
"""

from __future__ import annotations

from collections.abc import Container

from f1stream.race.car import LINES, Car
from f1stream.race.order import Distance
from f1stream.race.progress import SILENCE_MS
from f1stream.race.state import Race

LATE_MS = 2_000
"""ms. Without samples a crossing is known when the feed has published it: at most this much later."""
INFORMED_MS = 400
"""ms. With samples it is known at most this much later: a sample is up to 0.3 s older than its frame. A gap is not
looked at before it can be overdue by this much: most are measured again before."""
PATIENCE_MS = 2_500
"""ms after a crossing before which a gap does not grow: at racing speed the next line comes in less. The order of the
gaps is right all the same, see ``write_gaps``."""
NEVER = 1 << 48
"""Session time (ms) that does not come."""


def let_gaps_grow(race: Race, now: int) -> set[str]:
    """Raise the gaps of cars that are overdue at their next line at session time ``now`` (ms); returns these cars.

    ``Race.gaps_due_ms`` has for each car the time before which none of its gaps can grow.
    """
    overdue = [number for number, due in race.gaps_due_ms.items() if due <= now]
    return {number for number in overdue if _let_grow(race, race.cars[number], now)}


def _let_grow(race: Race, car: Car, now: int) -> bool:
    number, place = car.number, race.order.index(car.number)
    if place == 0 or car.line < 0 or car.finished or car.retired:
        race.gaps_due_ms[number] = NEVER  # until it is measured again
        return False
    line, known_ms = _next_line(race, car, now)
    leader, ahead = race.cars[race.order[0]], race.cars[race.order[place - 1]]
    before = race.gaps[number], race.intervals[number]
    gap, gap_due = _overdue(before[0], leader, line, known_ms, race.resumed_ms)
    interval, interval_due = (
        (gap, gap_due) if place == 1 else _overdue(before[1], ahead, line, known_ms, race.resumed_ms)
    )
    race.gaps[number], race.intervals[number] = gap, interval
    race.gaps_due_ms[number] = min(gap_due, interval_due)
    return before != (gap, interval)


def _next_line(race: Race, car: Car, now: int) -> tuple[int, int]:
    """The next line that ``car`` is seen to cross, and the session time (ms) up to which it has not crossed it.

    Without samples only the ends of laps have a time of their own: mini-sectors can be left out, and their times are
    filled in.
    """
    if race.timing_points is not None and car.seen_ms is not None and now - car.seen_ms < SILENCE_MS:
        return car.line + 1, car.seen_ms
    return (car.line // LINES + 1) * LINES, now - LATE_MS


def _overdue(shown: Distance, ahead: Car, line: int, known_ms: int, resumed_ms: int) -> tuple[Distance, int]:
    """How far a car that had not crossed ``line`` by ``known_ms`` is behind ``ahead``, and when that can grow.

    Not less than ``shown``. A time in which the session was suspended does not count.
    """
    laps = max(ahead.line - line, 0) // LINES
    passed = ahead.time_at(line + laps * LINES)
    least_ms = shown.ms or 0
    if passed is None:
        return shown, known_ms + max(least_ms, INFORMED_MS)
    passed = max(passed, resumed_ms)
    behind = Distance(laps, known_ms - passed)
    if known_ms > passed and (behind.laps, behind.ms) > (shown.laps, least_ms):
        return behind, known_ms + 1
    return shown, passed + (least_ms if laps >= shown.laps else 0) + INFORMED_MS


def write_gaps(race: Race, measured: Container[str]) -> None:
    """Write gap and interval of the cars ``measured`` to the frame's columns, and of those behind where it matters.

    On the same lap a gap is not less than that of the car ahead: each was measured at another line, and in the result
    a penalty can have put the car there. Nor is it less than the interval: the leader may have passed the car ahead.
    A car behind a lapped one is lapped, too, also in ``Race.gaps``.
    Without samples the order is the feed's, which keeps a car in its place for a part of its stop: its gap is right,
    and those of the cars behind it are, too.
    """
    gaps, put_gaps = race.columns.gap, race.columns.put_gaps
    ahead: Car | None = None  # the nearest that has a gap
    follows = False
    for number in race.order:
        car = race.cars[number]
        if follows or number in measured:
            before, shown = gaps[car.grid], _gap_to_show(race, number, ahead)
            put_gaps(car.grid, shown, race.intervals[number].ms)
            follows = shown != before or (follows and shown is None)
        if gaps[car.grid] is not None:
            ahead = car


def _gap_to_show(race: Race, number: str, ahead: Car | None) -> int | None:
    """The gap (ms) of the car ``number``; ``ahead``: the nearest car ahead that shows one."""
    gap, interval = race.gaps[number], race.intervals[number]
    ms = gap.ms
    if ms is None:
        return None
    if interval.ms is not None and interval.laps == gap.laps:
        ms = max(ms, interval.ms)
    if ahead is None or race.timing_points is None:
        return ms
    shown = Distance(race.gaps[ahead.number].laps, race.columns.gap[ahead.grid])
    if shown.laps > gap.laps:
        race.gaps[number] = shown
        return shown.ms
    return max(ms, shown.ms or 0) if shown.laps == gap.laps else ms
