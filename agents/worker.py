"""What every Faust worker of ours shares: an app with Faust's known gaps mended, acknowledging, dead letters."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import struct
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar

import faust
from faust.auth import SASLCredentials, SSLCredentials
from faust.tables.table import Table
from mode.utils.objects import cached_property
from mode.utils.queues import FlowControlEvent

from agents.ending import end_process
from agents.metrics import DEAD
from agents.transport import EmbeddedTransport, Transport
from f1stream.logs import about
from f1stream.race.session import Hole
from f1stream.settings import Settings
from f1stream.topics import BadRecord, encode
from models import DeadLetter
from models.dead_letter import BODY_LIMIT

log = logging.getLogger("f1stream")

REBALANCE_S = 60.0
"""One that does not get on for so long will not end."""
BATCH = 500
WITHIN_S = 0.02
"""``noack_take`` waits so long for a batch to fill; it is latency."""


_VERSION = struct.Struct(">QQ")
"""Epoch and progress, before each value of a table; as bytes they compare as the numbers do."""


class _FlowControl(FlowControlEvent):
    """Faust resumes partitions, then clears the queues: what was fetched in between would vanish."""

    def resume(self) -> None:
        suspended = self._suspend.is_set()
        self._suspend.clear()
        self._resume.set()
        if suspended:
            self.clear()


class DurableTable(Table):
    """A table of bytes whose writes can be waited for, and that never goes back.

    Faust's own flush before a commit gives up early. And a worker that was frozen with a write in its producer
    delivers it when it wakes, after the newer ones of the partition's new owner: values carry a version, and of two
    in the changelog a recovery keeps the greater.
    """

    _writes: list[Awaitable[Any]]

    def kept(self, key: bytes) -> bytes | None:
        """The value of ``key``."""
        value = self.get(key)
        return None if value is None else value[_VERSION.size :]

    def keep(self, key: bytes, epoch: int, progress: int, value: bytes) -> None:
        """Write a value; of one key the version (``epoch``, ``progress``) never falls."""
        self[key] = _VERSION.pack(epoch, progress) + value

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """Recover from a stretch of the changelog."""
        events = list(batch)
        newest: dict[Any, bytes] = {}
        for event in events:
            key, value = event.key, event.value
            before = newest.get(key, self.data.get(key))
            newest[key] = value if before is None or value[: _VERSION.size] >= before[: _VERSION.size] else before
        for event in events:
            event.value = newest[event.key]
        super().apply_changelog_batch(events)

    def send_changelog(self, *args: Any, **kwargs: Any) -> Any:
        """Write to the changelog, and keep the promise."""
        write = super().send_changelog(*args, **kwargs)
        self.__dict__.setdefault("_writes", []).append(write)
        return write

    async def delivered(self) -> None:
        """Return when every write so far is in the changelog."""
        writes, self._writes = self.__dict__.get("_writes", []), []
        for write in writes:
            await write


class WorkerApp(faust.App):
    """A Faust app on our transport."""

    embedded = False

    async def earlier_positions(self, positions: Mapping[Any, int | None]) -> Mapping[Any, int]:
        """Where partitions just assigned must be read from, when that lies before ``positions``, the group's."""
        return {}

    @cached_property
    def flow_control(self) -> FlowControlEvent:
        """See ``_FlowControl``."""
        return _FlowControl(loop=self.loop)

    def _new_transport(self) -> Any:
        return self._transport_class()(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Any:
        return self._transport_class()(self.conf.broker_producer, self)

    def _transport_class(self) -> Any:
        return EmbeddedTransport if self.embedded else Transport


A = TypeVar("A", bound="WorkerApp")


def create_app(name: str, settings: Settings, port: int, kind: type[A]) -> A:
    """A worker's app; ``name`` is its consumer group, ``port`` that of its health and metrics."""
    workers = settings.home / "workers"
    workers.mkdir(parents=True, exist_ok=True)
    app = kind(
        name,
        broker=";".join(f"kafka://{broker}" for broker in settings.bootstrap),
        broker_credentials=_credentials(settings),
        store="memory://",
        datadir=str(workers / f"{name}-{port}"),
        topic_partitions=settings.topic_partitions,
        topic_replication_factor=settings.topic_replication,
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=10_000,  # topics that were deleted and created anew are found within that
        # The embedded broker holds a join for half the session, and a killed member's session must end first.
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.0,
        broker_max_poll_interval=settings.broker_max_poll_seconds,
        broker_commit_interval=1.0,
        stream_wait_empty=False,  # held-back events are never acknowledged; waiting for them hangs on SIGTERM
        producer_linger_ms=5,
        producer_max_batch_size=512 * 1024,
        producer_max_request_size=8_000_000,
        web_bind=settings.web_host,
        web_host=settings.web_host,
        web_port=port,
        web_tables_enabled=False,  # these two would show data
        web_router_enabled=False,
        worker_redirect_stdouts=False,
        Table=DurableTable,
    )
    app.embedded = settings.embedded

    @app.task
    @or_end
    async def watch() -> None:
        await watch_rebalancing(app)

    return app


async def watch_rebalancing(app: WorkerApp) -> None:
    """End the process when a rebalance, or the recovery of tables in it, does not get on.

    Then Faust, which has stopped polling, and the client wait for each other: a worker that polled nothing for
    longer than ``broker_max_poll_seconds`` gets there. And one whose broker was away while tables were recovered.
    """
    since, before = time.monotonic(), None
    while not app.should_stop:
        await asyncio.sleep(1.0)
        stage = (app.rebalancing_count, dict(app.tables.recovery.active_offsets)) if app.rebalancing else None
        if stage is None or stage != before:
            since, before = time.monotonic(), stage
        if time.monotonic() - since > REBALANCE_S:
            end_process(f"A rebalance has not got on for {REBALANCE_S:.0f} s.")


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


def or_end(agent: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """An agent (or timer) that ends the process when it fails: Faust would skip the batch and go on."""

    @wraps(agent)
    async def guarded(*stream: Any) -> None:
        try:
            await agent(*stream)
        except Hole as hole:
            end_process(f"A record is missing: {hole}.")
        except Exception as error:
            log.exception("%s failed.", agent.__name__)
            end_process(f"{agent.__name__} failed: {type(error).__name__}: {error}.")

    return guarded


@dataclass(slots=True)
class Receipt:
    """One event that was taken and is not acknowledged yet."""

    event: Any
    settled: bool = False


@dataclass(slots=True)
class Receipts:
    """Acknowledges, for each partition, the contiguous run of settled events from the oldest on.

    Faust commits past a message in flight under some circumstances (its issue 606): never give it a gap.
    """

    taken: dict[Any, int] = field(default_factory=dict)
    """By partition, the offset after the last one taken."""
    _waiting: dict[Any, deque[Receipt]] = field(default_factory=dict)

    def take(self, event: Any) -> Receipt:
        """A receipt for an event, to be settled later."""
        receipt = Receipt(event)
        message = event.message
        self.taken[message.tp] = message.offset + 1
        self._waiting.setdefault(message.tp, deque()).append(receipt)
        return receipt

    async def acknowledge(self, stream: Any) -> None:
        """Acknowledge what can be."""
        for waiting in self._waiting.values():
            while waiting and waiting[0].settled:
                await stream.ack(waiting.popleft().event)

    def forget(self) -> None:
        """After a rebalance: what was not acknowledged comes again, here or elsewhere."""
        self._waiting.clear()

    def __len__(self) -> int:
        """How many events are held back."""
        return sum(len(waiting) for waiting in self._waiting.values())


def dead_letter(consumer: str, message: Any, reason: str) -> DeadLetter:
    """The letter for a Kafka message that ``consumer`` cannot use."""
    body = message.value
    return DeadLetter(
        consumer=consumer,
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        timestamp_ms=round(message.timestamp * 1000),
        key=None if message.key is None else message.key.decode(errors="replace"),
        reason=reason,
        body_base64=None if body is None else base64.b64encode(body[:BODY_LIMIT]).decode(),
        length=len(body or b""),
        sha256=hashlib.sha256(body or b"").hexdigest(),
    )


async def send_all(sends: list[Any]) -> None:
    """Wait until every record that was handed to the producer is delivered."""
    for send in sends:
        await send


async def bury(topic: Any, letters: list[tuple[Any, DeadLetter]]) -> None:
    """Send dead letters, each with its message's own key and headers, and wait for their delivery.

    The partition is the message's own, key or not: a letter that is sent again meets the first.
    """
    sends = [
        await topic.send(key=message.key, value=encode(letter), headers=message.headers, partition=message.partition)
        for message, letter in letters
    ]
    await send_all(sends)


@dataclass(slots=True)
class Batch:
    """Events taken together, and what is refused of them."""

    app: WorkerApp
    consumer: str
    """Who refuses, in dead letters."""
    events: Sequence[Any]
    generation: int
    letters: list[tuple[Any, DeadLetter]] = field(default_factory=list)

    def refuse(self, event: Any, error: BadRecord) -> None:
        """A record that cannot be used goes to the dead letters."""
        message = event.message
        self.letters.append((message, dead_letter(self.consumer, message, str(error))))
        DEAD.labels(self.consumer, message.topic).inc()
        log.warning("%s[%d] at %d cannot be used: %s.", message.topic, message.partition, message.offset, error,
                    extra=about(message.key))  # fmt: skip

    @property
    def published_s(self) -> float | None:
        """When the newest of them was published, Unix seconds."""
        return max((event.message.timestamp for event in self.events), default=None)

    def is_current(self) -> bool:
        """Whether the partitions are still ours: a worker that was away must not write."""
        return bool(self.app.consumer_generation_id == self.generation)


async def batches(
    app: WorkerApp, consumer: str, stream: Any, forget: Callable[[], None] = lambda: None
) -> AsyncIterator[Batch]:
    """Batches of events of the present assignment; ``forget`` is called after a rebalance, before the first."""
    generation = None
    async for events in stream.noack_take(BATCH, within=WITHIN_S):
        now = app.consumer_generation_id
        if generation != now:
            generation = now
            forget()
        yield Batch(app, consumer, [event for event in events if event.message.generation_id == now], now)


def raw_topic(app: WorkerApp, *names: str) -> Any:
    """Topics whose keys and values stay bytes: what cannot be decoded never meets Faust's own decoder."""
    return app.topic(
        *names, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw",
        partitions=app.conf.topic_partitions,
    )  # fmt: skip


def raw_table(app: WorkerApp, name: str, description: str) -> Any:
    """A table of bytes; written from batches, so partitioned by the key alone."""
    return app.Table(
        name, key_type=bytes, value_type=bytes, partitions=app.conf.topic_partitions, use_partitioner=True,
        help=description,
    )  # fmt: skip
