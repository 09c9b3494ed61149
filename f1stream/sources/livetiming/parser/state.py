"""The state of one session that the handlers of all topics share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from f1stream.sources.livetiming.compressed import UnreadableData
from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.parser import statuses
from f1stream.sources.livetiming.parser.counts import ParseCounts
from f1stream.sources.livetiming.parser.drivers import Drivers
from f1stream.sources.livetiming.parser.laps import SessionLaps
from f1stream.sources.livetiming.parser.merge import indexed, merge
from f1stream.sources.livetiming.parser.telemetry import TelemetryBuffer
from f1stream.sources.livetiming.parser.timing import CarTiming, QualifyingParts
from models import Entry, Lap, Message
from models.bounds import MOST_CODE

Fact = Lap | Message
"""One record that a handler makes."""
UNREADABLE = (UnreadableData, KeyError, TypeError, ValueError, AttributeError, ValidationError, RecursionError)
"""What handlers raise for data that does not have its topic's form."""

MOST_LINES = 200
"""Cars whose lines are read; a session has some 20. Lines of further cars are counted as damaged."""
MOST_SEEN = 10_000
"""Messages of race control and radio calls that are recognised when they are sent again; further ones are not. It is
some ten times as many as a session has."""


@dataclass
class SessionState:
    """One session so far. ``t0_ms``: Unix ms, by the feed's clock of sending, of session time 0."""

    t0_ms: int
    topics: dict[str, Any] = field(default_factory=dict)
    """By topic that is sent as changes: all changes so far, merged."""
    drivers: Drivers = field(default_factory=Drivers)
    laps: SessionLaps = field(default_factory=SessionLaps)
    telemetry: TelemetryBuffer = field(default_factory=TelemetryBuffer)
    timing: defaultdict[str, CarTiming] = field(default_factory=lambda: defaultdict(CarTiming))
    parts: QualifyingParts = field(default_factory=QualifyingParts)
    counts: ParseCounts = field(default_factory=ParseCounts)
    status: statuses.StatusSequence = field(default_factory=statuses.StatusSequence)
    track_status: statuses.StatusSequence = field(default_factory=statuses.StatusSequence)
    opened_ms: int | None = None
    """Session time at which the feed first sent a status other than ``Inactive``."""
    on_since_ms: int | None = None
    """Session time since which the session is on; None while it is not."""
    planned_laps: int | None = None
    """The first total of laps that was sent."""
    total_laps: int | None = None
    """The latest one: a race may be shortened."""
    clock_lag_ms: int | None = None
    """Like the telemetry's ``lag_ms``, from the session clock: for feeds without samples."""
    has_session_part: bool = False
    """Whether ``TimingData`` contains the parts of a qualifying."""
    pending_part: tuple[int, Any] | None = None
    """The latest part in ``SessionData``, with its session time, until ``TimingData`` can confirm it."""
    unlisted: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By car that is not in ``DriverList`` yet: its line in ``TimingData``."""
    _numbers: set[str] = field(default_factory=set)
    """Cars whose lines are read: the first ``MOST_LINES``."""
    _seen: set[tuple[str, ...]] = field(default_factory=set)
    """What identifies each published race control message and radio call: after a reconnect all are sent again."""

    @property
    def t0_utc_ms(self) -> int:
        """The UTC instant (Unix ms) of session time 0: earlier than ``t0_ms`` by the feed's delay in sending."""
        lag = self.telemetry.lag_ms if self.telemetry.lag_ms is not None else self.clock_lag_ms
        return self.t0_ms - (lag or 0)

    @property
    def info(self) -> dict[str, Any]:
        """The feed's ``SessionInfo`` so far."""
        info = self.topics.get("SessionInfo")
        return info if isinstance(info, dict) else {}

    @property
    def key(self) -> str:
        """The session's key, as the feed has it."""
        return str(self.info.get("Key", "recording"))[:MOST_CODE]

    @property
    def is_over(self) -> bool:
        """Whether the feed has sent a status after which nothing of the session follows."""
        return self.status.latest in statuses.OVER

    @property
    def app_lines(self) -> Any:
        """The cars' lines of ``TimingAppData``."""
        return self.topics.get("TimingAppData", {}).get("Lines", {})

    def entries(self) -> list[Entry]:
        """Every car with a named driver, in grid order where it is known, else as the feed first listed them."""
        return self.drivers.entries(self.app_lines)

    @contextmanager
    def skip_unreadable(self, topic: str) -> Iterator[None]:
        """Count a part of a message that cannot be read and skip it, so that the rest of the message is read."""
        try:
            yield
        except UNREADABLE:
            self.counts.count_damaged(topic, 1)

    def car_lines(self, message: FeedMessage) -> dict[str, dict[str, Any]]:
        """The cars' lines in a message. Those that are not objects are counted as damaged."""
        lines = message.data.get("Lines", {})
        if isinstance(lines, list):  # TopThree
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

    def merge_topic(self, message: FeedMessage) -> None:
        """Merge a message into its topic's state; a snapshot replaces it."""
        before = None if message.snapshot else self.topics.get(message.topic)
        if not isinstance(message.data, dict):
            raise UnreadableData("it is no object")
        self.topics[message.topic] = merge(before, message.data)

    def merge_lines(self, message: FeedMessage) -> dict[str, dict[str, Any]]:
        """Like ``merge_topic``, car by car: an unreadable line costs only itself. Returns the message's lines."""
        message_lines = self.car_lines(message)
        before = {} if message.snapshot else self.topics.get(message.topic, {})
        lines = dict(before.get("Lines", {}))
        for number, line in message_lines.items():
            with self.skip_unreadable(message.topic):
                lines[number] = merge(lines.get(number), line)
        rest = {name: value for name, value in message.data.items() if name != "Lines"}
        self.topics[message.topic] = merge(before, rest) | {"Lines": lines}
        return message_lines

    def unseen(self, message: FeedMessage, listed: str, *names: str) -> dict[str, Any]:
        """The new items of a message's list ``listed``, by index. The fields ``names`` identify an item."""
        new = {}
        for index, item in indexed(message.data.get(listed)):
            with self.skip_unreadable(message.topic):
                identity = (listed, *(str(item.get(name)) for name in names))
                if identity not in self._seen:
                    if len(self._seen) < MOST_SEEN:
                        self._seen.add(identity)
                    new[str(index)] = item
        return new
