"""What the archive must know of the log itself: where it begins, and whether it is still the one that was loaded."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition

from f1stream.settings import Settings
from f1stream.warehouse.loader import Partition, Place
from f1stream.warehouse.tables import fingerprint

ANSWERS_WITHIN_S = 20


async def begins_at(settings: Settings, partitions: list[Partition]) -> dict[Partition, int]:
    """The first offset that each partition still has."""
    if not partitions:
        return {}
    consumer = await _consumer(settings)
    try:
        found = await consumer.beginning_offsets([TopicPartition(*of) for of in partitions])
    finally:
        await consumer.stop()
    return {Partition(tp.topic, tp.partition): offset for tp, offset in found.items()}


async def created_anew(settings: Settings, places: Mapping[Partition, Place]) -> set[Partition]:
    """Partitions in which the last record loaded is not what was loaded: their topic is another one by that name.

    Where retention has deleted that record nothing can be said, and the topic is taken to be the same.
    Raises TimeoutError when the broker does not answer.
    """
    unknown = {TopicPartition(*of): place for of, place in places.items() if place.last_hash is not None}
    anew: set[Partition] = set()
    if not unknown:
        return anew
    consumer = await _consumer(settings)
    try:
        consumer.assign(list(unknown))
        for tp, place in unknown.items():
            consumer.seek(tp, place.next_offset - 1)
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            while unknown:
                batch = await consumer.getmany(timeout_ms=100)
                for tp, place in list(unknown.items()):
                    last = place.next_offset - 1
                    if batch.get(tp):
                        found = batch[tp][0]
                        same = found.offset > last or (
                            found.offset == last
                            and found.timestamp == place.last_timestamp_ms
                            and fingerprint(found.value) == place.last_hash
                        )
                    elif (end := consumer.highwater(tp)) is not None and end <= last:
                        same = False  # the log ends before what was loaded
                    else:
                        continue
                    del unknown[tp]
                    consumer.pause(tp)
                    if not same:
                        anew.add(Partition(tp.topic, tp.partition))
    finally:
        await consumer.stop()
    return anew


async def _consumer(settings: Settings) -> AIOKafkaConsumer:
    consumer = AIOKafkaConsumer(
        **settings.kafka_client(), enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=50,
        max_partition_fetch_bytes=64 * 1024,
    )  # fmt: skip
    await consumer.start()
    return consumer
