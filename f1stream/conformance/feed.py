"""The feed's own values of a session: order, laps, best laps and stops.

They are read here a second time and in the simplest way (changes are merged into a state, nothing else), so that they
show the parser's mistakes: the two share only the merging of changes and the parsing of numbers and durations.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.parser.merge import MergeError, indexed, merge
from f1stream.sources.livetiming.parser.values import as_int
from f1stream.sources.livetiming.sessions import in_snapshot_order, session_key
from f1stream.sources.timestamps import duration_ms
from models.session_type import is_race

ALL_CLEARED = 3
"""A message that clears the best laps of this many cars begins a part; it deletes none of those laps."""

LATE_MS = 5_000
"""Values sent within this time (ms) after a lap was counted are of the lap before, except the straight's trap."""


@dataclass
class FeedCar:
    """The feed's values of a car at the end."""

    laps: int | None
    """``NumberOfLaps``; in practice and qualifying without a last lap that was not driven (``LapsBegun``)."""
    best_ms: dict[int, int]
    """By part of the session from 1 (a practice, and a race, has one): ``BestLapTime`` (ms)."""
    changed_best_ms: dict[int, int]
    """Those of them that were sent as changes, not with the first state of a feed that was joined late."""
    last_ms: int | None
    """``LastLapTime`` (ms)."""
    parts: int
    """Parts of a qualifying in which it took part: the feed repeats a best lap in the part after (2025 Mexican
    qualifying, BOR)."""
    pit_visits: int | None
    """``NumberOfPitStops``: visits to the pit lane, with or without a change of tyres."""
    compounds: list[str]
    """Of its stints, in order."""


@dataclass
class FeedState:
    """The feed's values of one session. Session time in ms."""

    orders: list[tuple[int, list[str]]] = field(default_factory=list)
    """(since when, driver numbers from first to last); only while every car has a place of its own."""
    parts: list[int] = field(default_factory=list)
    """When each later part of a qualifying began."""
    cars: dict[str, FeedCar] = field(default_factory=dict)
    is_timed: bool = False
    """Whether it is a practice or qualifying."""
    topics: Counter[str] = field(default_factory=Counter)
    """Messages by topic."""

    def order_at(self, at_ms: int) -> list[str]:
        """The order as sent by ``at_ms``; empty before the first."""
        known = bisect_right(self.orders, at_ms, key=lambda each: each[0])
        return self.orders[known - 1][1] if known else []

    def orders_within(self, from_ms: int, to_ms: int) -> list[list[str]]:
        """Every order that the feed had between the two times."""
        first = max(bisect_right(self.orders, from_ms, key=lambda each: each[0]) - 1, 0)
        last = bisect_left(self.orders, to_ms + 1, key=lambda each: each[0])
        return [order for _, order in self.orders[first:last]]


def of_session(messages: Iterable[FeedMessage], key: str) -> list[FeedMessage]:
    """The messages of one session in a feed of several; of two with the same key, the later."""
    found: list[FeedMessage] = []
    current: list[FeedMessage] = []
    current_key: str | None = None
    for message in in_snapshot_order(messages):
        sent_key = session_key(message)
        if sent_key is not None and current_key is not None and sent_key != current_key:
            current = []
        current_key = sent_key or current_key
        current.append(message)
        if current_key == key:
            found = current
    return found


def read_feed(messages: Iterable[FeedMessage]) -> FeedState:
    """The feed's values of the session in ``messages``: one session, in time order."""
    found = FeedState()
    state: dict[str, Any] = {}
    bests: dict[str, dict[int, int]] = {}
    changed: dict[str, dict[int, int]] = {}
    parts: dict[str, int] = {}
    begun = LapsBegun()
    t0_ms: int | None = None
    for message in messages:
        t0_ms = message.sent_ms if t0_ms is None else t0_ms
        at_ms = message.sent_ms - t0_ms
        found.topics[message.topic] += 1
        if message.topic == "SessionInfo" and isinstance(message.data, dict) and "Type" in message.data:
            found.is_timed = not is_race(str(message.data["Type"]))
        if message.topic not in ("TimingData", "TimingAppData") or not isinstance(message.data, dict):
            continue
        part, lines = _part(state), message.data.get("Lines", {})
        if not isinstance(lines, dict):
            continue
        data = message.data | {"Lines": {number: line for number, line in lines.items() if isinstance(line, dict)}}
        try:
            state[message.topic] = merge(None if message.snapshot else state.get(message.topic), data)
        except MergeError:
            continue
        if message.topic == "TimingData":
            _note_order(found, at_ms, state)
            if not message.snapshot:
                begun.take(at_ms, data)
            _note_bests(bests, data, _part(state))
            if not message.snapshot:
                _note_bests(changed, data, _part(state))
            for number in _knocked_out(state):
                parts.setdefault(number, max(_part(state) - 1, 1))
            if part and _part(state) > part:
                found.parts.append(at_ms)
    stints = state.get("TimingAppData", {}).get("Lines", {})
    for number, line in state.get("TimingData", {}).get("Lines", {}).items():
        car = found.cars[number] = _car(line, bests.get(number, {}), changed.get(number, {}), stints.get(number, {}))
        car.parts = parts.get(number, _part(state) or 1)
        for known in (car.best_ms, car.changed_best_ms):
            for later in [part for part in known if part > car.parts]:
                del known[later]
        if car.laps is not None and found.is_timed:
            car.laps -= begun.not_driven(number)
    return found


@dataclass
class LapsBegun:
    """Finds cars whose last lap, by the feed's count, has not been driven.

    In practice and qualifying the feed counts a lap when it begins. The last one is driven when something of it was
    measured and it ended in the pits, not when the car crosses the line and turns into the pits (seen: 2021 Mexican
    qualifying, HAM) or is still on the lap when the recording ends (2024 Chinese sprint qualifying, BOT).
    """

    counted_ms: dict[str, int] = field(default_factory=dict)
    """By car: when its last lap was counted (session time)."""
    measured: set[str] = field(default_factory=set)
    """Cars for whose last lap a sector time or a speed was sent."""
    driven: set[str] = field(default_factory=set)
    """Cars whose last lap was measured and ended in the pits."""

    def take(self, at_ms: int, data: dict[str, Any]) -> None:
        """A change of ``TimingData``."""
        for number, line in data.get("Lines", {}).items():
            if not isinstance(line, dict):
                continue
            speeds = line.get("Speeds")
            straight = _values({"ST": speeds["ST"]}) if isinstance(speeds, dict) and "ST" in speeds else []
            values = [*_values(line.get("Sectors")), *_values(speeds)]
            if "NumberOfLaps" in line:
                self.counted_ms[number] = at_ms
                self.measured.discard(number)
                self.driven.discard(number)
            is_late = at_ms - self.counted_ms.get(number, at_ms) <= LATE_MS
            if any(values) if not is_late else any(straight):
                self.measured.add(number)
            if line.get("InPit") is True and number in self.measured:
                self.driven.add(number)

    def not_driven(self, number: str) -> bool:
        """Whether the car's last lap was counted by a change, and not driven."""
        return number in self.counted_ms and number not in self.driven


def _values(change: Any) -> list[Any]:
    """The values of sectors or speed traps that have changed."""
    return (
        [each.get("Value") for each in change.values() if isinstance(each, dict)] if isinstance(change, dict) else []
    )


def _part(state: dict[str, Any]) -> int:
    return as_int(state.get("TimingData", {}).get("SessionPart")) or 0


def _note_bests(bests: dict[str, dict[int, int]], data: dict[str, Any], part: int) -> None:
    """The best laps in a change.

    Between two parts the feed clears the best laps of all cars that continue, some seconds before it sends the next
    part; a deleted lap clears one car's.
    """
    cleared = sum(_clears(line) for line in data.get("Lines", {}).values())
    for number, line in data.get("Lines", {}).items():
        if not isinstance(line, dict):
            continue
        known = bests.setdefault(number, {})
        parts = indexed(line.get("BestLapTimes")) or ([] if part else [(0, line.get("BestLapTime"))])
        for nth, best in parts:
            if not isinstance(best, dict) or "Value" not in best:
                continue
            ms = duration_ms(best["Value"])
            if ms is not None:
                known[nth + 1] = ms
            elif cleared < ALL_CLEARED:
                known.pop(nth + 1, None)


def _clears(line: Any) -> bool:
    bests = line.get("BestLapTimes") if isinstance(line, dict) else None
    return any(isinstance(best, dict) and best.get("Value") == "" for _, best in indexed(bests))


def _knocked_out(state: dict[str, Any]) -> list[str]:
    lines = state["TimingData"].get("Lines", {})
    return [number for number, line in lines.items() if isinstance(line, dict) and line.get("KnockedOut") is True]


def _note_order(found: FeedState, at_ms: int, state: dict[str, Any]) -> None:
    lines = state["TimingData"].get("Lines", {})
    places = {number: as_int(line.get("Position")) for number, line in lines.items() if isinstance(line, dict)}
    known = {number: place for number, place in places.items() if place is not None}
    if len(known) < len(places) or len(set(known.values())) < len(known):
        return  # two cars change places in two consecutive messages
    order = sorted(known, key=known.__getitem__)
    if not found.orders or found.orders[-1][1] != order:
        found.orders.append((at_ms, order))


def _car(
    line: dict[str, Any], best_ms: dict[int, int], changed_ms: dict[int, int], stints: dict[str, Any]
) -> FeedCar:
    compounds = [
        stint["Compound"]
        for _, stint in indexed(stints.get("Stints"))
        if isinstance(stint, dict) and isinstance(stint.get("Compound"), str)
    ]
    return FeedCar(
        as_int(line.get("NumberOfLaps")), best_ms, changed_ms,
        _value(line.get("LastLapTime")), 1, as_int(line.get("NumberOfPitStops")), compounds,
    )  # fmt: skip


def _value(change: Any) -> int | None:
    return duration_ms(change.get("Value")) if isinstance(change, dict) else None
