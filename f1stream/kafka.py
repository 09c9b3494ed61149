"""Administration of the broker: whether it is reachable, its topics, offsets at the end of logs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

from f1stream import topics
from f1stream.errors import UserError
from f1stream.ports import listens
from f1stream.settings import Settings
from f1stream.topic_settings import partitions, topic_configs, use_broker_timestamps, wrong_partitions

TOPIC_EXISTS = 36


class BrokerError(UserError):
    """The broker cannot be used; the text is one sentence for the user."""


def unreachable(settings: Settings, error: object) -> BrokerError:
    """The error for a broker that does not answer."""
    where = ",".join(settings.bootstrap)
    hint = (
        "Start the embedded broker with `f1stream broker`, or set F1STREAM_BROKER."
        if settings.embedded
        else "Check F1STREAM_BROKER and the F1STREAM_BROKER_* settings for TLS and SASL."
    )
    return BrokerError(f"No Kafka broker answers at {where} ({error}). {hint}")


def has_broker(settings: Settings) -> bool:
    """Whether a broker is expected: an embedded one only if it listens, a configured one always."""
    return not settings.embedded or listens(settings.embedded_broker_port)


def producer_for(settings: Settings, **more: Any) -> AIOKafkaProducer:
    """An idempotent producer; the embedded broker does not support idempotence."""
    return AIOKafkaProducer(
        **settings.kafka_client(), enable_idempotence=not settings.embedded,
        max_request_size=topics.MAX_RECORD_BYTES, compression_type=topics.COMPRESSION, **more,
    )  # fmt: skip


async def create_topics(settings: Settings) -> list[str]:
    """Create the missing topics; returns their names. Raises BrokerError.

    A broker's automatic topics have its default number of partitions: the records of one car or session would no
    longer be in partitions of the same number.
    """
    configs = topic_configs(settings)
    wanted = [
        NewTopic(name, count, settings.topic_replication, topic_configs=configs.get(name, {}))
        for name, count in partitions(settings).items()
    ]
    admin = AIOKafkaAdminClient(**settings.kafka_client(), request_timeout_ms=10_000)
    try:
        await admin.start()
        answer = await admin.create_topics(wanted)
    except (KafkaError, OSError) as error:
        raise unreachable(settings, error) from error
    finally:
        await admin.close()
    created = []
    for name, code, *_ in answer.topic_errors:
        if code == 0:
            created.append(name)
        elif code != TOPIC_EXISTS:
            raise BrokerError(f"Topic {name} could not be created: {for_code(code).__name__}.")
    return created


async def require_equal_partitions(settings: Settings) -> None:
    """Raises BrokerError when the race worker's topics or changelogs differ in their number of partitions."""
    admin = AIOKafkaAdminClient(**settings.kafka_client(), request_timeout_ms=10_000)
    try:
        await admin.start()
        there = {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics()}
    except (KafkaError, OSError) as error:
        raise unreachable(settings, error) from error
    finally:
        await admin.close()
    if wrong := wrong_partitions(there, settings):
        raise BrokerError(wrong)


async def configure_topics(settings: Settings) -> None:
    """Set the required settings on existing topics. Raises BrokerError when the broker refuses."""
    if settings.embedded:  # it cannot change settings, and forgets topics when it stops
        return
    admin = AIOKafkaAdminClient(**settings.kafka_client(), request_timeout_ms=10_000)
    try:
        await admin.start()
        refused = await use_broker_timestamps(admin)
    except (KafkaError, OSError) as error:
        raise unreachable(settings, error) from error
    finally:
        await admin.close()
    if refused:
        raise BrokerError(" ".join(refused) + " Set it as an administrator of the brokers.")


async def end_offsets(settings: Settings, partitions: Iterable[Any]) -> dict[Any, int]:
    """The offset after the last record of each partition (any object with ``topic`` and ``partition``).

    The reported end is checked by a fetch, because the embedded broker counts its last batch as one record. Raises
    BrokerError, and TimeoutError when the broker does not answer within 10 s.
    """
    asked = {TopicPartition(tp.topic, tp.partition): tp for tp in partitions}
    consumer = AIOKafkaConsumer(**settings.kafka_client(), enable_auto_commit=False, fetch_max_wait_ms=20)
    try:
        await consumer.start()
        ends: dict[TopicPartition, int] = await consumer.end_offsets(list(asked))
        waiting = {tp for tp, end in ends.items() if end}
        consumer.assign(list(waiting))
        for tp in waiting:
            consumer.seek(tp, ends[tp] - 1)
        async with asyncio.timeout(10):
            while waiting:
                await consumer.getmany(timeout_ms=100)
                for tp in [tp for tp in waiting if consumer.highwater(tp) is not None]:
                    ends[tp] = max(ends[tp], consumer.highwater(tp))
                    waiting.remove(tp)
    except (KafkaError, OSError) as error:
        raise unreachable(settings, error) from error
    finally:
        await consumer.stop()
    return {asked[tp]: end for tp, end in ends.items()}


NEXT_RECORD_WITHIN_S = 20.0
"""Seconds to wait for the record; then TimeoutError is raised."""


async def next_record(settings: Settings, topic: str, partition: int, offset: int) -> int:
    """The offset of the first record at or after ``offset``; waits for one.

    Raises KafkaError, OSError or TimeoutError.
    """
    at = TopicPartition(topic, partition)
    consumer = AIOKafkaConsumer(
        **settings.kafka_client(), enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=50,
        max_partition_fetch_bytes=64 * 1024,
    )  # fmt: skip
    await consumer.start()
    try:
        consumer.assign([at])
        consumer.seek(at, offset)
        async with asyncio.timeout(NEXT_RECORD_WITHIN_S):
            return int((await consumer.getone()).offset)
    finally:
        await consumer.stop()
