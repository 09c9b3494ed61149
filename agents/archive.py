"""The archive worker: loads every record of the topics into the warehouse, exactly once.

    telemetry, laps, messages, dead-letters ──▶ archive ──▶ RAW tables

Records are buffered until a flush is due by their number, size or age, and acknowledged when the warehouse has
committed them. Meanwhile the next ones are buffered. While the warehouse is unavailable the buffer fills up, then
reading pauses. The protocol is in ``f1stream.warehouse.sink``.
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
"""Seconds between two checks of the buffered records' age."""
TRANSIENT = (snowflake.connector.Error, WarehouseError, KafkaError, TimeoutError, OSError)
"""Errors that are retried: the warehouse or broker is unavailable, or a missing object can be restored."""


class ArchiveApp(PatchedApp):
    """Starts reading at the warehouse's offsets instead of the consumer group's."""

    async def earlier_positions(self, positions: Mapping[Any, int | None]) -> Mapping[Any, int]:
        """The loaded offset of each partition whose acknowledged offset is ahead of it."""
        ours = {Partition(tp.topic, tp.partition): tp for tp in positions if tp.topic in BY_TOPIC}
        back = await sink.assigned({partition: positions[tp] or 0 for partition, tp in ours.items()})
        return {ours[partition]: offset for partition, offset in back.items()}

    async def on_shutdown(self) -> None:
        """The tasks have ended that receive and flush: end the flush, too."""
        await super().on_shutdown()
        await sink.stop()


def waits_for(away: str | None) -> None:
    """Report whether the warehouse is unavailable, and why: restarting the worker would not help."""
    health.waits = away
    metrics.WAREHOUSE_UP.set(away is None)


def describe(error: BaseException) -> str:
    """Describe an error in a sentence."""
    return error_text(error) if isinstance(error, snowflake.connector.Error) else f"{type(error).__name__}: {error}"


def create_sink() -> ArchiveSink:
    """Create the sink from the settings."""
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
# Buffered records are unacknowledged on purpose, for as long as a flush takes to become due.
health = WorkerHealth(app, StallDetector("acknowledged", STUCK_S + settings().flush_seconds))
serve_health(app, health)
sink = create_sink()


@app.agent(records)
@exit_on_error
async def archive(stream: Any) -> None:
    """Buffer records; the sink flushes when enough are buffered."""
    async for batch in batches(app, CONSUMER, stream):
        await sink.receive(batch, stream.ack)


@app.task
@exit_on_error
async def flush_old_records() -> None:
    """Flush records that are old enough, although no further record arrives."""
    while not app.should_stop:
        await asyncio.sleep(LOOK_EVERY_S)
        await sink.flush_if_due()
