"""Consecutive records of one partition that are loaded together, and the loaded offset of a partition."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from f1stream.warehouse.tables import DecodedRecord


class Partition(NamedTuple):
    """A topic's partition."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class LoadedOffset:
    """How far one partition is loaded: the warehouse has everything before ``next_offset``."""

    incarnation: int
    """How often its topic was deleted and created again."""
    next_offset: int
    last_timestamp_ms: int | None = None
    last_hash: str | None = None
    """Of the value of the last loaded record; None before the first."""


@dataclass(frozen=True, slots=True)
class PartitionBatch:
    """Consecutive records of one partition that are loaded together."""

    partition: Partition
    incarnation: int
    first_offset: int
    """The next offset to load: the warehouse's offset must be this one, or the load is fenced."""
    records: list[DecodedRecord]
    """At least one. There may be offsets before the first record that the log does not have."""

    @property
    def next_offset(self) -> int:
        """The offset after the last record."""
        return self.records[-1].origin.offset + 1

    def from_offset(self, offset: int) -> PartitionBatch | None:
        """The batch without the records before ``offset``; None when no record is left."""
        rest = [record for record in self.records if record.origin.offset >= offset]
        return replace(self, first_offset=max(self.first_offset, offset), records=rest) if rest else None

    def before_offset(self, offset: int) -> PartitionBatch:
        """The batch without the records from ``offset`` on; at least one record must be left."""
        return replace(self, records=[record for record in self.records if record.origin.offset < offset])

    def without_rows(self) -> PartitionBatch:
        """The same offsets without rows: loading it moves the offset and inserts nothing."""
        return replace(self, records=[record.without_rows() for record in self.records])


def halves(batches: list[PartitionBatch]) -> tuple[list[PartitionBatch], list[PartitionBatch]] | None:
    """Two parts that can be loaded one after the other; None for a single record."""
    if len(batches) > 1:
        return batches[: len(batches) // 2], batches[len(batches) // 2 :]
    (batch,) = batches
    if len(batch.records) == 1:
        return None
    cut = batch.records[len(batch.records) // 2].origin.offset
    rest = batch.from_offset(cut)
    return [batch.before_offset(cut)], [rest] if rest else []


def rows_of(batches: Iterable[PartitionBatch]) -> int:
    """Number of rows in the batches."""
    return sum(record.rows for batch in batches for record in batch.records)
