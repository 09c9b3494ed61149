"""``f1stream live``: publishes the official feed, and records it to a file, until the session ends."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections import deque
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any

from aiokafka.errors import KafkaError
from prometheus_client import start_http_server

from f1stream import logs
from f1stream.kafka import create_topics, producer_for, unreachable
from f1stream.ports import check_port
from f1stream.process_health import register_process_metrics
from f1stream.settings import Settings
from f1stream.sources.livetiming.connection.client import FeedClient
from f1stream.sources.livetiming.connection.recorder import Recorder
from f1stream.sources.livetiming.live_run import LiveRun
from f1stream.sources.newer_runs import warn_of_newer_runs
from f1stream.sources.publish import BATCH_BYTES, Outbox, RunCounts

log = logging.getLogger(__name__)
LOG_EVERY_S = 60.0
"""Time (s) between two log lines with the counts so far."""


async def follow(settings: Settings, record: Path | None = None, *, append: bool = False) -> RunCounts:
    """Publish the session that is on; return when the feed sends its end, or at Ctrl-C or SIGTERM.

    When the feed goes on to another session without ending the first, the other is published as a run of its own: a
    session that was cancelled or abandoned remains the feed's state until 15 minutes before the next one.

    ``record``: a file for the feed's messages as received. Raises BrokerError and SourceError.
    """
    logs.configure("live", settings)
    live = FeedClient(settings)
    check_port(settings.web_host, settings.live_port, "F1STREAM_LIVE_PORT", "the live client's metrics")
    await create_topics(settings)
    epoch = time.time_ns() // 1_000_000
    counts = RunCounts("live", epoch)
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    producer = producer_for(settings, max_batch_size=BATCH_BYTES)
    async with AsyncExitStack() as stack:
        register_process_metrics()
        server, _ = start_http_server(settings.live_port, settings.web_host)
        stack.callback(server.shutdown)
        recorder = stack.enter_context(Recorder(record, append=append)) if record is not None else None
        try:
            stack.push_async_callback(producer.stop)
            await producer.start()
            messages = await stack.enter_async_context(aclosing(live.messages()))
            following = asyncio.create_task(_follow(settings, messages, producer, counts, recorder))
            stopping = asyncio.create_task(stopped.wait())
            await asyncio.wait({following, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if not following.done():
                following.cancel()
                await asyncio.wait({following})
            if not following.cancelled():
                await following
        except (KafkaError, OSError) as error:
            raise unreachable(settings, error) from error
    return counts


async def _follow(
    settings: Settings, messages: Any, producer: Any, counts: RunCounts, recorder: Recorder | None
) -> None:
    outbox = Outbox(producer, counts)
    run = _run(settings, counts)
    log_at = 0.0
    warnings: dict[str, asyncio.Task[None]] = {}
    async for message in messages:
        if recorder is not None:
            recorder.write(message)
        pending = deque([message])
        while pending:
            for item in run.take(pending.popleft()):
                await outbox.put(item)
            if run.left:
                pending.extendleft(reversed(run.left))
                counts.epoch = max(time.time_ns() // 1_000_000, counts.epoch + 1)
                run = _run(settings, counts)
        if run.parser is not None and run.parser.state.info:
            counts.session_key = key = run.parser.state.key
            if key not in warnings:
                warnings[key] = asyncio.create_task(warn_of_newer_runs(settings, [key], counts.epoch))
        if time.monotonic() >= log_at:
            log_at = time.monotonic() + LOG_EVERY_S
            log.info("Session %s: %s samples, %s laps, %s messages so far.", counts.session_key, counts.samples,
                     counts.laps, counts.messages, extra={"session": counts.session_key})  # fmt: skip
        if run.ended:
            await outbox.empty()
            return


def _run(settings: Settings, counts: RunCounts) -> LiveRun:
    return LiveRun(counts.epoch, round(settings.live_hold_back_seconds * 1000), "live:f1")
