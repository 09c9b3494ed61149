"""The partitions that are assigned to this worker: how far each is loaded, and where reading must begin."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from f1stream import metrics
from f1stream.warehouse.partition_batch import LoadedOffset, Partition

log = logging.getLogger("f1stream")


class OffsetStore(Protocol):
    """The offsets in the warehouse."""

    async def offsets(self) -> dict[Partition, LoadedOffset]:
        """How far every partition is loaded, in its newest incarnation."""

    async def begin_at(self, offsets: dict[Partition, LoadedOffset]) -> None:
        """Insert the offsets of partitions, or of new incarnations of them; those that are there stay."""


class TopicLog(Protocol):
    """The records in Kafka, apart from those that are delivered."""

    async def first_offsets(self, partitions: list[Partition]) -> dict[Partition, int]:
        """The first offset that each partition still has."""

    async def next_record(self, partition: Partition, offset: int) -> int:
        """The offset of the first record at or after ``offset``, where there is one."""

    async def recreated(self, offsets: Mapping[Partition, LoadedOffset]) -> set[Partition]:
        """Partitions whose last loaded record is not in the log: the topic is another one of the same name."""


@dataclass(slots=True)
class Assignment:
    """The partitions of one generation of the consumer group."""

    store: OffsetStore
    log: TopicLog
    read_from: dict[Partition, int] = field(default_factory=dict)
    """The offset at which reading of each began."""
    loaded: dict[Partition, LoadedOffset] | None = None
    """None until the warehouse has answered."""

    async def load_offsets(self) -> dict[Partition, LoadedOffset]:
        """How far each partition is loaded; the warehouse is asked once."""
        if self.loaded is None:
            self.loaded = await self._load_offsets()
        return self.loaded

    async def _load_offsets(self) -> dict[Partition, LoadedOffset]:
        known = await self.store.offsets()
        ours = {partition: known[partition] for partition in self.read_from if partition in known}
        new = {partition: 0 for partition in self.read_from if partition not in known}
        for partition in await self.log.recreated(ours):
            new[partition] = ours[partition].incarnation + 1
            log.warning("%s[%d] was created again: incarnation %d begins.", *partition, new[partition])
        begins = await self.log.first_offsets(list(new))
        fresh = {partition: LoadedOffset(incarnation, begins[partition]) for partition, incarnation in new.items()}
        await self.store.begin_at(fresh)
        return ours | fresh

    def rewind(self) -> dict[Partition, int]:
        """Where partitions must be read from that began after what is loaded: Kafka's offsets are ahead."""
        back = {}
        for partition, loaded in (self.loaded or {}).items():
            begin, began = loaded.next_offset, self.read_from[partition]
            if begin < began:
                back[partition] = begin
                log.warning(
                    "%s[%d] is read again from %d instead of %d: no more is loaded.", *partition, begin, began
                )
                metrics.REWINDS.inc()
        self.read_from |= back
        return back
