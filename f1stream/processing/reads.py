"""Whether a record that does not follow its predecessor is at fault, or our reading."""

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
    """Every record since the acknowledged one was delivered."""


@dataclass(slots=True)
class AssignedReads:
    """What this process has read of its partitions since they were assigned to it.

    Tables are recovered with an assignment, and records are delivered from the acknowledged offset on. If a record is
    missing in its sequence among those that were in the log by then, and no record was left out, the log lacks it.
    A gap behind them may be a fault of this process, which has gone on for long: it exits, and the restarted one
    meets the gap among the records that are in the log.
    """

    positions: Callable[[], Mapping[Partition, PartitionOffsets]]
    next_record: Callable[[Partition, int], Awaitable[int | None]]
    """The offset of the first record that the log has at or after an offset; None when it is not known. Retention
    deletes records, and markers of transactions have offsets."""
    _reads: dict[Partition, _Read] = field(default_factory=dict)

    def reset(self) -> None:
        """After a rebalance."""
        self._reads.clear()

    async def add(self, record: KafkaRecord) -> None:
        """A record was delivered."""
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
        """Whether the record was in the log when reading began, and everything before it was delivered."""
        read = self._reads.get((record.topic, record.partition))
        return read is not None and read.complete and record.offset < read.end
