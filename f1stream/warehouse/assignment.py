"""The partitions assigned to this worker: how far each is loaded, and where reading must start."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from f1stream import metrics
from f1stream.warehouse.partition_batch import LoadedOffset, Partition

log = logging.getLogger("f1stream")


class OffsetStore(Protocol):
    """The loaded offsets in the warehouse."""

    async def offsets(self) -> dict[Partition, LoadedOffset]:
        """The loaded offset of every partition, in its newest incarnation."""

    async def begin_at(self, offsets: dict[Partition, LoadedOffset]) -> None:
        """Insert first offsets of new partitions or incarnations; existing rows stay unchanged."""


class TopicLog(Protocol):
    """Kafka's log of a topic, read beside the consumer that delivers records."""

    async def first_offsets(self, partitions: list[Partition]) -> dict[Partition, int]:
        """The first offset that Kafka still has of each partition."""

    async def next_record(self, partition: Partition, offset: int) -> int:
        """The offset of the first record at or after ``offset``; waits until there is one."""

    async def recreated(self, offsets: Mapping[Partition, LoadedOffset]) -> set[Partition]:
        """Partitions whose last loaded record is not in the log: the topic was deleted and created again."""


@dataclass(slots=True)
class Assignment:
    """The partitions that one rebalance assigned to this worker."""

    store: OffsetStore
    log: TopicLog
    read_from: dict[Partition, int] = field(default_factory=dict)
    """The offset at which reading of each partition starts."""
    loaded: dict[Partition, LoadedOffset] | None = None
    """None until the warehouse has answered; then cached for this assignment."""

    async def load_offsets(self) -> dict[Partition, LoadedOffset]:
        """The loaded offset of each partition, queried once. A partition new to the warehouse is inserted."""
        if self.loaded is None:
            self.loaded = await self._load_offsets()
        return self.loaded

    async def _load_offsets(self) -> dict[Partition, LoadedOffset]:
        known = await self.store.offsets()
        ours = {partition: known[partition] for partition in self.read_from if partition in known}
        new = {partition: 0 for partition in self.read_from if partition not in known}
        for partition in await self.log.recreated(ours):
            new[partition] = ours[partition].incarnation + 1
            log.warning(
                "%s[%d] was deleted and created again; loading incarnation %d from its start.",
                *partition,
                new[partition],
            )
        begins = await self.log.first_offsets(list(new))
        fresh = {partition: LoadedOffset(incarnation, begins[partition]) for partition, incarnation in new.items()}
        await self.store.begin_at(fresh)
        return ours | fresh

    def rewind(self) -> dict[Partition, int]:
        """Offsets of partitions to read again: Kafka's committed offset is ahead of the loaded one."""
        back = {}
        for partition, loaded in (self.loaded or {}).items():
            begin, began = loaded.next_offset, self.read_from[partition]
            if begin < began:
                back[partition] = begin
                log.warning(
                    "%s[%d] is read from %d instead of %d: the warehouse has no later record.",
                    *partition,
                    begin,
                    began,
                )
                metrics.REWINDS.inc()
        self.read_from |= back
        return back
