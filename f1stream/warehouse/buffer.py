"""Records buffered in memory until they are loaded, and their pending acknowledgements."""

from __future__ import annotations

from dataclasses import dataclass, field

from f1stream.processing.acks import PendingAck
from f1stream.processing.records import KafkaRecord
from f1stream.warehouse.partition_batch import LoadedOffset, Partition, PartitionBatch
from f1stream.warehouse.tables import DecodedRecord

RECORD_BYTES = 500
"""Bytes that a record counts beside its value, which may be empty. It needs two to three times as much (its event,
headers and pending acknowledgement); counted so, telemetry at the default limits is still flushed by rows."""


@dataclass(frozen=True, slots=True)
class FlushLimits:
    """The buffer is flushed when it reaches any one of them."""

    rows: int
    """Rows of the raw tables; a record without rows counts as one."""
    size: int
    """Bytes of Kafka values, and ``RECORD_BYTES`` for each."""
    age_s: float
    """Age of the oldest buffered record, s."""


@dataclass(slots=True)
class RecordBuffer:
    """Records of several partitions, each in the order of its log."""

    batches: dict[Partition, PartitionBatch] = field(default_factory=dict)
    pending: dict[Partition, list[PendingAck]] = field(default_factory=dict)
    """The acknowledgement of every record added since the buffer was cleared, loaded ones too."""
    rows: int = 0
    """Rows to load."""
    counted_rows: int = 0
    """Those of ``FlushLimits``."""
    size: int = 0
    """Bytes, as in ``FlushLimits``."""
    oldest_s: float = 0.0
    """When the oldest record was added, on the sink's monotonic clock (s)."""

    def add(
        self,
        partition: Partition,
        loaded: LoadedOffset,
        first: int,
        record: DecodedRecord,
        ack: PendingAck,
        now: float,
    ) -> None:
        """Add a record. ``first`` is the partition's next offset to load if this is its only buffered record."""
        if not self.batches:
            self.oldest_s = now
        if partition in self.batches:
            self.batches[partition].records.append(record)
        else:
            self.batches[partition] = PartitionBatch(partition, loaded.incarnation, first, [record])
        self.pending.setdefault(partition, []).append(ack)
        self.rows += record.rows
        self.counted_rows += max(record.rows, 1)
        self.size += record.size + RECORD_BYTES

    def is_full(self, limits: FlushLimits) -> bool:
        """Whether the buffer has records and has reached the limit of rows or bytes."""
        return bool(self.batches) and (self.counted_rows >= limits.rows or self.size >= limits.size)

    def is_due(self, limits: FlushLimits, now: float) -> bool:
        """Whether the buffer has records and has reached one of the limits."""
        return self.is_full(limits) or (bool(self.batches) and now - self.oldest_s >= limits.age_s)

    def loaded_to(self, partition: Partition, next_offset: int) -> None:
        """Drop the records of ``partition`` before ``next_offset``, which are loaded, and mark them as done."""
        rest = self.batches[partition].from_offset(next_offset)
        for ack in self.pending[partition]:
            ack.done = ack.done or ack.event.message.offset < next_offset
        if rest is None:
            del self.batches[partition]
        else:
            self.batches[partition] = rest

    def message(self, partition: Partition, offset: int) -> KafkaRecord:
        """The Kafka record at ``offset``."""
        return next(ack.event.message for ack in self.pending[partition] if ack.event.message.offset == offset)

    def clear(self) -> None:
        """Drop everything."""
        self.batches.clear()
        self.pending.clear()
        self.rows = self.counted_rows = self.size = 0
