"""What the page's server knows of a session's topics and ``marts``, and the bell that wakes those who wait."""

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
    """Tapes and results, the truth about the connection that fills them, and a bell. Kafka's part is a subclass."""

    def __init__(self, tapes: TapeStore) -> None:
        self.tapes = tapes
        self.marts = MartsStore()
        self.connected = False
        """Whether the broker answered lately."""
        self.caught_up = False
        """Whether everything that was in the topics at the start has been read."""
        self.lags: Lags = {}
        """Records known to be in the topics and not read yet, by topic and partition."""
        self.stuck: str | None = None
        """What keeps growing and is not read, as a sentence."""
        self.bad_records = 0
        """Records that could not be used."""
        self._changed = asyncio.Event()

    @property
    def well(self) -> bool:
        """Whether the broker answers and what comes is read."""
        return self.connected and self.stuck is None

    @property
    def lag(self) -> int:
        """All of ``lags``."""
        return sum(self.lags.values())

    @property
    def changed(self) -> asyncio.Event:
        """The event of the next ring. Take it before looking at the tapes, or a ring may be missed."""
        return self._changed

    def notify(self) -> None:
        """Wake everybody who waits, once."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def add_frames(self, records: list[FramesRecord]) -> None:
        """Put records on the tapes and tell those who wait."""
        if sum(self.tapes.append(record) for record in records):
            self.notify()

    def add_facts(self, facts: list[Fact]) -> None:
        """Put laps and messages into the histories of their runs and tell those who wait."""
        new = 0
        for fact in facts:
            run = self.tapes.run(fact.session_key, fact.epoch)
            new += run is not None and run.history.keep(fact)
        if new:
            self.notify()

    def add_packet(self, packet: PacketColumns) -> None:
        """Keep a car's samples. Nobody waits for them. Raises BadRecord when they are out of order."""
        run = self.tapes.run(packet.session_key, packet.epoch)
        if run is not None:
            run.telemetry.append(packet)

    def add_marts(self, records: list[SessionResult | Season]) -> None:
        """Keep what the marts say. Nobody is woken for it: the next status tells."""
        for record in records:
            self.marts.keep(record)

    async def start(self) -> None:
        """Begin to fill the tapes."""

    async def stop(self) -> None:
        """End it."""


def now_ms() -> int:
    """The wall clock, Unix ms."""
    return int(time.time() * 1000)
