"""The feed's messages as our records, one after the other, as they become known.

Each topic has a small reader of its own; here they meet: what one says decides what another means. A message that
cannot be read is counted and left out, and nothing else with it. Where a message holds several things (lines of cars,
messages of race control, radio calls, drivers), each of them stands for itself.

A parser is for one session: see ``sessions``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from f1stream.sources.livetiming.compressed import UnreadableData
from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.parser import small_topics, statuses
from f1stream.sources.livetiming.parser.counts import ParseCounts
from f1stream.sources.livetiming.parser.drivers import Drivers, late_facts
from f1stream.sources.livetiming.parser.fields import OF_CARS, SILENT
from f1stream.sources.livetiming.parser.laps import SessionLaps
from f1stream.sources.livetiming.parser.merge import indexed, merge
from f1stream.sources.livetiming.parser.silence import Silence
from f1stream.sources.livetiming.parser.telemetry import TelemetryBuffer
from f1stream.sources.livetiming.parser.timing import CarTiming, QualifyingParts, mini_sectors
from f1stream.sources.livetiming.parser.values import as_int
from f1stream.sources.livetiming.sessions import session_key
from f1stream.sources.timestamps import utc_ms
from models import Entry, Lap, Message, PitIn, RaceControl, SessionStatus, TrackStatus
from models.bounds import LONGEST_MS, MOST_CODE, MOST_LAPS
from models.session_start import start_after
from models.session_type import is_race

AFTER_THE_FLAG = {"Finished", "Finalised", "Ends"}
PART_WAITS_MS = 5_000
"""So much later than ``SessionData`` may ``TimingData`` say that a part has begun. All seen were within 20 ms."""
UNREADABLE = (UnreadableData, KeyError, TypeError, ValueError, AttributeError, ValidationError, RecursionError)
"""What readers raise for data that is not what its topic has."""

MOST_LINES = 200
"""Cars whose lines are read; a session has some 20. The lines of more are counted as damaged."""
MOST_SEEN = 10_000
"""Messages of race control and radio calls that are recognised when they come again: some ten times a session's."""


@dataclass
class Parser:
    """One session's feed. ``t0_ms``: Unix ms, by the feed's clock of sending, of session time 0."""

    t0_ms: int
    state: dict[str, Any] = field(default_factory=dict)
    """Of the topics that are sent as changes: everything so far."""
    drivers: Drivers = field(default_factory=Drivers)
    laps: SessionLaps = field(default_factory=SessionLaps)
    telemetry: TelemetryBuffer = field(default_factory=TelemetryBuffer)
    timing: defaultdict[str, CarTiming] = field(default_factory=lambda: defaultdict(CarTiming))
    parts: QualifyingParts = field(default_factory=QualifyingParts)
    counts: ParseCounts = field(default_factory=ParseCounts)
    silence: Silence = field(default_factory=Silence)
    on_since_ms: int | None = None
    """Since when the session is on."""
    total_laps: int | None = None
    planned_laps: int | None = None
    """The first total that was sent."""
    _status: statuses.StatusSequence = field(default_factory=statuses.StatusSequence)
    _track_status: statuses.StatusSequence = field(default_factory=statuses.StatusSequence)
    _has_parts: bool = False
    """Whether ``TimingData`` has the parts of the session."""
    _next_part: tuple[int, Any] | None = None
    """Session time (ms) of the latest part in ``SessionData``, and the part."""
    _is_heard_on: bool = False
    _opened_ms: int | None = None
    """When the feed first said that the session has been started."""
    _numbers: set[str] = field(default_factory=set)
    """Of cars whose lines are read: the first ``MOST_LINES``."""
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

    def is_another(self, message: FeedMessage) -> bool:
        """Whether a message begins another session than the one that is being read."""
        key = session_key(message)
        return key is not None and "Key" in self.info and key[:MOST_CODE] != self.key

    def is_in_time(self, message: FeedMessage) -> bool:
        """Whether a message has a time that a session can have; a damaged one would end the session there."""
        return abs(message.sent_ms - self.t0_ms) <= LONGEST_MS

    def take(self, message: FeedMessage) -> list[Lap | Message]:
        """What becomes known with one message."""
        at_ms = message.sent_ms - self.t0_ms
        self.counts.messages[message.topic] += 1
        if not self.is_in_time(message):
            self.counts.count_damaged(message.topic, 1)
            return []
        if self._opened_ms is not None and at_ms > self._opened_ms and not self.drivers.stands:
            self.drivers.stand(self._app_lines)
        facts: list[Lap | Message] = self._overdue_part(at_ms)
        read = READERS.get(message.topic)
        if self.drivers.another_session and message.topic in OF_CARS:
            pass  # the support race, under the same numbers
        elif read is None:
            if message.topic not in SILENT:
                self.counts.unknown_topics[message.topic] += 1
        else:
            try:
                facts += read(self, message, at_ms)
                self.counts.count_names(message.topic, message.data)
            except UNREADABLE:
                self.counts.damaged[message.topic] += 1
        self._is_heard_on |= not message.snapshot and self._opened_ms is not None and not self.is_over
        facts += self.silence.take(message.topic, at_ms, self.on_since_ms)
        return [*facts, *self.laps.due(at_ms)]

    def finish(self) -> list[Lap | Message]:
        """What is left when the session is over."""
        return list(self.laps.finish())

    @property
    def is_over(self) -> bool:
        """Whether the feed has said that the session is over."""
        return self._status.latest in statuses.OVER

    @property
    def has_been_on(self) -> bool:
        """Whether anything of the session was heard while it was on; its state afterwards is not enough."""
        return self._is_heard_on or any(car.told for car in self.laps.cars.values())

    @property
    def _app_lines(self) -> Any:
        return self.state.get("TimingAppData", {}).get("Lines", {})

    def entries(self) -> list[Entry]:
        """Every car that was named, in grid order where that is known, else as the feed listed them first."""
        return self.drivers.entries(self._app_lines)

    # -- readers, one a topic ---------------------------------------------------------------------------

    @contextmanager
    def _alone(self, topic: str) -> Iterator[None]:
        """What cannot be read within is counted and left out, and the rest of its message is read."""
        try:
            yield
        except UNREADABLE:
            self.counts.count_damaged(topic, 1)

    def _lines(self, message: FeedMessage) -> dict[str, dict[str, Any]]:
        """The cars' lines in a message; of those that are none, the number is counted."""
        lines = message.data.get("Lines", {})
        if isinstance(lines, list):  # as TopThree has them
            lines = {str(index): line for index, line in enumerate(lines)}
        if not isinstance(lines, dict):
            raise UnreadableData("its Lines are no objects")
        new = [number for number in lines if number not in self._numbers]
        self._numbers.update(new[: MOST_LINES - len(self._numbers)])
        readable = {
            number: line for number, line in lines.items() if isinstance(line, dict) and number in self._numbers
        }
        self.counts.count_damaged(message.topic, len(lines) - len(readable))
        return readable

    def _merge(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        before = None if message.snapshot else self.state.get(message.topic)
        if not isinstance(message.data, dict):
            raise UnreadableData("it is no object")
        self.state[message.topic] = merge(before, message.data)
        return []

    def _merge_lines(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        """Likewise, of a topic with a line for each car."""
        self._merged_lines(message)
        return []

    def _merged_lines(self, message: FeedMessage) -> dict[str, dict[str, Any]]:
        message_lines = self._lines(message)
        before = {} if message.snapshot else self.state.get(message.topic, {})
        lines = dict(before.get("Lines", {}))
        for number, line in message_lines.items():
            with self._alone(message.topic):
                lines[number] = merge(lines.get(number), line)
        rest = {name: value for name, value in message.data.items() if name != "Lines"}
        self.state[message.topic] = merge(before, rest) | {"Lines": lines}
        return message_lines

    def _session_info(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        self._merge(message, at_ms)
        self.laps.is_race = is_race(str(self.info.get("Type")))
        status = message.data.get("SessionStatus")  # from 2025 on; a state may be older than those beside it
        if not status or message.snapshot:
            return []
        return self._take_status("SessionInfo", status, at_ms, is_event=False)

    def _driver_list(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        if not isinstance(message.data, dict):
            raise UnreadableData("it is no object")
        damaged = self.drivers.take(message.data, snapshot=message.snapshot, is_over=self.is_over)
        self.counts.count_damaged(message.topic, damaged)
        late, entries = self.drivers.late(), self.entries()
        self.laps.entries = {entry.driver_number: entry for entry in entries}
        added = late_facts(late, entries, at_ms) if late else []
        return [*added, *self._newly_listed(at_ms)]

    def _timing_data(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        self._has_parts |= bool(as_int(message.data.get("SessionPart")))
        facts: list[Lap | Message] = [*self.parts.take(message.data, at_ms)]
        for number, line in self._lines(message).items():
            with self._alone(message.topic):
                facts += self._timing_line(number, line, at_ms, snapshot=message.snapshot)
        return facts

    def _timing_line(self, number: str, line: dict[str, Any], at_ms: int, *, snapshot: bool) -> list[Message]:
        self.laps.take_timing(number, line, at_ms, snapshot=snapshot)
        if number not in self.laps.entries:
            self._unlisted[number] = merge(self._unlisted.get(number), line)
            return []
        before, laps = self.timing[number].line, self.laps.cars[number].laps
        facts = self.timing[number].take(number, line, at_ms, laps, self.parts.part)
        if "Sectors" in line:
            facts += mini_sectors(number, before, self.timing[number].line, at_ms, laps, snapshot=snapshot)
        if snapshot:
            came_in = next((fact.lap for fact in facts if isinstance(fact, PitIn)), None)
            return facts + self._join(number, line, at_ms, is_new=not before, came_in=came_in)
        is_on = self.laps.started_ms is not None and self._status.latest not in AFTER_THE_FLAG
        for fact in facts:
            if isinstance(fact, PitIn) and (is_on or not self.laps.is_race):  # else on the way to the grid, or home
                self.laps.cars[number].tyres.enters(fact.lap)
        return facts

    def _newly_listed(self, at_ms: int) -> list[Lap | Message]:
        """What was sent of cars before they were listed: a snapshot can have its topics in any order."""
        facts: list[Lap | Message] = []
        for number in [number for number in self._unlisted if number in self.laps.entries]:
            line, laps = self._unlisted.pop(number), self.laps.cars[number].laps
            facts += self.timing[number].take(number, line, at_ms, laps, self.parts.part)
            facts += self._join(number, line, at_ms, is_new=True)
        return facts

    def _join(
        self, number: str, line: dict[str, Any], at_ms: int, *, is_new: bool, came_in: int | None = None
    ) -> list[Message]:
        """The feed's state of a car: its laps and its visits to the pits say which of its sets is on it."""
        car = self.laps.cars[number]
        visits = min(as_int(line.get("NumberOfPitStops")) or 0, MOST_LAPS)
        is_in = line.get("InPit") is True
        car.tyres.joins(car.laps.lap_number - 1, visits, is_in=is_in, is_new=is_new, came_in=came_in)
        return list(car.tyres.news(number, at_ms))

    def _timing_app_data(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        facts: list[Lap | Message] = []
        for number, line in self._merged_lines(message).items():
            with self._alone(message.topic):
                self.laps.take_tyres(number, line, at_ms, snapshot=message.snapshot)
                is_early = message.snapshot and number not in self.timing  # which set is on the car is not known yet
                if number in self.laps.entries and line.get("Stints") and not is_early:
                    facts += self.laps.cars[number].tyres.news(number, at_ms)
        return facts

    def _session_status(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        return self._take_status(message.topic, message.data["Status"], at_ms, is_event=not message.snapshot)

    def _session_data(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        """The same statuses, and the parts of a qualifying, each with the time at which it began."""
        self._merge(message, at_ms)
        series = indexed(self._unseen(message, "StatusSeries", "Utc", "SessionStatus", "TrackStatus")["StatusSeries"])
        sessions, tracks = statuses.history(series, "SessionStatus"), statuses.history(series, "TrackStatus")
        if message.snapshot:  # what happened before: when it started, and how things are
            started = [each for each in sessions[:-1] if each[1] == "Started"]
            sessions = [*(started[:1] if self._status.latest is None else sessions[:-1]), *sessions[-1:]]
            tracks = tracks[-1:]
        facts: list[Lap | Message] = []
        for utc, status in sessions:
            began_ms = utc_ms(utc) if message.snapshot else None
            facts += self._take_status(
                message.topic, status, at_ms if began_ms is None else min(began_ms - self.t0_utc_ms, at_ms), at_ms
            )
        for _, status in tracks:
            if status in statuses.TRACK_CODES:
                facts += self._take_track_status(message.topic, statuses.TRACK_CODES[status], status, at_ms)
        if (part := statuses.latest_part(message.data)) is not None:
            self._next_part = at_ms, part
        return facts

    def _overdue_part(self, now_ms: int) -> list[Lap | Message]:
        """The part that ``SessionData`` has, where ``TimingData`` does not say in time that it has begun."""
        if self._next_part is None or now_ms < self._next_part[0] + PART_WAITS_MS:
            return []
        (at_ms, part), self._next_part = self._next_part, None
        return [] if self._has_parts else list(self.parts.take({"SessionPart": part}, at_ms))

    def _take_status(
        self, source: str, status: Any, at_ms: int, known_ms: int | None = None, *, is_event: bool = True
    ) -> list[Lap | Message]:
        """``at_ms``: when it began; ``known_ms``: when that became known, if later."""
        fact = SessionStatus(session_time_ms=at_ms, status=status)
        if not self._status.is_new(source, fact.status, is_event=is_event):
            return []
        self.laps.take_status(fact.status, at_ms)
        self._update_start(fact)
        known_ms = at_ms if known_ms is None else known_ms
        self.on_since_ms = known_ms if fact.status == "Started" else None  # before, nobody listened
        if fact.status != "Inactive" and self._opened_ms is None:
            self._opened_ms = known_ms
        return [fact]

    def _update_start(self, fact: SessionStatus | RaceControl) -> None:
        before = self.laps.started_ms
        self.laps.started_ms = start_after(before, fact, self.laps.first_lap_over)
        if before is not None and self.laps.started_ms is None:
            for car in self.laps.cars.values():
                car.tyres.restarts()
        if self.laps.started_ms is not None and before is None:
            self.laps.t0_utc_ms = self.t0_utc_ms

    def _track_status_topic(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        text = str(message.data.get("Message", ""))
        code = str(message.data["Status"])
        return self._take_track_status(message.topic, code, text, at_ms, is_event=not message.snapshot)

    def _take_track_status(
        self, source: str, code: str, text: str, at_ms: int, *, is_event: bool = True
    ) -> list[Lap | Message]:
        fact = TrackStatus(session_time_ms=at_ms, status=code, message=text)
        if not self._track_status.is_new(source, code, is_event=is_event):
            return []
        self.laps.statuses.append((at_ms, code))
        return [fact]

    def _race_control(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        facts: list[Lap | Message] = []
        for told in self._unseen(message, "Messages", "Utc", "Message")["Messages"].values():
            with self._alone(message.topic):
                fact = small_topics.race_control(told, at_ms)
                self.laps.take_race_control(fact.message, at_ms)
                self._update_start(fact)
                facts.append(fact)
        return facts

    def _lap_count(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        self._merge(message, at_ms)
        total = as_int(message.data.get("TotalLaps"))
        if total is not None and 0 < total <= MOST_LAPS:
            self.total_laps = total
            self.planned_laps = self.planned_laps or total
        return list(small_topics.lap_count(self.state[message.topic], at_ms, self.total_laps))

    def _clock(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        self._merge(message, at_ms)
        counted_at_ms = utc_ms(message.data.get("Utc"))
        if counted_at_ms is not None and not message.snapshot:  # a state is as old as its last change
            lag = message.sent_ms - counted_at_ms
            self._lag_ms = lag if self._lag_ms is None else min(self._lag_ms, lag)
        return list(small_topics.clock(self.state["ExtrapolatedClock"], at_ms))

    def _weather(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        return list(small_topics.weather(message.data, at_ms))

    def _team_radio(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        facts: list[Lap | Message] = []
        for told in self._unseen(message, "Captures", "Path")["Captures"].values():
            with self._alone(message.topic):
                fact = small_topics.team_radio(told, at_ms)
                if fact.driver_number in self.laps.entries:
                    facts.append(fact)
        return facts

    def _unseen(self, message: FeedMessage, listed: str, *names: str) -> dict[str, Any]:
        """``listed`` of a message with those that were not sent before, told apart by the fields ``names``."""
        news = {}
        for index, told in indexed(message.data.get(listed)):
            with self._alone(message.topic):
                identity = (listed, *(str(told.get(name)) for name in names))
                if identity not in self._seen:
                    if len(self._seen) < MOST_SEEN:
                        self._seen.add(identity)
                    news[str(index)] = told
        return {listed: news}

    def _car_data(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        self.telemetry.take_car_data(message.data, message.sent_ms)
        return []

    def _positions(self, message: FeedMessage, at_ms: int) -> list[Lap | Message]:
        self.telemetry.take_positions(message.data, message.sent_ms)
        return []


READERS: dict[str, Callable[[Parser, FeedMessage, int], list[Lap | Message]]] = {
    "SessionInfo": Parser._session_info,
    "DriverList": Parser._driver_list,
    "TimingData": Parser._timing_data,
    "TimingAppData": Parser._timing_app_data,
    "SessionStatus": Parser._session_status,
    "SessionData": Parser._session_data,
    "TrackStatus": Parser._track_status_topic,
    "RaceControlMessages": Parser._race_control,
    "WeatherData": Parser._weather,
    "LapCount": Parser._lap_count,
    "ExtrapolatedClock": Parser._clock,
    "TeamRadio": Parser._team_radio,
    "TimingStats": Parser._merge_lines,
    "TopThree": Parser._merge_lines,
    "CarData.z": Parser._car_data,
    "Position.z": Parser._positions,
}
