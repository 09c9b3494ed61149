"""The first stage: each driver's packets and laps are joined and sent to the driver's session, one record a batch."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import groupby
from typing import TypeVar

from f1stream import topics
from f1stream.metrics import UPDATES
from f1stream.processing.acks import AckTracker, PendingAck
from f1stream.processing.batch import Batch
from f1stream.processing.outputs import Output
from f1stream.processing.records import Event
from f1stream.processing.tables import KeyValueStore
from f1stream.race.stages.driver_join import DriverJoin
from f1stream.topics import BadRecord, Stamp
from models import CarUpdate, Lap, Packet, Updates

UPDATE_SAMPLES = 10_000
"""Most samples in one record of ``updates``: some 400 kB, well under what a broker takes. With more, a batch is sent
in several records."""
SILENT_S = 60.0
"""After this long without input, a run's pending records are written to the tables and acknowledged. Otherwise a
source that died would block its partitions' offsets."""

OfDriver = TypeVar("OfDriver", Packet, Lap)


class DriverStage:
    """Joins the packets and laps of every driver whose partition this worker has. Its table is ``cars``."""

    def __init__(
        self,
        table: KeyValueStore,
        acks: AckTracker,
        silent_s: float = SILENT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``clock``: seconds, monotonic."""
        self.acks = acks
        self._table = table
        self._silent_s, self._clock = silent_s, clock
        self._drivers: dict[bytes, DriverJoin] = {}
        self._received_at: dict[bytes, float] = {}
        """When a driver's last record was received; not of drivers whose pending records are in the table."""
        self._changed: dict[bytes, DriverJoin] = {}
        self._done: list[PendingAck] = []

    def reset(self) -> None:
        """After a rebalance: everything is read again from the table and the partitions."""
        self.acks.reset()
        self._drivers.clear()
        self._received_at.clear()

    def process(self, batch: Batch) -> list[Output]:
        """See ``Stage``. The outputs are the updates of each session, in one record unless that gets too large."""
        self._changed, self._done = {}, []
        for event in batch.events:
            pending = self.acks.take(event)
            try:
                self._take(batch, event, pending)
            except BadRecord as error:  # without a readable key and headers it has no place in any run
                batch.reject(event, error)
                pending.done = True
        updates = []
        for key, driver in self._changed.items():
            update, done = driver.join()
            self._done += done
            if update is not None:
                updates.append((topics.session_of(key)[0], update))
        return _records(updates, batch.published_s)

    def delivered(self, batch: Batch) -> None:
        """See ``Stage``."""

    async def write_tables(self) -> None:
        """See ``Stage``."""
        now = self._clock()
        self._received_at |= dict.fromkeys(self._changed, now)  # not before: a slow delivery is no silence
        for key in [key for key, at in self._received_at.items() if now - at > self._silent_s]:
            del self._received_at[key]
            self._done += self._drivers[key].checkpoint_pending()
            self._changed[key] = self._drivers[key]
        for key, driver in self._changed.items():
            self._table.write(key, driver.cursor.epoch, driver.progress, driver.dump())
        await self._table.flush()
        for pending in self._done:
            pending.done = True

    def _take(self, batch: Batch, event: Event, pending: PendingAck) -> None:
        """Give one packet or lap to its driver. Raises BadRecord when the driver or the run is not readable."""
        record = event.message
        stamp = Stamp.read(record.headers)
        _, number = topics.session_of(record.key)
        key = record.key or b""
        driver = self._drivers.get(key)
        if driver is None:
            driver = self._drivers[key] = DriverJoin.restore(number, self._table.read(key))
        self._changed[key] = driver
        if not driver.begins(stamp.epoch, pending):
            return
        if record.topic == topics.LAPS:
            lap = _decoded(batch, event, topics.decode_lap, number)
            driver.take_lap(stamp.seq, stamp.emitted_ms, lap, pending)
        else:
            packet = _decoded(batch, event, topics.decode_packet, number)
            driver.take_packet(stamp.seq, stamp.emitted_ms, stamp.laps, stamp.messages, packet, pending)


def _decoded(batch: Batch, event: Event, decode: Callable[[bytes | None], OfDriver], number: str) -> OfDriver | None:
    """The event's record; None when it is unusable: it keeps its place in the run all the same."""
    try:
        record = decode(event.message.value)
        if record.driver_number != number:
            raise BadRecord(f"driver_number is {record.driver_number}, the key says {number}")
    except BadRecord as error:
        batch.reject(event, error)
        return None
    return record


def _records(updates: list[tuple[str, CarUpdate]], published_s: float | None) -> list[Output]:
    """A batch's updates as records of ``updates``.

    Their timestamp is that of what they were made of, so that the lateness of frames can be measured.
    """
    records = []
    for session_key, own in groupby(sorted(updates, key=lambda update: update[0]), key=lambda update: update[0]):
        parts: list[list[CarUpdate]] = [[]]
        samples = 0
        for _, update in own:
            if samples + len(update.t) > UPDATE_SAMPLES and parts[-1]:
                parts.append([])
                samples = 0
            parts[-1].append(update)
            samples += len(update.t)
        for entries in parts:
            value = topics.encode(Updates.model_construct(entries=entries))
            records.append(Output(topics.UPDATES, session_key.encode(), value, timestamp_s=published_s))
            UPDATES.inc()
    return records
