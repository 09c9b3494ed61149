"""Kafka's logs: the first offset of each, and whether the topic was deleted and created again since it was loaded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from f1stream.kafka import next_record
from f1stream.settings import Settings
from f1stream.warehouse.partition_batch import LoadedOffset, Partition
from f1stream.warehouse.tables import fingerprint

ANSWERS_WITHIN_S = 20
"""Seconds. A broker that takes longer counts as unreachable: TimeoutError."""


class KafkaTopicLog:
    """``TopicLog`` of a Kafka cluster. Every method may raise KafkaError, OSError or TimeoutError."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def first_offsets(self, partitions: list[Partition]) -> dict[Partition, int]:
        """The first offset that Kafka still has of each partition."""
        if not partitions:
            return {}
        async with self._consumer() as consumer:
            found = await consumer.beginning_offsets([TopicPartition(*partition) for partition in partitions])
        return {Partition(tp.topic, tp.partition): offset for tp, offset in found.items()}

    async def next_record(self, partition: Partition, offset: int) -> int:
        """The offset of the first record at or after ``offset``; waits until there is one."""
        return await next_record(self._settings, *partition, offset)

    async def recreated(self, offsets: Mapping[Partition, LoadedOffset]) -> set[Partition]:
        """Partitions whose last loaded record is not in the log: the topic was deleted and created again.

        When retention has deleted that record, the topic counts as the same.
        """
        unknown = {TopicPartition(*of): loaded for of, loaded in offsets.items() if loaded.last_hash is not None}
        recreated: set[Partition] = set()
        if not unknown:
            return recreated
        async with self._consumer() as consumer:
            consumer.assign(list(unknown))
            for tp, loaded in unknown.items():
                consumer.seek(tp, loaded.next_offset - 1)
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                while unknown:
                    batch = await consumer.getmany(timeout_ms=100)
                    for tp, loaded in list(unknown.items()):
                        same = _is_same(loaded, batch.get(tp), consumer.highwater(tp))
                        if same is None:
                            continue
                        del unknown[tp]
                        consumer.pause(tp)
                        if not same:
                            recreated.add(Partition(tp.topic, tp.partition))
        return recreated

    @asynccontextmanager
    async def _consumer(self) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            **self._settings.kafka_client(), enable_auto_commit=False, auto_offset_reset="earliest",
            fetch_max_wait_ms=50, max_partition_fetch_bytes=64 * 1024,
        )  # fmt: skip
        await consumer.start()
        try:
            yield consumer
        finally:
            await consumer.stop()


def _is_same(loaded: LoadedOffset, found: list[Any] | None, end: int | None) -> bool | None:
    """Whether the last loaded record is in the log. ``found``: records read from its offset on. None: unknown yet."""
    last = loaded.next_offset - 1
    if found:
        first = found[0]
        return bool(first.offset > last) or (
            bool(first.offset == last)
            and first.timestamp == loaded.last_timestamp_ms
            and fingerprint(first.value) == loaded.last_hash
        )
    return False if end is not None and end <= last else None  # the log ends before what was loaded
