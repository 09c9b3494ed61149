"""The feed's messages as our records, one after the other, as they become known.

Each topic has a small reader of its own; here they meet: what one says decides what another means. A message that
cannot be read is counted and left out, and nothing else with it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from f1stream.sources.livetiming import bulletins
from f1stream.sources.livetiming.fields import KNOWN, SILENT, names
from f1stream.sources.livetiming.lap_book import LapBook
from f1stream.sources.livetiming.merge import indexed, merge
from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.packed import Damaged
from f1stream.sources.livetiming.silence import Silence
from f1stream.sources.livetiming.telemetry import Telemetry
from f1stream.sources.livetiming.times import utc_ms
from f1stream.sources.livetiming.timing import CarTiming, Parts, mini_sectors
from f1stream.sources.livetiming.values import whole
from models import Entry, Lap, LapCount, Message, RaceControl, SessionStatus, TyreChange
from models.bounds import MOST_CARS, MOST_CODE, MOST_LAPS, MOST_NAME, MOST_NUMBER
from models.session_start import start_after
from models.session_type import is_race

UNKNOWN_COMPOUNDS = {"UNKNOWN", "TEST_UNKNOWN"}


@dataclass
class Tally:
    """What came, and what of it could not be used."""

    messages: Counter[str] = field(default_factory=Counter)
    damaged: Counter[str] = field(default_factory=Counter)
    unknown_topics: Counter[str] = field(default_factory=Counter)
    unknown_fields: Counter[str] = field(default_factory=Counter)
    """As ``TimingData.Lines.#.Something``."""


@dataclass
class Parser:
    """One session's feed. ``t0_ms``: Unix ms, by the feed's clock of sending, of session time 0."""

    t0_ms: int
    state: dict[str, Any] = field(default_factory=dict)
    """Of the topics that are sent as changes: everything so far."""
    book: LapBook = field(default_factory=LapBook)
    telemetry: Telemetry = field(default_factory=Telemetry)
    timing: defaultdict[str, CarTiming] = field(default_factory=lambda: defaultdict(CarTiming))
    parts: Parts = field(default_factory=Parts)
    tally: Tally = field(default_factory=Tally)
    silence: Silence = field(default_factory=Silence)
    on_since_ms: int | None = None
    """Since when the session is on."""
    total_laps: int | None = None
    _sets: dict[str, tuple[int, str]] = field(default_factory=dict)
    """By car, the set of tyres last told: (stint, compound)."""
    _unlisted: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By car that ``DriverList`` does not have yet, its line in ``TimingData``."""
    _seen: set[tuple[str, ...]] = field(default_factory=set)
    """Messages of race control and the radio: after a loss of the connection the feed tells all of them again."""
    _lag_ms: int | None = None
    """The same from the session clock, where there are no samples to tell it."""

    @property
    def t0_utc_ms(self) -> int:
        """The UTC instant (Unix ms) of session time 0: samples and official times happen before they are sent."""
        lag = self.telemetry.lag_ms if self.telemetry.lag_ms is not None else self._lag_ms
        return self.t0_ms - (lag or 0)

    @property
    def info(self) -> dict[str, Any]:
        """The feed's ``SessionInfo`` so far."""
        told = self.state.get("SessionInfo")
        return told if isinstance(told, dict) else {}

    @property
    def key(self) -> str:
        """The session's key, as the feed has it."""
        return str(self.info.get("Key", "recording"))[:MOST_CODE]

    def take(self, message: FeedMessage) -> list[Lap | Message]:
        """What becomes known with one message."""
        at_ms = message.sent_ms - self.t0_ms
        self.tally.messages[message.topic] += 1
        facts: list[Lap | Message] = []
        read = READERS.get(message.topic)
        if read is None:
            if message.topic not in SILENT:
                self.tally.unknown_topics[message.topic] += 1
        else:
            try:
                facts += read(self, message, at_ms)
            except (Damaged, KeyError, TypeError, ValueError, AttributeError, ValidationError):
                self.tally.damaged[message.topic] += 1
            else:
                self._count_unknown(message)
        facts += self.silence.take(message.topic, at_ms, self.on_since_ms)
        return [*facts, *self.book.due(at_ms)]

    def finish(self) -> list[Lap | Message]:
        """What is left when the session is over."""
        return list(self.book.finish())

    def entries(self) -> list[Entry]:
        """Every car that was told whole, in grid order where that is known, else as the feed lists them."""
        drivers = self.state.get("DriverList")
        lines = self.state.get("TimingAppData", {}).get("Lines", {})
        found = []
        for number, told in drivers.items() if isinstance(drivers, dict) else ():
            if isinstance(told, dict) and isinstance(told.get("Tla"), str) and 0 < len(number) <= MOST_NUMBER:
                grid = whole(lines.get(number, {}).get("GridPos"))
                grid = grid if grid is not None and 0 < grid <= MOST_CARS else None
                entry = Entry(
                    driver_number=number, tla=told["Tla"][:MOST_CODE],
                    name=str(told.get("FullName", told["Tla"]))[:MOST_NAME],
                    team=str(told.get("TeamName", ""))[:MOST_NAME],
                    team_color=str(told.get("TeamColour") or "808080")[:MOST_CODE], grid_position=grid,
                )  # fmt: skip
                found.append((grid or 99, whole(told.get("Line")) or 99, entry))
        return [entry for *_, entry in sorted(found, key=lambda each: each[:2])][:MOST_CARS]

    def _count_unknown(self, message: FeedMessage) -> None:
        if message.topic in KNOWN:
            for name in names(message.data) - KNOWN[message.topic]:
                self.tally.unknown_fields[f"{message.topic}.{name}"] += 1

    # -- readers, one a topic ---------------------------------------------------------------------------

    def _merge(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        before = None if message.snapshot else self.state.get(message.topic)
        if not isinstance(message.data, dict):
            raise Damaged("it is no object")
        _lines(message.data)
        self.state[message.topic] = merge(before, message.data)
        return []

    def _session_info(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        self._merge(message, at_ms)
        self.book.is_race = is_race(str(self.info.get("Type")))
        return []

    def _driver_list(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        self._merge(message, at_ms)
        self.book.entries = {entry.driver_number: entry for entry in self.entries()}
        return self._newly_listed(at_ms)

    def _timing_data(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        facts: list[Lap | Message] = [*self.parts.take(message.data, at_ms)]
        for number, line in _lines(message.data).items():
            self.book.take_timing(number, line, at_ms, snapshot=message.snapshot)
            if number not in self.book.entries:
                self._unlisted[number] = merge(self._unlisted.get(number), line)
            else:
                before = self.timing[number].line
                facts += self.timing[number].take(number, line, at_ms, self.book.cars[number].laps, self.parts.part)
                if "Sectors" in line:
                    after, laps = self.timing[number].line, self.book.cars[number].laps
                    facts += mini_sectors(number, before, after, at_ms, laps, snapshot=message.snapshot)
        return facts

    def _newly_listed(self, at_ms: int) -> list[Lap | Message]:
        """What was sent of cars before they were listed: a snapshot can have its topics in any order."""
        facts: list[Lap | Message] = []
        for number in [number for number in self._unlisted if number in self.book.entries]:
            line, laps = self._unlisted.pop(number), self.book.cars[number].laps
            facts += self.timing[number].take(number, line, at_ms, laps, self.parts.part)
        return facts

    def _timing_app_data(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        self._merge(message, at_ms)
        facts: list[Lap | Message] = []
        for number, line in _lines(message.data).items():
            self.book.take_tyres(number, line, at_ms)
            if number in self.book.entries and line.get("Stints"):
                facts += self._new_set(number, at_ms)
        return facts

    def _new_set(self, number: str, at_ms: int) -> list[Lap | Message]:
        """A new stint is a new set of tyres only if they were changed; its compound may be corrected later."""
        stints = [stint for _, stint in indexed(self.state["TimingAppData"]["Lines"][number]["Stints"]) if stint]
        if not stints:
            return []
        stint, count = stints[-1], len(stints)
        compound, told = stint.get("Compound"), self._sets.get(number)
        is_new = count == 1 or stint.get("TyresNotChanged") in ("0", 0) or (told is not None and told[0] == count)
        if not isinstance(compound, str) or compound in UNKNOWN_COMPOUNDS or not is_new or told == (count, compound):
            return []
        self._sets[number] = (count, compound)
        return [
            TyreChange(
                session_time_ms=at_ms, driver_number=number, lap=self.book.cars[number].laps.lap_number,
                compound=compound, tyre_life=whole(stint.get("StartLaps")), fresh=stint.get("New") in ("true", True),
            )
        ]  # fmt: skip

    def _session_status(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        facts = bulletins.session_status(message.data, at_ms)
        if message.snapshot and message.data["Status"] == self.state.get("SessionStatus"):
            return []
        for fact in facts:
            if isinstance(fact, SessionStatus):
                before = self.state.get("SessionStatus")
                if fact.status == "Started" and self.book.started_ms is not None and before == "Aborted":
                    self.book.restarts.append(at_ms)
                self._update_start(fact)
                self.state["SessionStatus"] = fact.status
                self.on_since_ms = at_ms if fact.status == "Started" else None
        return list(facts)

    def _update_start(self, fact: SessionStatus | RaceControl) -> None:
        before = self.book.started_ms
        self.book.started_ms = start_after(before, fact, self.book.first_lap_over)
        if self.book.started_ms is not None and before is None:
            self.book.t0_utc_ms = self.t0_utc_ms

    def _track_status(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        facts = bulletins.track_status(message.data, at_ms)
        self.book.statuses.append((at_ms, str(message.data["Status"])))
        return list(facts)

    def _race_control(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        facts = bulletins.race_control(self._unseen(message.data, "Messages", "Utc", "Message"), at_ms)
        for fact in facts:
            if isinstance(fact, RaceControl):
                self.book.take_race_control(fact.message, at_ms)
                self._update_start(fact)
        return list(facts)

    def _lap_count(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        facts = bulletins.lap_count(message.data, at_ms, self.total_laps)
        for fact in facts:
            if isinstance(fact, LapCount):
                self.total_laps = fact.total_laps
        total = whole(message.data.get("TotalLaps"))
        self.total_laps = total if total is not None and 0 < total <= MOST_LAPS else self.total_laps
        return list(facts)

    def _clock(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        self._merge(message, at_ms)
        counted_at_ms = utc_ms(message.data.get("Utc"))
        if counted_at_ms is not None:
            lag = message.sent_ms - counted_at_ms
            self._lag_ms = lag if self._lag_ms is None else min(self._lag_ms, lag)
        return list(bulletins.clock(self.state["ExtrapolatedClock"], at_ms))

    def _weather(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        return list(bulletins.weather(message.data, at_ms))

    def _team_radio(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        facts = bulletins.team_radio(self._unseen(message.data, "Captures", "Path"), at_ms)
        return [fact for fact in facts if getattr(fact, "driver_number", None) in self.book.entries]

    def _unseen(self, data: dict[str, Any], listed: str, *names: str) -> dict[str, Any]:
        """``data`` with those of its list that were not told before, told apart by the fields ``names``."""
        news = {}
        for index, told in indexed(data.get(listed)):
            identity = (listed, *(str(told.get(name)) for name in names))
            if identity not in self._seen:
                self._seen.add(identity)
                news[str(index)] = told
        return {listed: news}

    def _car_data(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        self.telemetry.take_car_data(message.data, message.sent_ms)
        return []

    def _positions(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        self.telemetry.take_positions(message.data, message.sent_ms)
        return []


def _lines(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The cars' lines in a message. Raises Damaged before any of them is applied."""
    lines = data.get("Lines", {})
    if isinstance(lines, list):  # as TopThree has them
        lines = {str(index): line for index, line in enumerate(lines)}
    if not isinstance(lines, dict) or not all(isinstance(line, dict) for line in lines.values()):
        raise Damaged("its Lines are no objects")
    return lines


READERS: dict[str, Callable[[Parser, FeedMessage, int], list[Lap | Message]]] = {
    "SessionInfo": Parser._session_info,
    "DriverList": Parser._driver_list,
    "TimingData": Parser._timing_data,
    "TimingAppData": Parser._timing_app_data,
    "SessionStatus": Parser._session_status,
    "SessionData": Parser._merge,
    "TrackStatus": Parser._track_status,
    "RaceControlMessages": Parser._race_control,
    "WeatherData": Parser._weather,
    "LapCount": Parser._lap_count,
    "ExtrapolatedClock": Parser._clock,
    "TeamRadio": Parser._team_radio,
    "TimingStats": Parser._merge,
    "TopThree": Parser._merge,
    "CarData.z": Parser._car_data,
    "Position.z": Parser._positions,
}
