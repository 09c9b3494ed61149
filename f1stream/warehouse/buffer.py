"""Records that wait in memory until they are loaded, and their acknowledgements."""

from __future__ import annotations

from dataclasses import dataclass, field

from f1stream.processing.acks import PendingAck
from f1stream.processing.records import KafkaRecord
from f1stream.warehouse.partition_batch import LoadedOffset, Partition, PartitionBatch
from f1stream.warehouse.tables import DecodedRecord


@dataclass(frozen=True, slots=True)
class FlushLimits:
    """What makes a flush: any one of them."""

    rows: int
    size: int
    """Bytes of Kafka values."""
    age_s: float
    """Since the oldest record came."""


@dataclass(slots=True)
class RecordBuffer:
    """Records of several partitions, of each in the order of the log."""

    batches: dict[Partition, PartitionBatch] = field(default_factory=dict)
    pending: dict[Partition, list[PendingAck]] = field(default_factory=dict)
    """The acknowledgement of every record that was added since the buffer was cleared."""
    rows: int = 0
    size: int = 0
    oldest_s: float = 0.0
    """When the oldest record came."""

    def add(
        self,
        partition: Partition,
        loaded: LoadedOffset,
        first: int,
        record: DecodedRecord,
        ack: PendingAck,
        now: float,
    ) -> None:
        """Add a record; ``first`` is the offset that must be the next to load when it is the only one."""
        if not self.batches:
            self.oldest_s = now
        if partition in self.batches:
            self.batches[partition].records.append(record)
        else:
            self.batches[partition] = PartitionBatch(partition, loaded.incarnation, first, [record])
        self.pending.setdefault(partition, []).append(ack)
        self.rows += record.rows
        self.size += record.size

    def is_due(self, limits: FlushLimits, now: float) -> bool:
        """Whether there is something to flush, and enough of it or old enough."""
        return bool(self.batches) and (
            self.rows >= limits.rows or self.size >= limits.size or now - self.oldest_s >= limits.age_s
        )

    def loaded_to(self, partition: Partition, next_offset: int) -> None:
        """The warehouse has everything of ``partition`` before ``next_offset``."""
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
        """Forget everything."""
        self.batches.clear()
        self.pending.clear()
        self.rows = self.size = 0
