"""Everything the page's server knows of its topics, and the event that wakes tasks that wait for news."""

from __future__ import annotations

import asyncio
import time

from f1stream.process_health import Lags
from models import Season, SessionResult
from web.history import Fact
from web.marts_store import MartsStore
from web.sample_store import PacketColumns
from web.tape_store import FramesRecord, TapeStore


class Feed:
    """Tapes and marts, and the state of the connection that fills them; ``web.reader`` fills it from Kafka."""

    def __init__(self, tapes: TapeStore) -> None:
        self.tapes = tapes
        self.marts = MartsStore()
        self.connected = False
        """Whether the broker answers."""
        self.caught_up = False
        """Whether every record that topics ``frames`` and ``marts`` had at the start has been read."""
        self.lags: Lags = {}
        """Records not read yet, by topic and partition."""
        self.stuck: str | None = None
        """Which partition grows without being read, as a sentence."""
        self.bad_records = 0
        """Records that could not be decoded."""
        self._changed = asyncio.Event()

    @property
    def well(self) -> bool:
        """Whether the broker answers and its records are read."""
        return self.connected and self.stuck is None

    @property
    def lag(self) -> int:
        """The sum of ``lags``."""
        return sum(self.lags.values())

    @property
    def changed(self) -> asyncio.Event:
        """The event that the next ``notify`` sets. Take it before looking at the tapes, or a change may be missed."""
        return self._changed

    def notify(self) -> None:
        """Wake every task that waits on ``changed``, once."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def add_frames(self, records: list[FramesRecord]) -> None:
        """Append records to the tapes and notify if any was new. Raises BadRecord."""
        if sum(self.tapes.append(record) for record in records):
            self.notify()

    def add_facts(self, facts: list[Fact]) -> None:
        """Add laps and messages to the histories of their runs and notify if any was new."""
        new = 0
        for fact in facts:
            tape = self.tapes.of_run(fact.session_key, fact.run_id)
            new += tape is not None and tape.history.add(fact)
        if new:
            self.notify()

    def add_packet(self, packet: PacketColumns) -> None:
        """Add a car's samples; nothing waits for them. Raises BadRecord when they are out of order."""
        tape = self.tapes.of_run(packet.session_key, packet.run_id)
        if tape is not None:
            tape.samples.append(packet)

    def add_marts(self, records: list[SessionResult | Season]) -> None:
        """Store records of the marts. Viewers learn of them from the next status message."""
        for record in records:
            self.marts.put(record)

    async def start(self) -> None:
        """Start filling the feed."""

    async def stop(self) -> None:
        """Stop filling it."""


def now_ms() -> int:
    """The wall clock, Unix ms."""
    return int(time.time() * 1000)
