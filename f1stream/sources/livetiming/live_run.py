"""The live feed as the records of a run: what ``as_session`` makes of a recording, made message by message."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice

import numpy as np

from f1stream.sources.livetiming.as_session import session_info
from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.parser.parser import Parser
from f1stream.sources.livetiming.parser.state import Fact
from f1stream.sources.livetiming.parser.track import outline
from f1stream.sources.livetiming.sessions import SnapshotOrder
from f1stream.sources.packing import OutgoingRecord, RecordBuilder
from f1stream.sources.session import Columns
from models import Entries, Entry, Lap, Packet, SessionEnd, SessionStatus, Track
from models.bounds import LONGEST_MS, MOST_CARS, MOST_SAMPLES
from models.frame import FRAME_MS
from models.packet import COLUMNS

PACKET_MS = 400
"""Session time (ms) that a car's packet covers at least; the feed itself sends samples in bursts of about 1 s."""
WAITS_MS = 5_000
"""The run begins when the drivers and the delay of the samples are known; without samples, this long (ms) after the
first message."""
KEPT_MS = 240_000
"""Samples are kept this long (ms), to draw the track from the first lap at speed."""


class LiveRun:
    """One session of the live feed as a run. ``epoch``: the run's id, when it was begun (Unix ms)."""

    def __init__(self, epoch: int, hold_back_ms: int, source: str) -> None:
        self.ended = False
        self.left: list[FeedMessage] = []
        """If the run ended because the feed went on to another session: the messages of that one."""
        self.parser: Parser | None = None
        self._epoch, self._hold_back_ms, self._source = epoch, hold_back_ms, source
        self._builder: RecordBuilder | None = None
        """Set once the run has begun."""
        self._t0_utc_ms = 0
        self._pending: list[Fact] = []
        """Facts that became known before the run could begin."""
        self._until_ms = 0
        """Session time up to which packets are made."""
        self._at_ms = 0
        self._order = SnapshotOrder()
        self._entries: dict[str, Entry] = {}
        """By car, as published."""
        self._cars: list[str] = []
        self._recent: dict[str, deque[tuple[int, float, float]]] = {}
        """By car: (session time ms, x, y in 1/10 m) of the last ``KEPT_MS``, until the track is known."""
        self._has_track = False

    def take(self, message: FeedMessage) -> Iterator[OutgoingRecord]:
        """The records that one message makes, in the order in which they are to be published."""
        if self.ended:
            return
        for ready in self._order.take(message):
            yield from self._take(ready)
        if self.left:
            self.left += self._order.rest()

    def _take(self, message: FeedMessage) -> Iterator[OutgoingRecord]:
        if self.ended:
            if self.left:
                self.left.append(message)
            return
        if self.parser is not None and self.parser.is_another(message):
            yield from self._end(message.sent_ms - self.parser.state.t0_ms)
            if self.ended:
                self.left.append(message)
                return
            self._restart()  # the session before was over and is not published
        if self.parser is not None and not self.parser.is_in_time(message):
            if self._builder is not None:
                self.parser.take(message)  # counts it as damaged
                return
            self._restart()
        if self.parser is None:
            self.parser, self._at_ms = Parser(message.sent_ms), 0
        # The feed's clock may run back by up to a second; the run's session time does not.
        at_ms = self._at_ms = max(message.sent_ms - self.parser.state.t0_ms, self._at_ms)
        facts = self.parser.take(message)
        if self._builder is None:
            self._pending += facts
            if not self._can_begin(self.parser, at_ms):
                return
            yield from self._begin(self.parser, at_ms)
            facts, self._pending = self._pending, []
        elif message.topic == "DriverList":
            facts = [*self._listed(self.parser, at_ms), *(fact for fact in facts if not isinstance(fact, Entries))]
        for fact in facts:
            yield from self._fact(at_ms, fact)
        if any(isinstance(fact, SessionStatus) and fact.status == "Ends" for fact in facts):
            yield from self._end(at_ms)
        elif at_ms - self._hold_back_ms >= self._until_ms + PACKET_MS:
            yield from self._packets(at_ms - self._hold_back_ms)

    def _restart(self) -> None:
        self.parser, self._pending = None, []

    def _listed(self, parser: Parser, at_ms: int) -> list[Entries]:
        """The list of drivers, if it has changed since it was published."""
        known = self._entries | {entry.driver_number: entry for entry in parser.state.entries()}
        known = dict(islice(known.items(), MOST_CARS))
        if known == self._entries:
            return []
        self._entries = known
        self._cars = list(self._entries)
        return [Entries(session_time_ms=at_ms, entries=list(self._entries.values()))]

    def end(self, at_ms: int) -> Iterator[OutgoingRecord]:
        """The remaining records, and the end of the run."""
        for held in self._order.rest():
            yield from self._take(held)
        yield from self._end(at_ms)

    def _end(self, at_ms: int) -> Iterator[OutgoingRecord]:
        if self.parser is None or self._builder is None or self.ended:
            return
        self.ended = True
        end = min(-(-max(at_ms, self._until_ms + FRAME_MS) // FRAME_MS) * FRAME_MS, LONGEST_MS)
        for fact in self.parser.finish():
            yield from self._fact(end, fact)
        yield self._builder.fact(end, SessionEnd(session_time_ms=end))
        yield from self._packets(end)

    @staticmethod
    def _can_begin(parser: Parser, at_ms: int) -> bool:
        """A session that is over does not begin a run: until the next one the feed still sends its state."""
        state = parser.state
        is_known = bool(state.info) and bool(state.entries()) and not state.is_over
        return is_known and (state.telemetry.lag_ms is not None or at_ms >= WAITS_MS)

    def _begin(self, parser: Parser, at_ms: int) -> Iterator[OutgoingRecord]:
        state = parser.state
        self._t0_utc_ms, entries = state.t0_utc_ms, state.entries()
        self._entries = {entry.driver_number: entry for entry in entries}
        self._cars = list(self._entries)
        self._pending = [fact for fact in self._pending if not isinstance(fact, Entries)]  # published below
        begin = max(at_ms - self._hold_back_ms, 0) // FRAME_MS * FRAME_MS
        self._until_ms = begin
        info = session_info(state, self._t0_utc_ms, begin, self._source)
        self._builder = RecordBuilder(state.key, self._epoch, self._t0_utc_ms, self._source)
        yield self._builder.fact(begin, info)
        yield self._builder.fact(begin, Entries(session_time_ms=begin, entries=entries))

    def _fact(self, at_ms: int, fact: Fact) -> Iterator[OutgoingRecord]:
        assert self._builder is not None  # noqa: S101
        if getattr(fact, "driver_number", None) not in (None, *self._cars):
            return  # the list of drivers does not have this car
        yield self._builder.fact(at_ms, fact)
        if isinstance(fact, Lap) and fact.is_accurate and not self._has_track:
            line = outline(self._path(fact.driver_number), fact)
            if line is not None:
                self._has_track = True
                yield self._builder.fact(at_ms, Track(session_time_ms=at_ms, outline=line))

    def _packets(self, until_ms: int) -> Iterator[OutgoingRecord]:
        assert self.parser is not None and self._builder is not None  # noqa: S101
        before, self._until_ms = self._until_ms, max(until_ms // FRAME_MS * FRAME_MS, self._until_ms)
        until_ms = self._until_ms
        merged = self.parser.state.telemetry.merged(self._cars, self._t0_utc_ms, until_ms)
        for car in self._cars:
            columns = merged[car]
            if not self._has_track:
                self._remember(car, columns)
            samples = {name: columns[name].tolist() for name in COLUMNS if name in columns}
            times = samples["session_time_ms"]
            for begin in range(0, max(len(times), 1), MOST_SAMPLES):  # several packets after a pause of the feed
                part = {name: column[begin : begin + MOST_SAMPLES] for name, column in samples.items()}
                is_last = begin + MOST_SAMPLES >= len(times)
                until = until_ms if is_last else max(before, times[begin + MOST_SAMPLES - 1])
                yield self._builder.packet(Packet(driver_number=car, until_ms=until, **part))

    def _remember(self, car: str, columns: Columns) -> None:
        kept = self._recent.setdefault(car, deque())
        kept.extend(zip(*(columns[name].tolist() for name in ("session_time_ms", "x", "y")), strict=True))
        while kept and kept[0][0] < self._until_ms - KEPT_MS:
            kept.popleft()

    def _path(self, car: str) -> Columns:
        kept = sorted(self._recent.get(car, ()))
        return {name: np.array([sample[nth] for sample in kept])
                for nth, name in enumerate(("session_time_ms", "x", "y"))}  # fmt: skip
