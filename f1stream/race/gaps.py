"""Gaps and intervals between two timing lines.

A gap is measured when a car crosses a line. Until it crosses the next one, it is at least as far behind as the time
since the car ahead crossed that: without this the gap of a car that stands in the gravel freezes, and cars ahead of
it show greater ones.
"""

from __future__ import annotations

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
gaps is right all the same, see ``write_gap``."""
NEVER = 1 << 48
"""Session time (ms) that does not come."""


def let_gaps_grow(race: Race, now: int) -> bool:
    """Raise the gaps of cars that are overdue at their next line at session time ``now`` (ms). True if any has grown.

    ``Race.gaps_due_ms`` has for each car the time before which none of its gaps can grow.
    """
    grown = False
    for number, due in race.gaps_due_ms.items():
        if due <= now:
            grown |= _let_grow(race, race.cars[number], now)
    return grown


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


def write_gap(race: Race, place: int) -> bool:
    """Write gap and interval of the car at ``place`` (from 0) to the frame's columns. True if its gap is another now.

    On the same lap a gap is not less than that of the car ahead: each was measured at another line, and in the result
    a penalty can have put the car there. Nor is it less than the interval: the leader may have passed the car ahead.
    Without samples the order is the feed's, which keeps a car in its place for a part of its stop: its gap is right,
    and those of the cars behind it are, too.
    """
    number, columns = race.order[place], race.columns
    car, gap, interval = race.cars[number], race.gaps[number], race.intervals[number]
    ms = gap.ms
    if ms is not None:
        if interval.ms is not None and interval.ms > ms and interval.laps == gap.laps:
            ms = interval.ms
        if race.timing_points is not None:
            ahead = _shown_ahead(race, place)
            if ahead.laps > gap.laps:  # the leader has lapped that car: this one, behind it, as well
                race.gaps[number] = ahead
            if ahead.laps > gap.laps or (ahead.laps == gap.laps and (ahead.ms or 0) > ms):
                ms = ahead.ms
    is_other = columns.gap[car.grid] != ms
    columns.put_gaps(car.grid, ms, interval.ms)
    return is_other


def _shown_ahead(race: Race, place: int) -> Distance:
    """The gap that is shown of the nearest car ahead that has one; no distance if there is none."""
    for number in reversed(race.order[:place]):
        ms = race.columns.gap[race.cars[number].grid]
        if ms is not None:
            return Distance(race.gaps[number].laps, ms)
    return Distance(0, 0)
