"""Tables whose writes can be awaited, and that are registered without a wait."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from typing import Any

from aiokafka.partitioner import DefaultPartitioner
from faust.tables.manager import TableManager
from faust.tables.table import Table

from f1stream.processing.tables import newest, with_version, without_version

_partitioner = DefaultPartitioner()


class DurableTable(Table):
    """A ``KeyValueStore`` on a Faust table: writes can be awaited, and recovery keeps the greatest version."""

    _writes: list[Awaitable[Any]]

    def read(self, key: bytes) -> bytes | None:
        """See ``KeyValueStore``."""
        return without_version(self.get(key))

    def write(self, key: bytes, run_id: int, progress: int, value: bytes) -> None:
        """See ``KeyValueStore``."""
        self[key] = with_version(run_id, progress, value)

    async def flush(self) -> None:
        """See ``KeyValueStore``. Faust's own flush before a commit can give up early."""
        writes, self._writes = self.__dict__.get("_writes", []), []
        for write in writes:
            await write

    def partition_for_key(self, key: bytes) -> int:
        """The key's partition, computed like the producer does.

        Faust asks the producer without waiting, and its client may not know the topic at that moment (see
        ``Producer.send``).
        """
        partitions = list(range(self.partitions))
        partition: int = _partitioner(key, partitions, partitions)
        return partition

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """Apply part of the changelog during recovery: the greatest version of each key."""
        events = list(batch)
        values = newest(self.data, [(event.key, event.value) for event in events])
        for event in events:
            event.value = values[event.key]
        super().apply_changelog_batch(events)

    def send_changelog(self, *args: Any, **kwargs: Any) -> Any:
        """Write to the changelog, and keep the future of the delivery for ``flush``."""
        write = super().send_changelog(*args, **kwargs)
        self.__dict__.setdefault("_writes", []).append(write)
        return write


class PatchedTableManager(TableManager):
    """Registers the tables at once."""

    async def on_start(self) -> None:
        """Register the tables. Faust first sleeps for a second, in case more are added: ours exist before the app."""
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()
