"""The archive worker: every record of the topics into the warehouse, exactly once.

    telemetry, laps, messages, dead-letters ──▶ archive ──▶ RAW tables

Records wait in memory until there are enough for a flush, or the oldest is old enough. They are acknowledged when the
warehouse has committed them; while it is away nothing more is read than fits, and Kafka keeps the rest.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import snowflake.connector
from aiokafka.errors import KafkaError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from agents.app import FaustOutputs, batches, create_app, raw_topic
from agents.exiting import exit_on_error
from agents.faust_patches.app import PatchedApp
from agents.health import Vitals, serve_health
from f1stream import metrics, topics
from f1stream.logs import about
from f1stream.processing.acks import AckTracker, PendingAck
from f1stream.processing.batch import Batch
from f1stream.processing.dead_letters import dead_letter
from f1stream.processing.outputs import Output, deliver
from f1stream.settings import settings
from f1stream.topics import BadRecord, SequenceGap
from f1stream.vitals import STUCK_S, Progress
from f1stream.warehouse.connection import Warehouse, refuses_data, sentence
from f1stream.warehouse.errors import WarehouseError
from f1stream.warehouse.loader import Fenced, Loader, Lot, Partition, Place, Refused, halves, rows_of
from f1stream.warehouse.log import begins_at, created_anew
from f1stream.warehouse.tables import BY_TOPIC, Read, unread
from models import DeadLetter

log = logging.getLogger("f1stream")
T = TypeVar("T")
CONSUMER = "archive"
LOOK_EVERY_S = 0.25
"""How often waiting records are looked at for their age."""
PLACES_WITHIN_S = 20.0
"""A rebalance waits no longer for the warehouse; then the agent does."""
AWAY = (snowflake.connector.Error, WarehouseError, KafkaError, TimeoutError, OSError)
"""What passes: the warehouse or the broker is away, or what a statement needs is missing and can be mended there."""


class ArchiveApp(PatchedApp):
    """Begins where the warehouse says: it knows better than the consumer group."""

    async def earlier_positions(self, positions: Mapping[Any, int | None]) -> Mapping[Any, int]:
        """Partitions of which Kafka has acknowledged more than is loaded are read again from there."""
        return await desk.assigned(positions)


app = create_app("f1stream-archive", settings(), settings().archive_port, ArchiveApp)
records = raw_topic(app, *BY_TOPIC)
outputs = FaustOutputs(app, topics.DEAD_LETTERS)
# What waits for a flush is not acknowledged on purpose.
vitals = Vitals(app, Progress("acknowledged", STUCK_S + settings().flush_seconds))
serve_health(app, vitals)


@dataclass
class Desk:
    """What the worker holds between Kafka and the warehouse."""

    loader: Loader
    receipts: AckTracker = field(default_factory=AckTracker)
    places: dict[Partition, Place] | None = None
    """Of the partitions assigned; None while the warehouse has not said."""
    started: dict[Partition, int] = field(default_factory=dict)
    """Where reading of each began."""
    expected: dict[Partition, int] = field(default_factory=dict)
    """The next offset to be taken, of partitions of which something was taken since they were assigned."""
    lots: dict[Partition, Lot] = field(default_factory=dict)
    held: dict[Partition, list[PendingAck]] = field(default_factory=dict)
    rows: int = 0
    size: int = 0
    oldest: float = 0.0
    """Monotonic clock when the first of them came."""
    stream: Any = None
    generation: Any = None
    unsure: bool = False
    """An attempt failed: what it did is to be asked of the warehouse."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    # -- assignment ----------------------------------------------------------------------------------------

    async def assigned(self, positions: Mapping[Any, int | None]) -> dict[Any, int]:
        """Partitions are ours now, read from ``positions``: returns those that must be read from further back."""
        self.places = None
        ours = {tp: offset for tp, offset in positions.items() if tp.topic in BY_TOPIC}
        self.started = {Partition(tp.topic, tp.partition): offset or 0 for tp, offset in ours.items()}
        try:
            async with asyncio.timeout(PLACES_WITHIN_S):
                self.places = await self._take_over()
        except AWAY as error:
            warehouse_is(f"The warehouse does not say how far partitions are loaded: {_told(error)}")
            log.warning("%s", vitals.waits)
            return {}
        warehouse_is(None)
        back = {}
        for tp, offset in ours.items():
            of = Partition(tp.topic, tp.partition)
            if offset is not None and self.places[of].next_offset < offset:
                back[tp] = self.started[of] = self.places[of].next_offset
                log.warning("%s[%d] goes back from %d to %d: that is what is loaded.", *of, offset, back[tp])
                metrics.REWINDS.inc()
        return back

    async def _take_over(self) -> dict[Partition, Place]:
        """How far each partition assigned is loaded; notes those of which the warehouse knows nothing yet."""
        known = await in_thread(self.loader.places)
        ours = {of: known[of] for of in self.started if of in known}
        new = {of: 0 for of in self.started if of not in known}
        for of in await created_anew(settings(), ours):
            new[of] = ours[of].incarnation + 1
            log.warning("%s[%d] was created anew: incarnation %d begins.", *of, new[of])
        begins = await begins_at(settings(), list(new))
        fresh = {of: Place(incarnation, begins[of]) for of, incarnation in new.items()}
        await in_thread(self.loader.begin_at, fresh)
        return ours | fresh

    async def settle_in(self) -> dict[Partition, Place]:
        """The places, however long the warehouse takes to answer."""
        if self.places is None:
            self.places = await patiently(self._take_over)
        return self.places

    def forget(self) -> None:
        """After a rebalance: what is not loaded comes again, here or elsewhere."""
        self.receipts.reset()
        self.expected.clear()
        self._clear()

    def _clear(self) -> None:
        self.lots.clear()
        self.held.clear()
        self.rows = self.size = 0

    # -- taking --------------------------------------------------------------------------------------------

    async def take(self, batch: Batch, event: Any, places: dict[Partition, Place]) -> None:
        """Put one record with the others; what is loaded already is only acknowledged. Raises SequenceGap."""
        message = event.message
        of = Partition(message.topic, message.partition)
        receipt = self.receipts.take(event)
        place = places[of]
        first = self.expected.get(of, place.next_offset)
        if message.offset < first:
            receipt.done = True
            return
        if message.offset > first:
            await self._skip(of, first, message.offset)
        self.expected[of] = message.offset + 1
        began = time.perf_counter()
        try:
            read = BY_TOPIC[message.topic].read(message, place.incarnation)
        except BadRecord as error:
            batch.reject(event, error)
            read = unread(message, place.incarnation)
        self.loader.seconds["decode"] += time.perf_counter() - began
        self._put(of, place, first, read, receipt)

    def _put(self, of: Partition, place: Place, first: int, read: Read, receipt: PendingAck) -> None:
        if not self.lots:
            self.oldest = time.monotonic()
        if of in self.lots:
            self.lots[of].reads.append(read)
        else:
            self.lots[of] = Lot(of, place.incarnation, first, [read])
        self.held.setdefault(of, []).append(receipt)
        self.rows += read.rows
        self.size += read.size

    async def _skip(self, of: Partition, first: int, found: int) -> None:
        """Offsets are missing. Read from where they should be, the log does not have them; otherwise it is a hole.

        A log may lack offsets (markers of transactions); those that retention deleted are lost, and that is told.
        """
        if of in self.expected or self.started[of] > first:
            raise SequenceGap(f"{of.topic}[{of.partition}] goes on at {found}, {first} is to be loaded next")
        begin = (await begins_at(settings(), [of]))[of]
        if begin <= first:
            return
        lost = min(begin, found) - first
        log.error("%s[%d]: %d records from %d on were deleted before they were loaded.", *of, lost, first)
        metrics.DEAD.labels(CONSUMER, of.topic).inc()
        letter = DeadLetter(
            consumer=CONSUMER, topic=of.topic, partition=of.partition, offset=first, timestamp_ms=0, key=None,
            reason=f"{lost} records from here on were deleted by retention before they were loaded",
            body_base64=None, length=0, sha256="",
        )  # fmt: skip
        await deliver(outputs, [Output(topics.DEAD_LETTERS, None, topics.encode(letter), partition=of.partition)])

    # -- flushing ------------------------------------------------------------------------------------------

    def due(self) -> bool:
        """Whether what waits is enough, or old enough."""
        s = settings()
        return bool(self.lots) and (
            self.rows >= s.archive_flush_rows
            or self.size >= s.archive_flush_bytes
            or time.monotonic() - self.oldest >= s.flush_seconds
        )

    async def flush(self) -> None:
        """Load all that waits and acknowledge it; returns when it is safe, or when it is no longer ours to load."""
        metrics.FLUSH_ROWS.set(self.rows)
        began = time.perf_counter()
        self.unsure = False
        await patiently(self._load_all)
        metrics.FLUSH.observe(time.perf_counter() - began)
        for phase, seconds in self.loader.seconds.items():
            metrics.PHASES.labels(phase).set(seconds)
        self._clear()
        await self.receipts.acknowledge(self.stream.ack)

    async def _load_all(self) -> None:
        if app.consumer_generation_id != self.generation:
            self.forget()
            return
        if self.unsure:
            self._reconcile(await in_thread(self.loader.places))
        self.unsure = True
        try:
            await self._load(list(self.lots.values()))
        except Fenced as fenced:
            metrics.FENCED.inc()
            log.warning("Not loaded, for another worker is at it: %s.", fenced)
            self._reconcile(await in_thread(self.loader.places))
            raise WarehouseError("Another worker has loaded records of ours") from fenced

    def _reconcile(self, places: dict[Partition, Place]) -> None:
        """Keep only what the warehouse does not have. Raises SequenceGap when it lacks something from before."""
        for of, lot in list(self.lots.items()):
            place = places[of]
            if place.incarnation != lot.incarnation or place.next_offset < lot.first:
                raise SequenceGap(
                    f"{of.topic}[{of.partition}] is loaded to {place.next_offset}, and {lot.first} was next"
                )
            self._loaded(of, place.next_offset)

    def _loaded(self, of: Partition, next_offset: int) -> None:
        lot = self.lots[of].after(next_offset)
        for receipt in self.held[of]:
            receipt.done = receipt.done or receipt.event.message.offset < next_offset
        if lot is None:
            del self.lots[of]
        else:
            self.lots[of] = lot

    async def _load(self, lots: list[Lot]) -> None:
        """Load lots, in smaller and smaller parts when something in them is refused, until that is found."""
        if not lots:
            return
        try:
            loaded = await in_thread(self.loader.load, lots)
        except Refused as refused:
            reason: str = str(refused)
        except snowflake.connector.Error as error:
            if not refuses_data(error):
                raise
            reason = f"the warehouse refused it: {sentence(error)}"
        else:
            for table, rows in loaded.items():
                metrics.ROWS.labels(table).inc(rows)
            for lot in lots:
                self._loaded(lot.partition, lot.next)
            return
        parts = halves(lots)
        log.info("Looking for what is refused among %d rows: %s", rows_of(lots), reason)
        if parts is None:
            (lot,) = lots
            await self._refuse(lot, reason)
            parts = [replace_last(lot)], []
        for part in parts:
            await self._load(part)

    async def _refuse(self, lot: Lot, reason: str) -> None:
        offset = lot.reads[0].origin.offset
        message = next(
            receipt.event.message for receipt in self.held[lot.partition] if receipt.event.message.offset == offset
        )
        log.error("%s[%d] at %d: %s", *lot.partition, offset, reason, extra=about(message.key))
        metrics.DEAD.labels(CONSUMER, message.topic).inc()
        await deliver(outputs, [dead_letter(CONSUMER, message, reason)])


def replace_last(lot: Lot) -> Lot:
    """A single record's lot without its rows: only its offset is left to be noted."""
    return Lot(lot.partition, lot.incarnation, lot.first, [lot.reads[0].nothing()])


async def in_thread(call: Callable[..., T], *arguments: Any) -> T:
    """Run a call of the connector where it blocks nobody, one at a time. One that is given up on goes on first."""
    await _session.acquire()
    work = asyncio.ensure_future(asyncio.to_thread(call, *arguments))
    work.add_done_callback(_ended)
    return await asyncio.shield(work)


def _ended(work: asyncio.Future[Any]) -> None:
    _session.release()
    if not work.cancelled():
        work.exception()  # told to whoever waits; asyncio warns of one that nobody asked for


_session = asyncio.Lock()


async def patiently(work: Callable[[], Any]) -> Any:
    """Do ``work`` again and again, ever more slowly, until nothing is away any more."""
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(AWAY),
        wait=wait_random_exponential(multiplier=0.2, max=settings().archive_retry_seconds),
        before_sleep=_tell,
    ):
        with attempt:
            result = await work()
            warehouse_is(None)
    return result


def _tell(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    warehouse_is(f"Attempt {state.attempt_number} to load failed; records wait in Kafka. {_told(error)}")
    log.warning("%s", vitals.waits)


def warehouse_is(away: str | None) -> None:
    """Note whether the warehouse is away, and why: no other worker would get further."""
    vitals.waits = away
    metrics.WAREHOUSE_UP.set(away is None)


def _told(error: BaseException | None) -> str:
    return sentence(error) if isinstance(error, snowflake.connector.Error) else f"{type(error).__name__}: {error}"


desk = Desk(Loader(Warehouse(settings()), f"{socket.gethostname()}:{os.getpid()}"))


@app.agent(records)
@exit_on_error
async def archive(stream: Any) -> None:
    """Take records, and flush when there are enough."""
    desk.stream = stream
    async for batch in batches(app, CONSUMER, stream):
        generation = app.consumer_generation_id
        async with desk.lock:  # a flush of the assignment before may still be at it
            if desk.generation != generation:
                desk.forget()
            desk.generation = generation
            places = await desk.settle_in()
            for event in batch.events:
                if not batch.is_current():
                    break
                await desk.take(batch, event, places)
                if desk.due():
                    await flush(batch)
            await bury_all(batch)
            if not desk.lots:  # all of it was loaded before
                await desk.receipts.acknowledge(stream.ack)


async def flush(batch: Batch) -> None:
    """Flush; what was refused is told before its offset is noted."""
    await bury_all(batch)
    await desk.flush()


async def bury_all(batch: Batch) -> None:
    """Send the batch's dead letters."""
    await deliver(outputs, batch.dead_letters)
    batch.dead_letters.clear()


@app.task
@exit_on_error
async def flush_what_is_old() -> None:
    """Flush what nothing follows."""
    while not app.should_stop:
        await asyncio.sleep(LOOK_EVERY_S)
        async with desk.lock:
            if desk.due():
                await desk.flush()
