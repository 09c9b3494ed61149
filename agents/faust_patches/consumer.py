"""A consumer that reads from the committed offsets after a rebalance, and does not commit during one."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterable
from typing import Any

from faust.transport.drivers import aiokafka as driver
from mode.services import WaitResults

from agents.exiting import exit_process
from agents.faust_patches.consumer_thread import ConsumerThread
from agents.faust_patches.coroutines import cancel, resume

FULL_S = 0.02
"""Seconds between two looks at queues that are full; a batch takes as long."""


class Consumer(driver.Consumer):
    """See the table of patches in docs/faust.md."""

    thread_type: type[ConsumerThread] = ConsumerThread

    def _new_consumer_thread(self) -> ConsumerThread:
        return self.thread_type(self, loop=self.loop, beacon=self.beacon)

    async def perform_seek(self) -> None:
        """Set all positions at once: to the committed offset, the beginning, or an earlier offset of the app.

        Faust leaves a partition without a committed offset at the client's own position.
        """
        generation = self.app.tables.recovery._generation_id  # the assignment for which tables were recovered
        committed = await self._thread.committed_offsets()
        positions = {**committed, **await self.app.earlier_positions(committed)}
        await self._thread.set_positions(positions, generation)
        for tp, offset in positions.items():
            self._read_offset[tp] = self._committed_offset[tp] = offset or None

    def _filter_committable_offsets(self, tps: Iterable[Any]) -> dict[Any, int]:
        """Do not commit offsets of partitions that are being assigned.

        If an event is acknowledged after the revocation, its table write may be stored only after the new owner has
        recovered the table. The client would commit the offset as a member of the new generation and the broker would
        accept it: the new owner would miss records.
        """
        assigned = [tp for tp in tps if tp in self._thread.position_versions]
        committable: dict[Any, int] = super()._filter_committable_offsets(assigned)
        return committable

    async def _wait_next_records(self, timeout: float) -> Any:
        """Return no records while partitions are being assigned: ``getmany`` would set their positions.

        While partitions wait for room in the streams' queues, look again soon: Faust sleeps for a second if all do,
        and else waits as long for records of the others.
        """
        if self.flow_active and self._buffered_partitions:
            timeout = FULL_S
            if not self._get_active_partitions():
                await self.sleep(FULL_S)
                return None, set()
        records, active = await super()._wait_next_records(timeout)
        return (records if self.flow_active else None), active

    def verify_event_path(self, now: float, tp: Any) -> None:
        """Disable Faust's check for stuck partitions: it stops the worker if a position is being set meanwhile.

        ``agents.health`` detects stuck partitions and only reports them.
        """

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[Any, Any]]:
        """Drop records that were fetched before their partition's position was set.

        Faust sets positions last in a rebalance, when it may already be delivering records from the client's own
        position. It also reads the generation after waiting for records, so that records of the previous position
        look like those of the new one. Delivering either would skip the records in between.
        """
        thread = self._thread
        async for tp, message in super().getmany(timeout):
            version = thread.position_versions.get(tp)
            if version is None or version != thread.fetched_versions.get(tp):
                continue
            read = self._read_offset[tp]
            if read is not None and message.offset < read:
                exit_process(
                    f"{tp.topic}[{tp.partition}] was read to {read} and continues at {message.offset}: "
                    "the topic was deleted and created again."
                )
            yield tp, message

    async def wait_first(self, *waitables: Any, timeout: Any = None) -> WaitResults:
        """Run the first coroutine without a task if it need not wait (a queue with room).

        Faust starts four tasks for each message, which is most of a message's cost.
        """
        first, *others = waitables
        if not inspect.iscoroutine(first) or self.suspend_flow.is_set():
            return await super().wait_first(*waitables, timeout=timeout)
        try:
            future = first.send(None)
        except BaseException as ended:
            for other in others:
                cancel(other)
            if not isinstance(ended, StopIteration):
                raise
            if self._stopped.is_set() or self._crashed.is_set():
                return WaitResults([], [], True)
            return WaitResults([first], [ended.value], False)
        rest = resume(first, future)
        results = await super().wait_first(rest, *others, timeout=timeout)
        return results._replace(done=[first if waitable is rest else waitable for waitable in results.done])
