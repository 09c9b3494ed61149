"""The archive worker: every record of the topics into the warehouse, exactly once.

    telemetry, laps, messages, dead-letters ──▶ archive ──▶ RAW tables

Records wait in memory until there are enough for a flush, or the oldest is old enough. They are acknowledged when the
warehouse has committed them; while it is away nothing more is read than fits, and Kafka keeps the rest. The protocol
is in ``f1stream.warehouse.sink``.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from typing import Any

import snowflake.connector
from aiokafka.errors import KafkaError

from agents.app import FaustOutputs, batches, create_app, raw_topic
from agents.exiting import exit_on_error
from agents.faust_patches.app import PatchedApp
from agents.health import WorkerHealth, serve_health
from f1stream import metrics, topics
from f1stream.process_health import STUCK_S, StallDetector
from f1stream.settings import settings
from f1stream.warehouse.buffer import FlushLimits
from f1stream.warehouse.connection import Warehouse, error_text
from f1stream.warehouse.errors import WarehouseError
from f1stream.warehouse.loader import Loader
from f1stream.warehouse.loader_thread import LoaderThread
from f1stream.warehouse.partition_batch import Partition
from f1stream.warehouse.retry import Retry
from f1stream.warehouse.sink import CONSUMER, ArchiveSink
from f1stream.warehouse.tables import BY_TOPIC
from f1stream.warehouse.topic_log import KafkaTopicLog

LOOK_EVERY_S = 0.25
"""How often buffered records are looked at for their age."""
TRANSIENT = (snowflake.connector.Error, WarehouseError, KafkaError, TimeoutError, OSError)
"""The warehouse or the broker is away, or what a statement needs is missing there and can be restored."""


class ArchiveApp(PatchedApp):
    """Begins where the warehouse says: it knows better than the consumer group."""

    async def earlier_positions(self, positions: Mapping[Any, int | None]) -> Mapping[Any, int]:
        """Partitions of which Kafka has acknowledged more than is loaded are read again from there."""
        ours = {Partition(tp.topic, tp.partition): tp for tp in positions if tp.topic in BY_TOPIC}
        back = await sink.assigned({partition: positions[tp] or 0 for partition, tp in ours.items()})
        return {ours[partition]: offset for partition, offset in back.items()}


def waits_for(away: str | None) -> None:
    """Report whether the warehouse is away, and why: no other worker would get further."""
    health.waits = away
    metrics.WAREHOUSE_UP.set(away is None)


def describe(error: BaseException) -> str:
    """An error as a sentence."""
    return error_text(error) if isinstance(error, snowflake.connector.Error) else f"{type(error).__name__}: {error}"


def create_sink() -> ArchiveSink:
    """The sink as it is set."""
    s = settings()
    return ArchiveSink(
        LoaderThread(Loader(Warehouse(s), f"{socket.gethostname()}:{os.getpid()}")),
        KafkaTopicLog(s),
        FaustOutputs(app, topics.DEAD_LETTERS),
        FlushLimits(s.archive_flush_rows, s.archive_flush_bytes, s.flush_seconds),
        Retry(TRANSIENT, s.archive_retry_seconds, describe, waits_for),
    )


app = create_app("f1stream-archive", settings(), settings().archive_port, ArchiveApp)
records = raw_topic(app, *BY_TOPIC)
# What is buffered is not acknowledged on purpose.
health = WorkerHealth(app, StallDetector("acknowledged", STUCK_S + settings().flush_seconds))
serve_health(app, health)
sink = create_sink()


@app.agent(records)
@exit_on_error
async def archive(stream: Any) -> None:
    """Receive records; the sink flushes when there are enough."""
    async for batch in batches(app, CONSUMER, stream):
        await sink.receive(batch, stream.ack)


@app.task
@exit_on_error
async def flush_old_records() -> None:
    """Flush records that none follow."""
    while not app.should_stop:
        await asyncio.sleep(LOOK_EVERY_S)
        await sink.flush_if_due()
