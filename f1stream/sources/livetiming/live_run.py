"""The feed as it comes, as the records of a run: what ``whole`` makes of a recording, made while it happens."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice

import numpy as np

from f1stream.sources.livetiming.as_session import session_info
from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.parser.parser import Parser
from f1stream.sources.livetiming.parser.track import outline
from f1stream.sources.livetiming.sessions import SnapshotOrder
from f1stream.sources.packing import OutgoingRecord, RecordBuilder
from f1stream.sources.session import Columns
from models import Entries, Entry, Lap, Message, Packet, SessionEnd, SessionStatus, Track
from models.bounds import LONGEST_MS, MOST_CARS, MOST_SAMPLES
from models.frame import FRAME_MS
from models.packet import COLUMNS

PACKET_MS = 400
"""Packets tell so much of each car: the feed itself sends samples in bursts of a second or so."""
WAITS_MS = 5_000
"""The session begins when it is known who drives and when samples happen; without samples, so much later."""
KEPT_MS = 240_000
"""Samples are kept so long, to draw the track from the first lap at speed."""


class LiveRun:
    """One session of the live feed. ``epoch``: when it was begun (Unix ms)."""

    def __init__(self, epoch: int, hold_back_ms: int, source: str) -> None:
        self.ended = False
        self.left: list[FeedMessage] = []
        """When the run ended because the feed went on to another session: the messages of that one."""
        self.parser: Parser | None = None
        self._epoch, self._hold_back_ms, self._source = epoch, hold_back_ms, source
        self._builder: RecordBuilder | None = None
        self._t0_utc_ms = 0
        self._waiting: list[Lap | Message] = []
        """What was told before the session could begin."""
        self._until_ms = 0
        self._at_ms = 0
        self._order = SnapshotOrder()
        self._entries: dict[str, Entry] = {}
        """By car, as published."""
        self._cars: list[str] = []
        self._recent: dict[str, deque[tuple[int, float, float]]] = {}
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
            yield from self._end(message.sent_ms - self.parser.t0_ms)
            if self.ended:
                self.left.append(message)
                return
            self.parser, self._waiting = None, []  # what was there before was over
        if self.parser is not None and not self.parser.is_in_time(message):
            if self._builder is None:
                self.parser, self._waiting = None, []
            else:
                self.parser.take(message)  # it is counted as damaged
                return
        if self.parser is None:
            self.parser, self._at_ms = Parser(message.sent_ms), 0
        # The feed's clock may run back by up to a second: what is told by then stays told.
        at_ms = self._at_ms = max(message.sent_ms - self.parser.t0_ms, self._at_ms)
        facts = self.parser.take(message)
        if self._builder is None:
            self._waiting += facts
            if not self._can_begin(at_ms):
                return
            yield from self._begin(at_ms)
            facts, self._waiting = self._waiting, []
        elif message.topic == "DriverList":
            facts = [*self._listed(at_ms), *(fact for fact in facts if not isinstance(fact, Entries))]
        assert self._builder is not None  # noqa: S101
        for fact in facts:
            yield from self._fact(at_ms, fact)
        if any(isinstance(fact, SessionStatus) and fact.status == "Ends" for fact in facts):
            yield from self._end(at_ms)
        elif at_ms - self._hold_back_ms >= self._until_ms + PACKET_MS:
            yield from self._packets(at_ms - self._hold_back_ms)

    def _listed(self, at_ms: int) -> list[Entries]:
        """The list of drivers, if it has others now, or says more of them, than when it was published."""
        assert self.parser is not None  # noqa: S101
        known = self._entries | {entry.driver_number: entry for entry in self.parser.entries()}
        known = dict(islice(known.items(), MOST_CARS))
        if known == self._entries:
            return []
        self._entries = known
        self._cars = list(self._entries)
        return [Entries(session_time_ms=at_ms, entries=list(self._entries.values()))]

    def end(self, at_ms: int) -> Iterator[OutgoingRecord]:
        """What is left, and the end of the run."""
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

    def _can_begin(self, at_ms: int) -> bool:
        """Between two sessions the feed still tells the last one, which is over."""
        assert self.parser is not None  # noqa: S101
        knows = bool(self.parser.info) and bool(self.parser.entries()) and not self.parser.is_over
        return knows and (self.parser.telemetry.lag_ms is not None or at_ms >= WAITS_MS)

    def _begin(self, at_ms: int) -> Iterator[OutgoingRecord]:
        assert self.parser is not None  # noqa: S101
        self._t0_utc_ms, entries = self.parser.t0_utc_ms, self.parser.entries()
        self._entries = {entry.driver_number: entry for entry in entries}
        self._cars = list(self._entries)
        self._waiting = [fact for fact in self._waiting if not isinstance(fact, Entries)]  # they are in the header
        begin = max(at_ms - self._hold_back_ms, 0) // FRAME_MS * FRAME_MS
        self._until_ms = begin
        info = session_info(self.parser, self._t0_utc_ms, begin, self._source)
        self._builder = RecordBuilder(self.parser.key, self._epoch, self._t0_utc_ms, self._source)
        yield self._builder.fact(begin, info)
        yield self._builder.fact(begin, Entries(session_time_ms=begin, entries=entries))

    def _fact(self, at_ms: int, fact: Lap | Message) -> Iterator[OutgoingRecord]:
        assert self._builder is not None  # noqa: S101
        if getattr(fact, "driver_number", None) not in (None, *self._cars):
            return  # nobody that the list of drivers has
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
        merged = self.parser.telemetry.merged(self._cars, self._t0_utc_ms, until_ms)
        for car in self._cars:
            columns = merged[car]
            if not self._has_track:
                self._remember(car, columns)
            told = {name: columns[name].tolist() for name in COLUMNS if name in columns}
            times = told["session_time_ms"]
            for begin in range(0, max(len(times), 1), MOST_SAMPLES):  # several when the feed has been waited for
                part = {name: column[begin : begin + MOST_SAMPLES] for name, column in told.items()}
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
