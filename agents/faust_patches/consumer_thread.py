"""The thread that fetches from the broker."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any

import aiokafka
from aiokafka.errors import IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from f1stream.fetch_wait import FetchWait

BUSY_MS = 20
"""Milliseconds that a fetch may take while records arrive; Faust uses 1,500.

The client has one request at a time with a broker, for the partitions of which it has no records left. While the
broker holds one for quiet partitions, the others cannot be read on, although they have records.
"""


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Records which position of a partition was in effect at each fetch, and sets all positions in one step."""

    busy_ms = BUSY_MS
    position_versions: dict[Any, int]
    """Per partition, a counter that changes whenever its position is set; cleared on rebalance."""
    fetched_versions: dict[Any, int]
    """``position_versions`` at the latest fetch."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.position_versions = {}
        self.fetched_versions = {}
        self._next_version = count()
        self._generation: Any = None
        """Generation of the assignment; None while partitions are being assigned."""
        self._fetch_wait = FetchWait(self.busy_ms)

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        """Change how long a fetch waits, which Faust hard-codes."""
        client = super()._create_worker_consumer(transport)
        client._fetch_max_wait_ms = self.busy_ms
        return client

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        """Invalidate all positions until partitions are assigned and their positions set."""
        self._generation = None
        self.position_versions.clear()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[Any], generation_id: int = 0) -> None:
        """Invalidate all positions until they are set for this assignment."""
        self._generation = generation_id
        self.position_versions.clear()
        await super().on_partitions_assigned(assigned, generation_id)

    async def _fetch_records(self, consumer: aiokafka.AIOKafkaConsumer, *args: Any, **kwargs: Any) -> Any:
        """Fetch records from the client; record their positions, and set how long the next fetches may take."""
        records = await super()._fetch_records(consumer, *args, **kwargs)
        self.fetched_versions = self.position_versions.copy()
        self._fetch_wait.update(consumer, bool(records))
        return records

    async def committed_offsets(self) -> dict[Any, int | None]:
        """The group's committed offset of each input partition; None without one."""
        offsets: dict[Any, int | None] = await self.call_thread(self._committed_offsets)
        return offsets

    async def _committed_offsets(self) -> dict[Any, int | None]:
        client = self._ensure_consumer()
        tps = [TP(*tp) for tp in client.assignment() if not self.consumer._is_changelog_tp(tp)]
        return {tp: await client.committed(tp) for tp in tps}

    async def set_positions(self, positions: Mapping[Any, int | None], generation: Any) -> None:
        """Set the position of each partition; None is the beginning.

        Raises IllegalStateError if ``generation`` is not that of the current assignment.
        """
        await self.call_thread(self._set_positions, positions, generation)

    async def _set_positions(self, positions: Mapping[Any, int | None], generation: Any) -> None:
        client = self._ensure_consumer()
        beginnings = await client.beginning_offsets([tp for tp, offset in positions.items() if not offset])
        if self._generation != generation:
            raise IllegalStateError("The partitions are being assigned.")
        for tp, offset in positions.items():  # without an await: no fetch may come between
            client.seek(tp, offset or beginnings[tp])
            self.position_versions[tp] = next(self._next_version)

    async def _seek_wait(self, consumer: Any, partitions: Mapping[Any, int]) -> None:
        """Set positions for table recovery; Faust sets all of them before its first await."""
        for tp in partitions:
            self.position_versions[tp] = next(self._next_version)
        await super()._seek_wait(consumer, partitions)
