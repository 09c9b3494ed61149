"""Finds newer runs of a session in the topics, which would supersede the one about to be published."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from f1stream import topics
from f1stream.kafka import BrokerError, unreachable
from f1stream.settings import Settings

SEARCH_S = 5.0
"""The search ends after this."""
SEARCH_BYTES = 64_000_000
"""The search ends after so many bytes of values in all partitions; the messages of a race have some 3 MB."""
SEARCH_RECORDS = 100_000
"""Only so many of the newest records of a partition are searched."""
_partitioner = DefaultPartitioner()
log = logging.getLogger(__name__)


async def newer_runs(
    settings: Settings, session_keys: Iterable[str], epoch: int, client: Callable[..., Any] = AIOKafkaConsumer
) -> dict[str, int]:
    """By session key, the greatest run id after ``epoch`` among its messages, if there is one.

    Reads the headers of the newest records within the bounds above; an older run is not found. Raises BrokerError.
    """
    keys = {key.encode() for key in session_keys}
    consumer = client(topics.MESSAGES, **settings.kafka_client(), enable_auto_commit=False, fetch_max_wait_ms=50)
    try:
        await consumer.start()
        numbers = sorted(consumer.partitions_for_topic(topics.MESSAGES) or {0})
        consumer.unsubscribe()
        wanted = {TopicPartition(topics.MESSAGES, _partitioner(key, numbers, numbers)) for key in keys}
        return await _greatest(consumer, wanted, keys, epoch)
    except (KafkaError, OSError) as error:
        raise unreachable(settings, error) from error
    finally:
        await consumer.stop()


async def _greatest(consumer: Any, wanted: Collection[Any], keys: set[bytes], epoch: int) -> dict[str, int]:
    consumer.assign(list(wanted))
    first, end = await consumer.beginning_offsets(list(wanted)), await consumer.end_offsets(list(wanted))
    for tp in wanted:
        consumer.seek(tp, max(first[tp], end[tp] - SEARCH_RECORDS))
    found: dict[str, int] = {}
    left, until = SEARCH_BYTES, time.monotonic() + SEARCH_S
    waiting = {tp for tp in wanted if end[tp] > first[tp]}
    while waiting and left > 0 and time.monotonic() < until:
        for batch in (await consumer.getmany(timeout_ms=200)).values():
            for record in batch:
                left -= len(record.value or b"")
                run = _run(record)
                if record.key in keys and run is not None and run > epoch:
                    key = record.key.decode()
                    found[key] = max(run, found.get(key, 0))
        # The end is read again with each fetch: the embedded broker's first answer is too small.
        done = [tp for tp in waiting if (ends := consumer.highwater(tp)) and await consumer.position(tp) >= ends]
        waiting.difference_update(done)
    return found


def _run(record: Any) -> int | None:
    """The run id in a record's headers; None without one that the workers would accept."""
    try:
        run = int(dict(record.headers)["epoch"])
    except (KeyError, TypeError, ValueError):
        return None
    return run if run <= record.timestamp + topics.MAX_AHEAD_MS else None


def newer_run_warning(settings: Settings, session_key: str, run: int) -> str:
    """The warning about a newer run."""
    at = datetime.fromtimestamp(run / 1000, UTC)
    removed = (
        "restart the embedded broker"
        if settings.embedded
        else "recreate the topics as described in deploy/README.md, Other numbers of partitions"
    )
    return (
        f"Session {session_key} has a newer run in the topics, {run} ({at:%Y-%m-%d %H:%M:%S} UTC), which supersedes "
        "this one: publish again after that time (is this machine's clock behind?), or remove its records "
        f"({removed})."
    )


async def warn_of_newer_runs(
    settings: Settings, session_keys: Iterable[str], epoch: int, warn: Callable[[str], None] = log.warning
) -> None:
    """Warn about each session that has a newer run. A broker that does not answer is logged, not raised."""
    try:
        async with asyncio.timeout(2 * SEARCH_S):
            found = await newer_runs(settings, session_keys, epoch)
    except (BrokerError, TimeoutError) as error:
        log.info("The search for newer runs failed: %s.", error or "the broker is slow")
        return
    for session_key, run in sorted(found.items()):
        warn(newer_run_warning(settings, session_key, run))
