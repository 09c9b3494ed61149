"""The first stage: each driver's packets and laps are joined and sent to the driver's session, one record a batch."""

from __future__ import annotations

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
"""Largest record of ``updates``: a broker takes 1 MB by default. What is more goes into the next one."""
SILENT_S = 60.0
"""After this long without input, a run's pending records are written to the tables and acknowledged, and it leaves
memory. Otherwise a source that died would block its partitions' offsets."""
GIVE_UP = 10
"""After this many times as long without input, a run whose pending records fit no table is damaged."""

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
        """In memory. The others are read from the table when something of them is received."""
        self._received_at: dict[bytes, float] = {}
        """When a driver's last record was received; not of drivers whose pending records are in the table."""
        self._tried_at: dict[bytes, float] = {}
        """When the pending records of a silent run were found not to fit into the table."""
        self._changed: dict[bytes, DriverJoin] = {}
        self._done: list[PendingAck] = []
        self._ignored = IgnoredRecords("race")

    def reset(self) -> None:
        """After a rebalance: everything is read again from the table and the partitions."""
        self.acks.reset()
        self._drivers.clear()
        self._received_at.clear()
        self._tried_at.clear()

    @property
    def is_due(self) -> bool:
        """See ``Stage``: a run has gone silent."""
        return bool(self._silent(self._clock()))

    def _silent(self, now: float) -> list[bytes]:
        """Drivers whose run has gone silent, and of which something is to be done."""
        latest = {key: max(at, self._tried_at.get(key, at)) for key, at in self._received_at.items()}
        return [key for key, at in latest.items() if now - at > self._silent_s]

    def process(self, batch: Batch) -> list[Output]:
        """See ``Stage``. The outputs are the updates of each session, in few records."""
        self._changed, self._done = {}, []
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
            except BadRecord as error:  # without a readable key and headers it has no place in any run
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
        self._received_at |= dict.fromkeys(self._changed, now)  # not before: a slow delivery is no silence
        for key in self._changed:
            self._tried_at.pop(key, None)
        silent = self._silent(now)
        for key in silent:
            self._done += self._drivers[key].checkpoint_pending()
            self._changed[key] = self._drivers[key]
            if self._drivers[key].has_unacknowledged:
                self._tried_at[key] = now
            else:
                del self._received_at[key]
                self._tried_at.pop(key, None)
        for key, driver in self._changed.items():
            self._table.write(key, driver.checkpoint.run_id, driver.progress, driver.dump())
        await self._table.flush()
        for pending in self._done:
            pending.done = True
        for key in silent:
            if key not in self._received_at:
                del self._drivers[key]

    def _take(self, batch: Batch, event: KafkaEvent, pending: PendingAck) -> DamagedRun | None:
        """Give one packet or lap to its driver; returns a run that is refused, once.

        Raises BadRecord when the driver or the run is not readable, SequenceGap, and RunDamaged; whatever else is
        raised damages the run, too.
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
        """As it is in the table. A value that cannot be read back damages the run that needs it, not the next one."""
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
        """Give up the run of a driver: a dead letter of the event, and a record for its session."""
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
    """The event's record; None when it is unusable: it keeps its place in the run all the same."""
    try:
        record = decode(event.message.value)
        if record.driver_number != number:
            raise BadRecord(f"driver_number is {record.driver_number}, the key says {number}")
    except BadRecord as error:
        batch.reject(event, error)
        return None
    return record


def _records(updates: dict[str, list[CarUpdate]], published_s: float | None) -> list[Output]:
    """A batch's updates as records of ``updates``.

    Their timestamp is that of what they were made of, so that the lateness of frames can be measured.
    """
    records = []
    for session_key, own in sorted(updates.items()):
        for entries in topics.parts([topics.encode(update) for update in own], RECORD_BYTES):
            value = b'{"entries":[%s]}' % b",".join(entries)
            records.append(Output(topics.UPDATES, session_key.encode(), value, timestamp_s=published_s))
            UPDATES.inc()
    return records
