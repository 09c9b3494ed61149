"""Buffers Kafka records and loads them into the warehouse, each exactly once across crashes and rebalances.

The offsets in the warehouse are authoritative, not Kafka's. They are compared and set in the transaction that copies
the rows: of two workers with the same records one commits, and the other's comparison fails.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Protocol

from f1stream import metrics, topics
from f1stream.processing.acks import Acknowledge, AckTracker
from f1stream.processing.batch import Batch
from f1stream.processing.dead_letters import reject
from f1stream.processing.outputs import Output, Outputs, deliver
from f1stream.processing.records import KafkaEvent
from f1stream.topics import BadRecord, SequenceGap
from f1stream.warehouse import tables
from f1stream.warehouse.assignment import Assignment, OffsetStore, TopicLog
from f1stream.warehouse.buffer import FlushLimits, RecordBuffer
from f1stream.warehouse.errors import DataRefused, Fenced, WarehouseError
from f1stream.warehouse.partition_batch import LoadedOffset, Partition, PartitionBatch, halves, rows_of
from f1stream.warehouse.retry import Retry
from f1stream.warehouse.tables import DecodedRecord
from models import DeadLetter

log = logging.getLogger("f1stream")
CONSUMER = "archive"
OFFSETS_WITHIN_S = 20.0
"""Seconds that a rebalance waits for the warehouse's offsets; after that, the first batch waits for them."""

GROUP_BYTES = 1_000_000
"""Bytes of Kafka values that are decoded at once, which takes several times as much memory. Meanwhile no other task
runs, and nothing is flushed: a batch can have 500 values of 300 KB."""


class AsyncLoader(OffsetStore, Protocol):
    """The warehouse as the sink uses it; ``LoaderThread`` implements it."""

    async def load(self, batches: list[PartitionBatch]) -> Counter[str]:
        """Load batches of different partitions in one transaction; returns the rows loaded by table.

        Raises Fenced and DataRefused; then nothing is loaded. After any other error all or nothing is loaded.
        """


class ArchiveSink:
    """Buffers records, loads them, and acknowledges the loaded ones."""

    def __init__(
        self, loader: AsyncLoader, kafka_log: TopicLog, outputs: Outputs, limits: FlushLimits, retry: Retry, *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        """``outputs`` takes dead letters; ``clock`` is monotonic (s)."""
        self.acks = AckTracker()
        self.buffer = RecordBuffer()
        self._loader, self._log, self._outputs = loader, kafka_log, outputs
        self._limits, self._retry, self._clock = limits, retry, clock
        self.offsets_within_s = OFFSETS_WITHIN_S
        self._assignment = Assignment(loader, kafka_log)
        self._next: dict[Partition, int] = {}
        """The next offset to receive, for partitions with a record received since the assignment."""
        self._dead_letters: list[Output] = []
        """Dead letters of buffered records that are not delivered yet."""
        self._is_current: Callable[[], bool] = lambda: False
        """Whether the buffered records' partitions are still assigned to this worker."""
        self._acknowledge: Acknowledge
        self._lock = asyncio.Lock()
        """Held by the task that buffers records or starts a flush: one receives them, another looks at their age."""
        self._flushing: asyncio.Task[None] | None = None
        """Loads the records of the last flush; meanwhile the next ones are buffered."""

    # -- assignment ------------------------------------------------------------------------------------------

    async def assigned(self, positions: Mapping[Partition, int]) -> dict[Partition, int]:
        """Partitions were assigned and are read from ``positions``; returns those to read from an earlier offset."""
        self._assignment = assignment = Assignment(self._loader, self._log, dict(positions))
        try:
            async with asyncio.timeout(self.offsets_within_s):
                await assignment.load_offsets()
        except self._retry.transient as error:
            self._retry.failed("The loaded offsets cannot be read from the warehouse.", error)
            return {}
        self._retry.waits_for(None)
        return assignment.rewind()

    def _reset(self) -> None:
        """Drop what is not loaded: Kafka delivers it again, to this worker or to another."""
        self.acks.reset()
        self.buffer.clear()
        self._next.clear()
        self._dead_letters.clear()

    # -- receiving -------------------------------------------------------------------------------------------

    async def receive(self, batch: Batch, acknowledge: Acknowledge) -> None:
        """Buffer the records of a batch, and flush as often as it is due. Raises SequenceGap.

        Records of revoked partitions are dropped; records that are already loaded are only acknowledged.
        """
        async with self._lock:
            if not self._is_current():
                await self.wait_for_flush()
                self._reset()
            self._is_current, self._acknowledge = batch.is_current, acknowledge
            assignment = self._assignment
            offsets = assignment.loaded
            if offsets is None:
                offsets = await self._retry.until_done(assignment.load_offsets)
            for events in _groups(batch.events):
                if not batch.is_current():
                    break
                for event, decoded in self._decode(events, offsets):
                    if not batch.is_current():
                        break
                    await self._receive(event, decoded, assignment, offsets)
                    if self._is_due():
                        await self._flush()
                await asyncio.sleep(0)
            await self._deliver_dead_letters()
            if not self.buffer.batches and not self._is_flushing():  # every record was already loaded
                await self.acks.acknowledge(acknowledge)

    def _decode(
        self, events: Sequence[KafkaEvent], offsets: Mapping[Partition, LoadedOffset]
    ) -> list[tuple[KafkaEvent, DecodedRecord | BadRecord]]:
        """The events with what they decode to."""
        began = time.perf_counter()
        messages = [event.message for event in events]
        incarnations = [offsets[Partition(message.topic, message.partition)].incarnation for message in messages]
        decoded = tables.decode_records(messages, incarnations)
        metrics.PHASES.labels("decode").inc(time.perf_counter() - began)
        return list(zip(events, decoded, strict=True))

    async def _receive(
        self, event: KafkaEvent, decoded: DecodedRecord | BadRecord, assignment: Assignment,
        offsets: Mapping[Partition, LoadedOffset],
    ) -> None:  # fmt: skip
        record = event.message
        partition = Partition(record.topic, record.partition)
        ack = self.acks.take(event)
        loaded = offsets[partition]
        first = self._next.get(partition, loaded.next_offset)
        if record.offset < first:
            ack.done = True
            return
        if record.offset > first:
            await self._skip(assignment, partition, first, record.offset)
        self._next[partition] = record.offset + 1
        if isinstance(decoded, BadRecord):
            self._dead_letters.append(reject(CONSUMER, record, str(decoded)))
            decoded = tables.undecoded(record, loaded.incarnation)
        self.buffer.add(partition, loaded, first, decoded, ack, self._clock())

    async def _skip(self, assignment: Assignment, partition: Partition, first: int, found: int) -> None:
        """Handle a gap in the offsets: transaction markers and records deleted by retention leave gaps in a log.

        Raises SequenceGap unless the gap is at the start of this assignment and is in the log itself. The buffer is
        flushed first, so that the restarted worker reads from the gap. Records deleted before they were loaded become
        one dead letter.
        """
        ours = partition in self._next or assignment.read_from[partition] > first
        if ours or await self._log.next_record(partition, first) < found:  # the consumer skipped a record
            await self._flush()
            await self.wait_for_flush()
            raise SequenceGap(f"{partition.topic}[{partition.partition}] continues at {found}, not at {first}")
        begin = (await self._log.first_offsets([partition]))[partition]
        if begin <= first:
            return
        lost = min(begin, found) - first
        log.error(
            "%s[%d]: %d records from offset %d on were deleted by retention before they were loaded.",
            *partition,
            lost,
            first,
        )
        metrics.DEAD_LETTERS.labels(CONSUMER, partition.topic).inc()
        letter = DeadLetter(
            consumer=CONSUMER, topic=partition.topic, partition=partition.partition, offset=first, timestamp_ms=0,
            key=None, reason=f"{lost} records from here on were deleted by retention before they were loaded",
            body_base64=None, length=0, sha256="",
        )  # fmt: skip
        self._dead_letters.append(
            Output(topics.DEAD_LETTERS, None, topics.encode(letter), partition=partition.partition)
        )

    # -- flushing --------------------------------------------------------------------------------------------

    async def flush_if_due(self) -> None:
        """Flush the buffer when it is old enough, also if no further record arrives; see ``wait_for_flush``."""
        async with self._lock:
            if self._is_due():
                await self._flush()
        await self.wait_for_flush()

    async def wait_for_flush(self) -> None:
        """Return when no flush is running. Raises what the last one raised.

        A waiter that is cancelled does not cancel the flush: others wait for it, too.
        """
        if self._flushing is not None:
            await asyncio.shield(self._flushing)

    async def stop(self) -> None:
        """Cancel a running flush: what it has not loaded is read again. Nothing may be received afterwards."""
        if self._flushing is not None:
            self._flushing.cancel()
            await asyncio.gather(self._flushing, return_exceptions=True)

    def _is_flushing(self) -> bool:
        return self._flushing is not None and not self._flushing.done()

    def _is_due(self) -> bool:
        """Records that are only old enough wait for a running flush, without blocking those that arrive."""
        return self.buffer.is_full(self._limits) or (
            not self._is_flushing() and self.buffer.is_due(self._limits, self._clock())
        )

    async def _flush(self) -> None:
        """Start to load everything in the buffer, after the end of the flush before; see ``_load_buffer``."""
        await self.wait_for_flush()
        await self._deliver_dead_letters()
        buffer, self.buffer = self.buffer, RecordBuffer()
        self._flushing = asyncio.create_task(self._load_buffer(buffer, self._is_current, self._acknowledge))

    async def _load_buffer(
        self, buffer: RecordBuffer, is_current: Callable[[], bool], acknowledge: Acknowledge
    ) -> None:
        """Load and acknowledge everything in ``buffer``.

        A crash between any two steps loses and duplicates nothing:

        1. ``_flush`` has delivered the dead letters of records that could not be decoded, acknowledged by the broker.
           The offsets of those records are loaded with the others: delivered later, a crash would lose the letters.
        2. Stop if the partitions were revoked. Their new owner reads the records again from the loaded offset.
        3. After a failed attempt, reload the offsets from the warehouse and drop the loaded records: the commit may
           have succeeded although its answer was lost.
        4. In one transaction (``Loader.load``) copy the rows, compare and set the offset of each partition, commit.
           The comparison fails when another worker has loaded one of the records (fencing): nothing is loaded, and
           the attempt counts as failed.
           A batch with refused data is halved until the record is found. Its dead letter is delivered before its
           offset is loaded without rows.
        5. Acknowledge the loaded records of each partition. Acknowledged before the commit, a worker that starts
           while the warehouse is away would skip them, and would stop at the gap.

        Steps 2 to 4 are retried with backoff while the warehouse or the broker is away.
        """
        metrics.FLUSH_ROWS.set(buffer.rows)
        began = time.perf_counter()
        attempts = 0

        async def attempt() -> None:
            nonlocal attempts
            attempts += 1
            if not is_current():
                buffer.clear()
                return
            if attempts > 1:
                _drop_loaded(buffer, await self._loader.offsets())
            await self._load(buffer, list(buffer.batches.values()))

        await self._retry.until_done(attempt)
        metrics.FLUSH.observe(time.perf_counter() - began)
        if buffer.pending:
            await self.acks.acknowledge(acknowledge)

    async def _deliver_dead_letters(self) -> None:
        await deliver(self._outputs, self._dead_letters)
        self._dead_letters.clear()

    async def _load(self, buffer: RecordBuffer, batches: list[PartitionBatch]) -> None:
        if not batches:
            return
        try:
            rows = await self._loader.load(batches)
        except Fenced as fenced:
            metrics.FENCED.inc()
            raise WarehouseError(f"Another worker has loaded these records: {fenced}.") from fenced
        except DataRefused as refused:
            await self._load_in_parts(buffer, batches, str(refused))
            return
        for table, loaded in rows.items():
            metrics.ROWS.labels(table).inc(loaded)
        for batch in batches:
            buffer.loaded_to(batch.partition, batch.next_offset)

    async def _load_in_parts(self, buffer: RecordBuffer, batches: list[PartitionBatch], reason: str) -> None:
        """Load refused data by halves; a single record becomes a dead letter, and only its offset is loaded."""
        log.info("Searching %d rows for the refused record: %s", rows_of(batches), reason)
        parts = halves(batches)
        if parts is None:
            (batch,) = batches
            loaded = (await self._loader.offsets()).get(batch.partition)
            if loaded is None or loaded.next_offset != batch.first_offset:  # its dead letter is the other worker's
                raise WarehouseError(
                    f"Another worker has loaded {batch.partition.topic}[{batch.partition.partition}] from "
                    f"{batch.first_offset} on."
                )
            record = buffer.message(batch.partition, batch.records[0].origin.offset)
            await deliver(self._outputs, [reject(CONSUMER, record, reason)])
            parts = [batch.without_rows()], []
        for part in parts:
            await self._load(buffer, part)


def _groups(events: Sequence[KafkaEvent]) -> Iterator[list[KafkaEvent]]:
    """Consecutive events, of at most ``GROUP_BYTES`` of values."""
    rest = iter(events)
    for values in topics.parts([event.message.value or b"" for event in events], GROUP_BYTES):
        yield list(islice(rest, len(values)))


def _drop_loaded(buffer: RecordBuffer, offsets: Mapping[Partition, LoadedOffset]) -> None:
    """Drop the loaded records. Raises SequenceGap when a record before the buffered ones is not loaded."""
    for partition, batch in list(buffer.batches.items()):
        loaded = offsets[partition]
        if loaded.incarnation != batch.incarnation or loaded.next_offset < batch.first_offset:
            raise SequenceGap(
                f"{partition.topic}[{partition.partition}] is loaded to {loaded.next_offset}, and "
                f"{batch.first_offset} was next"
            )
        buffer.loaded_to(partition, loaded.next_offset)
