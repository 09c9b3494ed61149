"""Decides whether a record missing in its sequence is missing in the log, or was missed by this process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from f1stream.processing.records import KafkaRecord

Partition = tuple[str, int]


class PartitionOffsets(NamedTuple):
    """Offsets of one partition."""

    end: int
    """After the last record of its log, as of the latest fetch; 0 before the first."""
    committed: int | None
    """Before it, every record is acknowledged; None when none is."""


@dataclass(slots=True)
class _Read:
    next_offset: int
    end: int
    """Of the log, when reading began."""
    complete: bool
    """Whether every record since the acknowledged one was delivered."""


@dataclass(slots=True)
class AssignedReads:
    """How far this process has read its partitions since they were assigned.

    On assignment the tables are recovered and records are delivered from the acknowledged offset on. If a record is
    missing among those that were in the log at that time, and every offset was delivered, the log itself lacks it.
    A gap in later records may be a fault of this process: it exits, and the restarted process finds the same gap
    among records that are in the log.
    """

    positions: Callable[[], Mapping[Partition, PartitionOffsets]]
    next_record: Callable[[Partition, int], Awaitable[int | None]]
    """The first offset at or after the given one that has a record; None when unknown. Offsets without a record are
    usual: retention deletes records, and transaction markers take offsets."""
    _reads: dict[Partition, _Read] = field(default_factory=dict)

    def reset(self) -> None:
        """Forget all partitions after a rebalance."""
        self._reads.clear()

    async def add(self, record: KafkaRecord) -> None:
        """Note a delivered record."""
        partition = record.topic, record.partition
        read = self._reads.get(partition)
        if read is None:
            position = self.positions().get(partition)
            end, committed = (0, None) if position is None else (position.end, position.committed)
            begin = record.offset if committed is None else committed
            read = self._reads[partition] = _Read(begin, end, complete=position is not None)
        if record.offset > read.next_offset and read.complete:
            read.complete = await self.next_record(partition, read.next_offset) == record.offset
        read.next_offset = max(read.next_offset, record.offset + 1)

    def is_reread(self, record: KafkaRecord) -> bool:
        """Whether the record was in the log when reading began, and every record before it was delivered."""
        read = self._reads.get((record.topic, record.partition))
        return read is not None and read.complete and record.offset < read.end
