"""What ``f1stream check`` compares between our rules and the feed's own values. Each check may have a bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from f1stream.conformance.feed import FeedState
from f1stream.conformance.replay import Replay
from f1stream.sources.livetiming.parser.counts import ParseCounts
from f1stream.sources.session import Session
from models import Entries
from models.session_type import is_race

EVERY_MS = 10_000
"""Session time (ms) between two comparisons of the order."""
SHARE = 0.99
"""The bound of the order in practice and qualifying: the share of samples that must have the feed's order."""
COUNTED = ("unknown", "damaged")
"""Checks that compare nothing with the feed."""


@dataclass(frozen=True)
class Check:
    """The result of one comparison."""

    name: str
    result: str
    """Short, for a table: ``20/20``, ``99.4 %``; empty if there was nothing to compare."""
    passed: bool = True
    details: tuple[str, ...] = ()
    """A sentence for each difference."""


def all_checks(
    session: Session, feed: FeedState, result: Replay, counts: ParseCounts, kind: str, lag_ms: int
) -> list[Check]:
    """Every check, in the order of the table's columns. ``kind``: the session's type."""
    return [
        _final_order(session, feed, result), _parts(session, feed, result),
        *_order(session, feed, result, lag_ms, timed=not is_race(kind)), _laps(session, feed, result),
        *_best_laps(session, feed, result), _last_laps(session, feed), _stops(session, feed, result),
        _compounds(session, feed, result), _unknown(counts), _damaged(counts),
    ]  # fmt: skip


def _names(session: Session) -> dict[str, str]:
    """By driver number, from all lists of entries: drivers may be added after the start."""
    lists = (message.entries for message in session.messages if isinstance(message, Entries))
    return {entry.driver_number: entry.tla for entries in lists for entry in entries}


def _text(numbers: list[str], names: dict[str, str]) -> str:
    return " ".join(names.get(number, number) for number in numbers)


def _both(ours: list[str], theirs: list[str]) -> tuple[list[str], list[str]]:
    """The two orders, each without the cars that the other does not have."""
    return [number for number in ours if number in theirs], [number for number in theirs if number in ours]


def _final_order(session: Session, feed: FeedState, result: Replay) -> Check:
    name = "end"
    if not feed.orders:
        return Check(name, "")
    last = max(result.samples)
    ours, theirs = _both(result.samples[last], feed.orders[-1][1])
    names = _names(session)
    check = _orders(name, {last: (ours, theirs)}, names)
    put_back = result.race.put_back if result.race is not None else []
    counted = (f"{name}: {names[number]} is further down in the result than by its times" for number in put_back)
    return replace(check, details=(*check.details, *counted))


def _parts(session: Session, feed: FeedState, result: Replay) -> Check:
    ends = {at: _both(result.samples[at - 1], order) for at in feed.parts if (order := feed.order_at(at - 1))}
    return _orders("parts", ends, _names(session)) if ends else Check("parts", "")


def _orders(name: str, orders: dict[int, tuple[list[str], list[str]]], names: dict[str, str]) -> Check:
    same = sum(ours == theirs for ours, theirs in orders.values())
    details = tuple(
        f"{name}, {_clock(at)}: {_text(ours, names)}, the feed {_text(theirs, names)}"
        for at, (ours, theirs) in orders.items()
        if ours != theirs
    )
    return Check(name, f"{same}/{len(orders)}", same == len(orders), details)


def _order(session: Session, feed: FeedState, result: Replay, lag_ms: int, *, timed: bool) -> list[Check]:
    """Sampled every 10 s. No bound in a race: there our order changes at each timing line, the feed's later."""
    times = sorted(at for at in result.samples if at % EVERY_MS == 0 and at >= session.start_ms and feed.order_at(at))
    if len(times) < 2:  # an archive has only the order at the end
        return [Check("order", ""), Check("lag", "")]
    exact = [at for at in times if _same(result.samples[at], feed.order_at(at))]
    differ = [at for at in times if not _within(result.samples[at], feed, at, lag_ms)]
    names = _names(session)
    details = tuple(
        f"order, {_clock(first)} to {_clock(last)}: "
        f"{_first_difference(result.samples[first], feed.order_at(first), names)}"
        for first, last in _intervals(differ)
    )
    share = 1 - len(differ) / len(times)
    lag = share - len(exact) / len(times)
    return [Check("order", f"{share:.1%}", share >= SHARE or not timed, details), Check("lag", f"{lag:.1%}")]


def _within(ours: list[str], feed: FeedState, at_ms: int, lag_ms: int) -> bool:
    return any(_same(ours, order) for order in feed.orders_within(at_ms - lag_ms, at_ms + lag_ms))


def _same(ours: list[str], theirs: list[str]) -> bool:
    mine, other = _both(ours, theirs)
    return mine == other


def _first_difference(ours: list[str], theirs: list[str], names: dict[str, str]) -> str:
    ours, theirs = _both(ours, theirs)
    place = next((n for n, (one, other) in enumerate(zip(ours, theirs, strict=True)) if one != other), None)
    if place is None:
        return "the same now"
    return f"place {place + 1} is {names.get(ours[place])}, the feed's {names.get(theirs[place])}"


def _intervals(moments: list[int]) -> list[tuple[int, int]]:
    """First and last of each run of consecutive samples."""
    begins = [at for n, at in enumerate(moments) if n == 0 or at - moments[n - 1] > EVERY_MS]
    ends = [one for one, other in pairwise(moments) if other - one > EVERY_MS] + moments[-1:]
    return list(zip(begins, ends, strict=True))


def _laps(session: Session, feed: FeedState, result: Replay) -> Check:
    """In a race, as viewers see them: including laps driven before the recording begins.

    In practice and qualifying, by the lap records, which include the lap into the garage.
    """
    ours = {number: car.lap for number, car in result.cars.items()}
    if result.race is not None and result.race.parts is not None:
        for lap in session.laps:
            ours[lap.driver_number] = max(ours.get(lap.driver_number, 0), lap.lap_number)
    return _values("laps", ours, {number: car.laps or 0 for number, car in feed.cars.items()}, session)


def _best_laps(session: Session, feed: FeedState, result: Replay) -> list[Check]:
    """As viewers see them, and by our lap records alone, which do not use the feed's best laps."""
    race = result.race
    assert race is not None  # noqa: S101 - a session without a frame has raised
    cars = {number: car for number, car in race.cars.items() if number in feed.cars}
    shown: dict[str, object] = {}
    own: dict[str, object] = {}
    received: dict[str, object] = {}
    for number, car in cars.items():
        parts = range(min(len(race.bests.began_ms), feed.cars[number].parts))
        found = {part + 1: best[0] for part in parts if (best := race.bests.best(car, part)) is not None}
        alone = {part + 1: best[0] for part in parts if (best := race.bests.own_best(car, part)) is not None}
        sent = feed.cars[number].changed_best_ms
        shown[number], own[number] = found, {part: ms for part, ms in alone.items() if part in sent}
        received[number] = sent
    theirs = {number: feed.cars[number].best_ms for number in cars}
    return [_values("bests", shown, theirs, session), _values("own", own, received, session)]


def _last_laps(session: Session, feed: FeedState) -> Check:
    """No bound: our records include laps after the flag and laps into the pits, the feed's value does not."""
    newest = {lap.driver_number: lap for lap in sorted(session.laps, key=lambda lap: lap.lap_number)}
    ours = {number: lap.lap_time_ms for number, lap in newest.items() if lap.lap_time_ms is not None}
    theirs = {number: car.last_ms for number, car in feed.cars.items() if number in ours}
    return _values("last", ours, theirs, session, bound=False)


def _stops(session: Session, feed: FeedState, result: Replay) -> Check:
    """Visits to the pit lane while the session was on. No bound: the feed counts some before the start."""
    race = result.race
    assert race is not None  # noqa: S101
    theirs = {number: car.pit_visits for number, car in feed.cars.items() if car.pit_visits is not None}
    ours = {number: len(race.cars[number].visits) for number in theirs if number in race.cars}
    return _values("visits", ours, theirs, session, bound=False)


def _compounds(session: Session, feed: FeedState, result: Replay) -> Check:
    """No bound: the feed begins a stint at each visit to the pit lane, with or without a change of tyres."""
    ours = {number: _runs([stint.compound for stint in car.stints]) for number, car in result.cars.items()}
    theirs = {number: _runs(car.compounds) for number, car in feed.cars.items()}
    return _values("tyres", ours, theirs, session, bound=False)


def _runs(compounds: list[str]) -> str:
    return " ".join(one for n, one in enumerate(compounds) if n == 0 or compounds[n - 1] != one)


def _values(
    name: str, ours: Mapping[str, object], theirs: Mapping[str, object], session: Session, *, bound: bool = True,
) -> Check:  # fmt: skip
    names = _names(session)
    both = [number for number in names if number in ours and number in theirs]
    if not both:
        return Check(name, "")
    details = tuple(
        f"{name} of {names[number]}: {ours[number]}, the feed's {theirs[number]}"
        for number in both
        if ours[number] != theirs[number]
    )
    same = len(both) - len(details)
    return Check(name, f"{same}/{len(both)}", not bound or not details, details)


def _unknown(counts: ParseCounts) -> Check:
    """A topic without a handler and without a reason in ``fields`` is beyond the bound; a field is listed."""
    topics, fields = sorted(counts.unknown_topics), sorted(counts.unknown_fields)
    details = (*(f"unknown topic {name}" for name in topics), *(f"unknown field {name}" for name in fields))
    return Check("unknown", f"{len(topics)}+{len(fields)}" if details else "0", not topics, details)


def _damaged(counts: ParseCounts) -> Check:
    details = tuple(f"{count} damaged messages of {name}" for name, count in counts.damaged.items())
    return Check("damaged", str(counts.damaged.total()), details=details)


def _clock(ms: int) -> str:
    """Session time as h:mm:ss."""
    return f"{ms // 3_600_000}:{ms // 60_000 % 60:02}:{ms // 1_000 % 60:02}"
