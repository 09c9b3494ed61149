"""The first stage: joins each driver's packets and laps, and publishes them as updates of the session."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from f1stream import topics
from f1stream.metrics import UPDATES
from f1stream.processing.acks import AckTracker, PendingAck
from f1stream.processing.batch import Batch
from f1stream.processing.ignored import IgnoredRecords
from f1stream.processing.outputs import Output
from f1stream.processing.records import KafkaEvent
from f1stream.processing.tables import KeyValueStore
from f1stream.race.stages.damage import report_damage
from f1stream.race.stages.driver_join import DriverJoin
from f1stream.topics import BadRecord, RecordHeaders, RunDamaged, SequenceGap
from models import CarUpdate, DamagedRun, Lap, Packet, Updates

RECORD_BYTES = 500_000
"""Largest record of ``updates``; further ones go into the next. A broker accepts 1 MB by default."""
CHECKPOINT_S = 1.0
"""Seconds between two checkpoints of the drivers. After a crash, input after the last one is processed again."""
SILENT_S = 60.0
"""After this many seconds without input a run is silent: its pending records are written to the tables and
acknowledged, and it leaves memory. Otherwise a dead source would block the offsets of its partitions."""
GIVE_UP = 10
"""Times ``SILENT_S``. A run that is silent for longer and whose pending records fit no table is damaged."""

OfDriver = TypeVar("OfDriver", Packet, Lap)


class DriverStage:
    """Joins the packets and laps of every driver in this worker's partitions. Its table is ``cars``."""

    def __init__(
        self,
        table: KeyValueStore,
        acks: AckTracker,
        silent_s: float = SILENT_S,
        checkpoint_s: float = CHECKPOINT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``clock``: seconds, monotonic."""
        self.acks = acks
        self._table = table
        self._silent_s, self._checkpoint_s, self._clock = silent_s, checkpoint_s, clock
        self._drivers: dict[bytes, DriverJoin] = {}
        """Drivers in memory, by key. Others are read from the table when one of their records is received."""
        self._received_at: dict[bytes, float] = {}
        """Clock at a driver's last record; absent once the pending records are in the table."""
        self._tried_at: dict[bytes, float] = {}
        """Clock at the last attempt to store the pending records of a silent run, which did not fit."""
        self._changed: dict[bytes, DriverJoin] = {}
        """Drivers with input in this batch."""
        self._unstored: dict[bytes, DriverJoin] = {}
        """Drivers with input after their value in the table was written."""
        self._done: list[PendingAck] = []
        """Events that are done once ``_unstored`` is stored."""
        self._stored_at = -math.inf
        """Clock at the last write."""
        self._ignored = IgnoredRecords("race")

    def reset(self) -> None:
        """See ``Stage``."""
        self.acks.reset()
        self._drivers.clear()
        self._received_at.clear()
        self._tried_at.clear()
        self._unstored.clear()
        self._done.clear()

    @property
    def is_due(self) -> bool:
        """See ``Stage``: there is a checkpoint to write, or a run is silent."""
        now = self._clock()
        return self._is_checkpoint_due(now) or bool(self._silent(now))

    def _is_checkpoint_due(self, now: float) -> bool:
        return bool(self._unstored or self._done) and now - self._stored_at >= self._checkpoint_s

    def _silent(self, now: float) -> list[bytes]:
        """Drivers with a silent run whose pending records should be stored, now or again."""
        latest = {key: max(at, self._tried_at.get(key, at)) for key, at in self._received_at.items()}
        return [key for key, at in latest.items() if now - at > self._silent_s]

    def process(self, batch: Batch) -> list[Output]:
        """See ``Stage``. The outputs are the updates of each session, in as few records as possible."""
        self._changed = {}
        updates: dict[str, list[CarUpdate]] = {}
        damaged: list[Output] = []
        last: dict[bytes, KafkaEvent] = {}
        now = self._clock()
        for key in self._tried_at:
            if now - self._received_at[key] > GIVE_UP * self._silent_s:
                self._changed[key] = self._drivers[key]
                _, number = topics.session_of(key)
                error = RunDamaged(f"car {number}: nothing more comes, and its pending records fit no table")
                damaged.append(self._damage(batch, key, None, error))
        for event in batch.events:
            pending = self.acks.take(event)
            try:
                refused = self._take(batch, event, pending)
                damaged += [] if refused is None else [_damaged_record(batch, event.message.key or b"", refused)]
            except BadRecord as error:  # without a valid key and headers it belongs to no run
                batch.reject(event, error)
                pending.done = True
            except Exception as error:
                if isinstance(error, SequenceGap) and not batch.is_reread(event.message):
                    raise
                self._done.append(pending)
                damaged.append(self._damage(batch, event.message.key or b"", event, error))
            last[event.message.key or b""] = event
        for key, driver in self._changed.items():
            session_key, _ = topics.session_of(key)
            try:
                updates.setdefault(session_key, []).extend(self._joined(driver))
            except Exception as error:
                damaged.append(self._damage(batch, key, last.get(key), error))
                updates[session_key].extend(self._joined(driver))
        return [*_records(updates, batch.published_s), *damaged]

    def _joined(self, driver: DriverJoin) -> Iterator[CarUpdate]:
        while True:
            update, done = driver.join()
            self._done += done
            if update is None:
                return
            yield update

    def delivered(self, batch: Batch) -> None:
        """See ``Stage``."""

    async def write_tables(self) -> None:
        """See ``Stage``."""
        now = self._clock()
        self._received_at |= dict.fromkeys(self._changed, now)  # not earlier: a slow delivery is not silence
        for key in self._changed:
            self._tried_at.pop(key, None)
        self._unstored |= self._changed
        silent = self._silent(now)
        if not silent and not self._is_checkpoint_due(now):
            return
        self._stored_at = now
        for key in silent:
            self._done += self._drivers[key].checkpoint_pending()
            self._unstored[key] = self._drivers[key]
            if self._drivers[key].has_unacknowledged:
                self._tried_at[key] = now
            else:
                del self._received_at[key]
                self._tried_at.pop(key, None)
        for key, driver in self._unstored.items():
            self._table.write(key, driver.checkpoint.run_id, driver.progress, driver.dump())
        await self._table.flush()
        for pending in self._done:
            pending.done = True
        self._unstored, self._done = {}, []
        for key in silent:
            if key not in self._received_at:
                del self._drivers[key]

    def _take(self, batch: Batch, event: KafkaEvent, pending: PendingAck) -> DamagedRun | None:
        """Pass a packet or lap to its driver; returns a refused run, once.

        Raises BadRecord if the driver or run cannot be decoded, SequenceGap, and RunDamaged. Any other exception
        damages the run, too.
        """
        record = event.message
        headers = RecordHeaders.decode(record.headers, record.timestamp)
        _, number = topics.session_of(record.key)
        key = record.key or b""
        driver = self._drivers.get(key)
        if driver is None:
            driver = self._restored(key, number, headers)
        if headers.run_id > driver.checkpoint.run_id and headers.seq != 0:
            pending.done = True
            reason = f"the first record of run {headers.run_id} is number {headers.seq}, not 0"
            if not self._ignored.add(key, headers.run_id, "refused run", reason):
                return None
            batch.reject(event, BadRecord(reason))
            return DamagedRun(
                epoch=headers.run_id, driver_number=number, reason=f"car {number}: {reason}", refused=True
            )
        self._drivers[key] = self._changed[key] = driver
        if not driver.begins(headers.run_id, pending):
            if headers.run_id < driver.checkpoint.run_id:
                self._ignored.add(key, headers.run_id, "older run", f"run {driver.checkpoint.run_id} is newer")
            else:
                self._ignored.add(key, headers.run_id, "damaged run", str(driver.checkpoint.damaged))
            return None
        if record.topic == topics.LAPS:
            lap = _decoded(batch, event, topics.decode_lap, number)
            driver.take_lap(headers.seq, headers.emitted_ms, lap, pending)
        else:
            packet = _decoded(batch, event, topics.decode_packet, number)
            driver.take_packet(headers.seq, headers.emitted_ms, headers.laps, headers.messages, packet, pending)
        return None

    def _restored(self, key: bytes, number: str, headers: RecordHeaders) -> DriverJoin:
        """A driver from the table. A value that cannot be decoded damages the run that needs it, not the next one."""
        try:
            return DriverJoin.restore(number, self._table.read(key))
        except ValueError as error:
            driver = DriverJoin(number)
            if headers.seq == 0:
                return driver
            driver.begins(headers.run_id, None)
            self._drivers[key] = self._changed[key] = driver
            raise RunDamaged(f"car {number}: its state cannot be read back ({error})") from error

    def _damage(self, batch: Batch, key: bytes, event: KafkaEvent | None, error: Exception) -> Output:
        """Mark a driver's run as damaged: a dead letter of the event; returns the record for its session."""
        if key not in self._drivers:
            raise error
        _, number = topics.session_of(key)
        driver = self._drivers[key]
        run_id = driver.checkpoint.run_id
        reason = report_damage(batch, event, key, run_id, error)
        driver.damage(reason)
        return _damaged_record(batch, key, DamagedRun(epoch=run_id, driver_number=number, reason=reason))


def _damaged_record(batch: Batch, key: bytes, lost: DamagedRun) -> Output:
    session_key, _ = topics.session_of(key)
    value = topics.encode(Updates(entries=[], damaged=[lost]))
    return Output(topics.UPDATES, session_key.encode(), value, timestamp_s=batch.published_s)


def _decoded(
    batch: Batch, event: KafkaEvent, decode: Callable[[bytes | None], OfDriver], number: str
) -> OfDriver | None:
    """The event's decoded record; None if it is unusable, which still counts in the sequence of its run."""
    try:
        record = decode(event.message.value)
        if record.driver_number != number:
            raise BadRecord(f"driver_number is {record.driver_number}, the key says {number}")
    except BadRecord as error:
        batch.reject(event, error)
        return None
    return record


def _records(updates: dict[str, list[CarUpdate]], published_s: float | None) -> list[Output]:
    """A batch's updates as records of topic ``updates``.

    Their timestamp is that of the batch's newest record, so that the lateness of frames can be measured.
    """
    records = []
    for session_key, own in sorted(updates.items()):
        for entries in topics.parts([topics.encode(update) for update in own], RECORD_BYTES):
            value = b'{"entries":[%s]}' % b",".join(entries)
            records.append(Output(topics.UPDATES, session_key.encode(), value, timestamp_s=published_s))
            UPDATES.inc()
    return records
