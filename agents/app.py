"""Creates Faust apps, topics and tables, and reads streams in batches. Why so: docs/faust.md."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError
from faust.auth import SASLCredentials, SSLCredentials

from agents.exiting import exit_on_error, exit_process
from agents.faust_patches import embedded, transport
from agents.faust_patches.app import PatchedApp
from agents.faust_patches.stream import take
from agents.faust_patches.tables import DurableTable, PatchedTableManager
from f1stream.processing.batch import Batch
from f1stream.processing.outputs import Output, RecordRefused
from f1stream.settings import Settings
from f1stream.topics import COMPRESSION, MAX_RECORD_BYTES

REBALANCE_S = 60.0
"""Seconds. After a rebalance without progress for this long, the process exits."""
BATCH = 500
"""Most events in one batch."""
QUEUE = 2 * BATCH
"""Most events of a stream that wait for the next batches; with more, Faust pauses reading."""
FETCH_BYTES = 256 * 1024
"""Bytes of one partition in a fetch, compressed; at least one batch. Partitions then advance evenly: frames wait for
the slowest, and with more bytes the race worker buffered most of a race that it read at full speed."""

TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
"""Errors of the client and the broker for a record that no retry can deliver."""

A = TypeVar("A", bound=PatchedApp)


def create_app(name: str, settings: Settings, port: int, kind: type[A]) -> A:
    """Create a worker's app. ``name``: its consumer group. ``port``: of its health and metrics."""
    workers = settings.folder("workers")
    scheme = embedded.SCHEME if settings.embedded else transport.SCHEME
    app = kind(
        name,
        broker=";".join(f"{scheme}://{broker}" for broker in settings.bootstrap),
        broker_credentials=_credentials(settings),
        store="memory://",
        datadir=str(workers / f"{name}-{port}"),
        topic_partitions=settings.topic_partitions,
        topic_replication_factor=settings.topic_replication,
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=10_000,  # a recreated topic is noticed within 10 s
        # The embedded broker delays a join by half the session timeout, and until a killed member's session ends.
        # Apache Kafka accepts no less than 6 s by default.
        broker_session_timeout=4.0 if settings.embedded else 6.0,
        broker_heartbeat_interval=1.0,
        broker_max_poll_interval=settings.broker_max_poll_seconds,
        broker_commit_interval=1.0,
        stream_wait_empty=False,  # waiting for unacknowledged events hangs on SIGTERM
        consumer_max_fetch_size=FETCH_BYTES,
        stream_buffer_maxsize=QUEUE,
        producer_linger_ms=0,
        producer_compression_type=COMPRESSION,
        producer_max_batch_size=512 * 1024,
        producer_max_request_size=MAX_RECORD_BYTES,
        web_bind=settings.web_host,
        web_host=f"[{settings.web_host}]" if ":" in settings.web_host else settings.web_host,  # in a URL
        web_port=port,
        web_tables_enabled=False,  # these two pages would expose data
        web_router_enabled=False,
        worker_redirect_stdouts=False,
        Table=DurableTable,
        TableManager=PatchedTableManager,
    )

    @app.task
    @exit_on_error
    async def watch() -> None:
        await watch_rebalancing(app)

    return app


def _credentials(settings: Settings) -> Any:
    if settings.broker_security.startswith("SASL"):
        return SASLCredentials(
            username=settings.broker_user,
            password=settings.broker_password.get_secret_value(),
            ssl_context=settings.ssl_context(),
            mechanism=settings.broker_sasl_mechanism,
        )
    if settings.broker_security == "SSL":
        return SSLCredentials(settings.ssl_context())
    return None


async def watch_rebalancing(app: PatchedApp) -> None:
    """Exit when a rebalance, or the table recovery in it, makes no progress.

    Faust and the client can then wait for each other forever. Seen after a worker had not polled for
    ``broker_max_poll_seconds``, and when the broker was unavailable during table recovery.
    """
    since, before = time.monotonic(), None
    while not app.should_stop:
        await asyncio.sleep(1.0)
        state = (app.rebalancing_count, dict(app.tables.recovery.active_offsets)) if app.rebalancing else None
        if state is None or state != before:
            since, before = time.monotonic(), state
        if time.monotonic() - since > REBALANCE_S:
            exit_process(f"A rebalance has made no progress for {REBALANCE_S:.0f} s.")


def raw_topic(app: PatchedApp, *names: str) -> Any:
    """Topics with undecoded keys and values: a record that Faust fails to decode would stall the stream."""
    return app.topic(
        *names, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw",
        partitions=app.conf.topic_partitions,
    )  # fmt: skip


def raw_table(app: PatchedApp, name: str, description: str) -> Any:
    """A table of bytes, partitioned by key, so that it can be written outside of an event's context."""
    return app.Table(
        name, key_type=bytes, value_type=bytes, partitions=app.conf.topic_partitions, use_partitioner=True,
        help=description,
    )  # fmt: skip


class FaustOutputs:
    """Publishes outputs through the app's producer (see ``Outputs``)."""

    def __init__(self, app: PatchedApp, *names: str) -> None:
        """``names``: the topics it can publish to."""
        self._topics = {name: raw_topic(app, name) for name in names}
        self._partitions = app.conf.topic_partitions

    async def send(self, output: Output) -> Awaitable[Any]:
        """See ``Outputs``.

        A dead letter's partition is taken modulo the partitions: an input topic may have more than ``dead-letters``.
        """
        partition = None if output.partition is None else output.partition % self._partitions
        try:
            delivery: Awaitable[Any] = await self._topics[output.topic].send(
                key=output.key, value=output.value, headers=list(output.headers), partition=partition,
                timestamp=output.timestamp_s,
            )  # fmt: skip
        except TOO_LARGE as error:
            raise RecordRefused(str(error)) from error
        return Delivery(delivery)


@dataclass(frozen=True, slots=True)
class Delivery:
    """The future delivery of a record."""

    future: Awaitable[Any]

    def __await__(self) -> Generator[Any, None, None]:
        """Wait until the broker has stored the record. Raises RecordRefused."""
        try:
            yield from self.future.__await__()
        except TOO_LARGE as error:
            raise RecordRefused(str(error)) from error


async def batches(
    app: PatchedApp, consumer: str, stream: Any, reset: Callable[[], None] = lambda: None
) -> AsyncIterator[Batch]:
    """Batches of events of the current assignment; ``reset`` is called after a rebalance, before its first batch.

    A batch has the events that were received while the previous one was processed, at most ``BATCH``; it does not
    wait for more.
    """
    generation = None
    while (events := await take(app, stream, BATCH)) is not None:
        current = app.consumer_generation_id
        if generation != current:
            generation = current
            reset()
        yield Batch(
            consumer,
            events,
            is_current=lambda of=current: bool(app.consumer_generation_id == of),  # type: ignore[misc]
        )
