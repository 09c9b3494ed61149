"""A reconnecting tail of Kafka topics, without a consumer group: it knows records and offsets, not their content."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from f1stream.fetch_wait import FetchWait
from f1stream.process_health import StallDetector
from f1stream.settings import Settings

log = logging.getLogger(__name__)

Batches = dict[TopicPartition, list[Any]]
"""Consumer records by partition, in offset order."""

FETCH_BYTES = 8_000_000
PARTITION_FETCH_BYTES = 2_000_000
POLL_RECORDS = 500
"""Records per poll: the event loop is blocked while they are handled."""
CHECK_S = 2.0
"""Seconds between two requests for the log ends: an idle consumer does not notice a lost broker."""
TIMEOUT_S = 3.0
"""Seconds for one answer of the broker; after that the connection is closed and opened again."""
BACKOFF_S = (0.5, 1.0, 2.0, 4.0)
"""Seconds between attempts to connect, the last one for all further attempts."""


class TopicTail:
    """Reads topics from their beginnings and reconnects until it is stopped, continuing at its last offsets.

    ``on_records`` receives what was read. ``on_change`` is called when ``connected``, ``caught_up``, ``lags`` or
    ``stuck`` may have changed.
    """

    def __init__(
        self,
        names: Sequence[str],
        busy_ms: int,
        settings: Settings,
        on_records: Callable[[Batches], None],
        on_change: Callable[[], None],
    ) -> None:
        """``busy_ms``: how long the broker may hold a fetch while records arrive (see ``FetchWait``)."""
        self.connected = False
        self.caught_up = False
        """Whether every partition has been read to its end once."""
        self.lags: dict[tuple[str, int], int] = {}
        """Records not read yet, by topic and partition."""
        self.stuck: str | None = None
        """Which partition grows without being read, as a sentence."""
        self._names = tuple(names)
        self._label = " and ".join(names)
        self._busy_ms = busy_ms
        self._settings = settings
        self._on_records = on_records
        self._on_change = on_change
        self._stalls = StallDetector("read")
        self._positions: dict[TopicPartition, int] = {}
        self._task: asyncio.Task[None] | None = None
        self._reached_topics = False
        """Whether the current connection found the topics."""

    def start(self) -> None:
        """Start reading in a task."""
        self._task = asyncio.create_task(self._run(), name=f"tail of {self._label}")

    async def stop(self) -> None:
        """Cancel the task and close the connection."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        failures = 0
        while not _cancelled():
            try:
                await self._read()
            except (KafkaError, OSError, TimeoutError, asyncio.CancelledError) as error:
                # aiokafka turns a lost broker into a cancellation, and our cancellation into a connection
                # error: only the task itself knows whether it was cancelled.
                if _cancelled():
                    return
                # One warning per outage: a broker that is away for an hour must not fill the log.
                log.log(
                    logging.DEBUG if failures else logging.WARNING,
                    "reading topics %s from %s failed (%s: %s); trying again",
                    self._label,
                    ", ".join(self._settings.bootstrap),
                    type(error).__name__,
                    error,
                )
            except Exception:
                log.exception("reading topics %s failed; trying again", self._label)
            failures = 0 if self._reached_topics else failures + 1
            self._set_connected(False)
            await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])

    def _set_connected(self, connected: bool) -> None:
        self._reached_topics = self.connected = connected
        self._on_change()

    async def _read(self) -> None:
        """One connection, until it fails."""
        consumer = AIOKafkaConsumer(
            group_id=None,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            fetch_max_wait_ms=self._busy_ms,
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
            metadata_max_age_ms=30_000,
            **self._settings.kafka_client(),
        )
        wait = FetchWait(self._busy_ms)
        check: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(TIMEOUT_S * 2):
                await consumer.start()
            partitions = await self._assign(consumer)
            await self._seek(consumer, partitions)
            log.info("reading topics %s, %d partitions", self._label, len(partitions))
            self._set_connected(True)
            check = asyncio.create_task(self._check(consumer, partitions))
            while not check.done():
                batches = await consumer.getmany(timeout_ms=1000, max_records=POLL_RECORDS)
                wait.update(consumer, any(batches.values()))
                self._on_records(batches)
                for partition, batch in batches.items():
                    if batch:
                        self._positions[partition] = batch[-1].offset + 1
            await check
        finally:
            self.connected = False  # before closing: closing a connection to a lost broker takes time
            self._on_change()
            if check:
                check.cancel()
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(TIMEOUT_S):
                    await consumer.stop()

    async def _assign(self, consumer: AIOKafkaConsumer) -> list[TopicPartition]:
        """Wait until all topics exist, then assign every partition of them to this consumer.

        Subscribing earlier would make the broker create the topics with its default number of partitions.
        """
        logged = False
        while True:
            async with asyncio.timeout(TIMEOUT_S):
                missing = [name for name in self._names if name not in await consumer.topics()]
            if not missing:
                break
            if not logged:
                log.info("waiting for topics %s; `f1stream topics` creates them", " and ".join(missing))
                logged = True
            self.connected = True  # to a broker that has no session yet
            self._on_change()
            await asyncio.sleep(BACKOFF_S[0])
        consumer.subscribe(list(self._names))
        async with asyncio.timeout(TIMEOUT_S):
            # Metadata may bring one topic before the other; aiokafka has no event for it.
            while {each.topic for each in consumer.assignment()} != set(self._names):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return sorted(consumer.assignment())

    async def _seek(self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> None:
        """Continue at the last offsets where the log still contains them, else at its beginning.

        A topic that was deleted and created again is shorter. Repeated records are harmless: the tapes drop them,
        and results replace equal results.
        """
        async with asyncio.timeout(TIMEOUT_S):
            first = await consumer.beginning_offsets(partitions)
            end = await consumer.end_offsets(partitions)
        for partition in partitions:
            position = self._positions.get(partition, 0)
            inside = first[partition] <= position <= end[partition]
            self._positions[partition] = position if inside else first[partition]
            consumer.seek(partition, self._positions[partition])

    async def _check(self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> None:
        """Update lags periodically from the log ends; raises when the broker does not answer."""
        while True:
            async with asyncio.timeout(TIMEOUT_S):
                ends = await consumer.end_offsets(partitions)
            positions = {each: self._positions.get(each, 0) for each in partitions}
            self.lags = {(each.topic, each.partition): max(0, ends[each] - at) for each, at in positions.items()}
            now = time.monotonic()
            stuck = [
                self._stalls.stuck(each.topic, each.partition, ends[each], at, now) for each, at in positions.items()
            ]
            self.stuck = next(filter(None, stuck), None)
            if not self.caught_up and not any(self.lags.values()):
                self.caught_up = True
            self._on_change()
            await asyncio.sleep(CHECK_S if self.caught_up else CHECK_S / 20)


def _cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
