"""One session, as our rules have it and as the feed has it: what agrees, and what does not.

Every check has a bound; what is beyond it makes ``f1stream check`` end with code 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from f1stream.conformance.account import read_archive_account
from f1stream.conformance.feed import FeedState, of_session, read_feed
from f1stream.conformance.replay import Replay, replay
from f1stream.sources.livetiming.as_session import as_session
from f1stream.sources.livetiming.parser.counts import ParseCounts
from f1stream.sources.livetiming.recording.reader import open_recording
from f1stream.sources.session import Session
from f1stream.sources.session_archive import read_archive, require_archive
from f1stream.sources.spec import recorded, split_recording
from models import Entries, SessionInfo
from models.session_type import is_race

EVERY_MS = 10_000
"""Session time between two comparisons of the order."""
LAG_MS = 5_000
"""The feed's order follows the lap times that change it within this time (ms), in which ours may differ."""
SHARE = 0.99
"""At least so many samples of a practice or qualifying have the feed's order."""

COUNTED = ("unknown", "damaged")
"""Checks that compare nothing with the feed."""


@dataclass(frozen=True)
class Check:
    """One thing that was compared."""

    name: str
    result: str
    """Short, for a table: ``20/20``, ``99.4 %``; empty where there was nothing to compare."""
    passed: bool = True
    details: tuple[str, ...] = ()
    """A sentence for each difference."""


@dataclass
class Report:
    """What came of one source."""

    source: str
    name: str = ""
    """``Chinese Grand Prix Sprint Qualifying 2024``; empty when the session could not be read."""
    checks: list[Check] = field(default_factory=list)
    error: str = ""
    """Why it could not be read or replayed."""

    @property
    def verdict(self) -> str:
        """``passed``, ``failed``, or ``nothing compared``: the recording has no timing."""
        compared = any(check.result for check in self.checks if check.name not in COUNTED)
        return "failed" if not self.passed else "passed" if compared else "nothing compared"

    @property
    def passed(self) -> bool:
        """Whether nothing is beyond its bound."""
        return not self.error and all(check.passed for check in self.checks)


def check_source(source: str, lag_ms: int = LAG_MS) -> Report:
    """Compare one ``archive:PATH`` or ``recording:PATH`` (or a bare path: an archive has a session.json).

    Behind a recording's path may stand ``#KEY`` or ``#YEAR/EVENT/SESSION``, as for a replay.

    What fails to be read or replayed is in the report; nothing is raised but what stops the process.
    """
    report = Report(source)
    try:
        session, feed, counts = _read(source)
        info = next(message for message in session.messages if isinstance(message, SessionInfo))
        report.name = f"{info.meeting} {info.name}"
        samples = {at - 1 for at in feed.parts}
        result = replay(session, samples, EVERY_MS)
        report.checks = [
            _final_order(session, feed, result), _parts(session, feed, result),
            *_order(session, feed, result, lag_ms, timed=not is_race(info.type)), _laps(session, feed, result),
            *_best_laps(session, feed, result), _last_laps(session, feed), _stops(session, feed, result),
            _compounds(session, feed, result), _unknown(counts), _damaged(counts),
        ]  # fmt: skip
    except Exception as error:  # any recording, and any fault of the rules on it, is a line of the table
        report.error = f"{type(error).__name__}: {error}"
    return report


def _read(source: str) -> tuple[Session, FeedState, ParseCounts]:
    kind, _, rest = source.partition(":")
    text = rest if kind in ("archive", "recording") else source
    if kind == "archive" or (kind != "recording" and (Path(text).expanduser() / "session.json").exists()):
        folder = Path(text).expanduser()
        require_archive(folder)
        session = read_archive(folder)
        return session, read_archive_account(folder, session), ParseCounts()
    path, which = split_recording(text)
    recording = open_recording(path)
    messages = list(recording)
    if which is not None and "/" in which:  # a recording that does not say which session it is of
        session, counts = recorded(recording, which)
    else:
        session, counts = as_session(messages, f"recording:{path.name}", which)
        messages = of_session(messages, session.session_key)
    counts.damaged.update({file: count for (file, _), count in recording.counts.damaged.items()})
    return session, read_feed(messages), counts


def _names(session: Session) -> dict[str, str]:
    """By driver number; of all lists of entries: drivers are added after the start."""
    lists = (message.entries for message in session.messages if isinstance(message, Entries))
    return {entry.driver_number: entry.tla for entries in lists for entry in entries}


def _text(numbers: list[str], names: dict[str, str]) -> str:
    return " ".join(names.get(number, number) for number in numbers)


def _both(ours: list[str], theirs: list[str]) -> tuple[list[str], list[str]]:
    """The two orders, of the cars that both have."""
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
    """Counted every 10 s. Without a bound in a race, where our order is that of each timing line at once."""
    times = sorted(at for at in result.samples if at % EVERY_MS == 0 and at >= session.start_ms and feed.order_at(at))
    if len(times) < 2:  # an archive has the order at the end
        return [Check("order", ""), Check("lag", "")]
    exact = [at for at in times if _same(result.samples[at], feed.order_at(at))]
    differ = [at for at in times if not _within(result.samples[at], feed, at, lag_ms)]
    names = _names(session)
    details = tuple(
        f"order, {_clock(first)} to {_clock(last)}: "
        f"{_first_difference(result.samples[first], feed.order_at(first), names)}"
        for first, last in _stretches(differ)
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


def _stretches(moments: list[int]) -> list[tuple[int, int]]:
    """First and last of each run of consecutive samples."""
    begins = [at for n, at in enumerate(moments) if n == 0 or at - moments[n - 1] > EVERY_MS]
    ends = [one for one, other in pairwise(moments) if other - one > EVERY_MS] + moments[-1:]
    return list(zip(begins, ends, strict=True))


def _laps(session: Session, feed: FeedState, result: Replay) -> Check:
    """In a race as viewers see it: with the laps that were driven before the recording begins.

    In practice and qualifying by the lap records, which have the lap into the garage too.
    """
    ours = {number: car.lap for number, car in result.cars.items()}
    if result.race is not None and result.race.parts is not None:
        for lap in session.laps:
            ours[lap.driver_number] = max(ours.get(lap.driver_number, 0), lap.lap_number)
    return _values("laps", ours, {number: car.laps or 0 for number, car in feed.cars.items()}, session)


def _best_laps(session: Session, feed: FeedState, result: Replay) -> list[Check]:
    """As viewers see them, and by our lap records alone: those follow no best lap that the feed shows."""
    race = result.race
    assert race is not None  # noqa: S101 - a session without a frame has raised
    cars = {number: car for number, car in race.cars.items() if number in feed.cars}
    shown: dict[str, object] = {}
    own: dict[str, object] = {}
    heard: dict[str, object] = {}
    for number, car in cars.items():
        parts = range(min(len(race.bests.began_ms), feed.cars[number].parts))
        found = {part + 1: best[0] for part in parts if (best := race.bests.best(car, part)) is not None}
        alone = {part + 1: best[0] for part in parts if (best := race.bests.own_best(car, part)) is not None}
        published = feed.cars[number].bests_heard_ms
        shown[number], own[number] = found, {part: ms for part, ms in alone.items() if part in published}
        heard[number] = published
    theirs = {number: feed.cars[number].best_ms for number in cars}
    return [_values("bests", shown, theirs, session), _values("own", own, heard, session)]


def _last_laps(session: Session, feed: FeedState) -> Check:
    """Without a bound: laps after the flag, and laps that only end in the pits, count here and not there."""
    newest = {lap.driver_number: lap for lap in sorted(session.laps, key=lambda lap: lap.lap_number)}
    ours = {number: lap.lap_time_ms for number, lap in newest.items() if lap.lap_time_ms is not None}
    theirs = {number: car.last_ms for number, car in feed.cars.items() if number in ours}
    return _values("last", ours, theirs, session, bound=False)


def _stops(session: Session, feed: FeedState, result: Replay) -> Check:
    """Visits to the pit lane while the session was on. Without a bound: the feed counts some before the start."""
    race = result.race
    assert race is not None  # noqa: S101
    theirs = {number: car.pit_visits for number, car in feed.cars.items() if car.pit_visits is not None}
    ours = {number: len(race.cars[number].visits) for number in theirs if number in race.cars}
    return _values("visits", ours, theirs, session, bound=False)


def _compounds(session: Session, feed: FeedState, result: Replay) -> Check:
    """Without a bound: the feed begins a stint at each visit to the pit lane, with or without a change of tyres."""
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
    """A topic that nobody reads has a reason in ``fields``, or is beyond the bound; a field is listed."""
    topics, fields = sorted(counts.unknown_topics), sorted(counts.unknown_fields)
    details = (*(f"unknown topic {name}" for name in topics), *(f"unknown field {name}" for name in fields))
    return Check("unknown", f"{len(topics)}+{len(fields)}" if details else "0", not topics, details)


def _damaged(counts: ParseCounts) -> Check:
    details = tuple(f"{count} damaged messages of {name}" for name, count in counts.damaged.items())
    return Check("damaged", str(counts.damaged.total()), details=details)


def _clock(ms: int) -> str:
    """Session time as h:mm:ss."""
    return f"{ms // 3_600_000}:{ms // 60_000 % 60:02}:{ms // 1_000 % 60:02}"
