"""Kafka and a warehouse in memory, and archive sinks between them that crash, freeze and resume at any step.

Every call of a sink to Kafka or the warehouse passes a gate: ``Faults.at``. A test counts the gates of a run, and
then repeats the run with a fault at each of them. Two invariants are always checked: no record is acknowledged before
it is loaded, and no offset without rows is loaded before its dead letter is in Kafka.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from f1stream import topics
from f1stream.processing.batch import Batch
from f1stream.processing.outputs import Output
from f1stream.topics import BadRecord, RecordHeaders, SequenceGap
from f1stream.warehouse.buffer import FlushLimits
from f1stream.warehouse.errors import DataRefused, Fenced, WarehouseError
from f1stream.warehouse.partition_batch import LoadedOffset, Partition, PartitionBatch
from f1stream.warehouse.retry import Retry
from f1stream.warehouse.sink import CONSUMER, ArchiveSink
from f1stream.warehouse.tables import fingerprint
from models import DeadLetter, SessionEnd

KEY = b"9693"
HEADERS = RecordHeaders(7, 0, 0, 0, 0, 1_700_000_000_000, "test").encode()
LIMITS = FlushLimits(rows=4, size=1_000_000, age_s=10.0)


class Died(BaseException):
    """The process dies between two steps."""


class Away(Exception):
    """The warehouse or the broker does not answer."""


@dataclass(frozen=True)
class Message:
    """A Kafka record."""

    topic: str
    partition: int
    offset: int
    value: bytes
    key: bytes | None = KEY
    headers: Any = tuple(HEADERS)
    timestamp: float = 1_700_000_000.0


@dataclass(frozen=True)
class Delivered:
    """An event of Faust."""

    message: Message


def good(n: int) -> bytes:
    """The value of a record of one row."""
    return topics.encode(SessionEnd(session_time_ms=n))


@dataclass
class Faults:
    """The faults at the gates, which are numbered in the order in which a run passes them."""

    passed: list[str] = field(default_factory=list)
    plan: dict[int, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    """The fault at the nth gate, from 0."""
    switches: bool = False
    """Whether other tasks run at each gate."""

    async def at(self, gate: str) -> None:
        """Pass a gate; a fault may raise here, or wait."""
        if self.switches:
            await asyncio.sleep(0)
        self.passed.append(gate)
        fault = self.plan.get(len(self.passed) - 1)
        if fault is not None:
            await fault()


class MemoryKafka:
    """Logs of partitions, the offsets of one group, and a producer of dead letters."""

    def __init__(self) -> None:
        self.logs: defaultdict[Partition, list[Message | None]] = defaultdict(list)
        """By offset; None where a log lacks one (the marker of a transaction)."""
        self.begins: defaultdict[Partition, int] = defaultdict(int)
        self.committed: dict[Partition, int] = {}
        self.generation = 0

    def produce(self, partition: Partition, *values: bytes | None) -> None:
        """Append records; None for an offset that a consumer never sees."""
        records = self.logs[partition]
        for value in values:
            records.append(None if value is None else Message(*partition, len(records), value))

    def trim(self, partition: Partition, offset: int) -> None:
        """Retention deletes the records before ``offset``."""
        self.begins[partition] = offset

    def recreate(self, partition: Partition) -> None:
        """Delete the topic, with the group's offsets, and create it again."""
        self.logs[partition], self.begins[partition] = [], 0
        self.committed.pop(partition, None)

    def letters(self) -> list[DeadLetter]:
        """The dead letters that the broker has."""
        found = []
        for partition, records in self.logs.items():
            for record in records if partition.topic == topics.DEAD_LETTERS else ():
                with suppress(BadRecord):  # tests publish some that are invalid
                    found.append(topics.decode_dead_letter(record and record.value))
        return found

    def read(self, partition: Partition, position: int, most: int) -> list[Message]:
        """Records from ``position`` on."""
        begin = max(position, self.begins[partition])
        return [record for record in self.logs[partition][begin:] if record is not None][:most]


@dataclass
class MemoryLog:
    """``TopicLog`` and ``Outputs`` of one worker."""

    kafka: MemoryKafka
    faults: Faults

    async def first_offsets(self, partitions: list[Partition]) -> dict[Partition, int]:
        """See ``TopicLog``."""
        await self.faults.at("first_offsets")
        return {partition: self.kafka.begins[partition] for partition in partitions}

    async def next_record(self, partition: Partition, offset: int) -> int:
        """See ``TopicLog``."""
        await self.faults.at("next_record")
        (record,) = self.kafka.read(partition, offset, 1)
        return record.offset

    async def recreated(self, offsets: Mapping[Partition, LoadedOffset]) -> set[Partition]:
        """See ``TopicLog``."""
        await self.faults.at("recreated")
        return {partition for partition, loaded in offsets.items() if not self._has(partition, loaded)}

    def _has(self, partition: Partition, loaded: LoadedOffset) -> bool:
        last = loaded.next_offset - 1
        if loaded.last_hash is None or last < self.kafka.begins[partition]:
            return True
        record = self.kafka.logs[partition][last] if last < len(self.kafka.logs[partition]) else None
        return record is not None and fingerprint(record.value) == loaded.last_hash

    async def send(self, output: Output) -> Awaitable[None]:
        """See ``Outputs``: a record that is not awaited is in a buffer, and is lost with the process."""
        await self.faults.at("send:before")
        return Delivery(self, output)

    async def deliver(self, output: Output) -> None:
        """The broker has the record."""
        await self.faults.at("delivery:before")
        self.kafka.produce(Partition(output.topic, output.partition or 0), output.value)
        await self.faults.at("delivery:after")


@dataclass
class Delivery:
    """A record in the producer's buffer."""

    log: MemoryLog
    output: Output

    def __await__(self) -> Generator[Any, None, None]:
        return self.log.deliver(self.output).__await__()


@dataclass
class Transaction:
    """One transaction, with the offsets that it has locked."""

    offsets: dict[tuple[Partition, int], LoadedOffset] = field(default_factory=dict)
    rows: list[tuple[Partition, int, int, bytes]] = field(default_factory=list)
    open: bool = True


class MemoryWarehouse:
    """Offsets and rows; a transaction's changes are visible after its commit."""

    def __init__(self, kafka: MemoryKafka) -> None:
        self.kafka = kafka
        self.offsets: dict[tuple[Partition, int], LoadedOffset] = {}
        self.loaded_by: dict[tuple[Partition, int], str] = {}
        self.rows: list[tuple[Partition, int, int, bytes]] = []
        """Partition, incarnation, offset and value."""
        self.refused: set[bytes] = set()
        """Values that the warehouse refuses."""
        self.transactions: list[Transaction] = []

    def newest(self) -> dict[Partition, LoadedOffset]:
        """The loaded offset of each partition, in its newest incarnation."""
        return {partition: self.offsets[partition, n] for partition, n in sorted(self.offsets)}

    def end_sessions(self) -> None:
        """Close all sessions, as a server closes idle ones: roll back their transactions and release their locks."""
        for transaction in self.transactions:
            transaction.open = False

    def values(self, partition: Partition, incarnation: int = 0) -> list[bytes]:
        """The values loaded, by offset."""
        return [value for at, n, _, value in sorted(self.rows) if (at, n) == (partition, incarnation)]


@dataclass
class MemoryLoader:
    """``AsyncLoader`` of one worker."""

    warehouse: MemoryWarehouse
    faults: Faults
    name: str

    async def offsets(self) -> dict[Partition, LoadedOffset]:
        """See ``AsyncLoader``."""
        await self.faults.at("offsets:before")
        found = self.warehouse.newest()
        await self.faults.at("offsets:after")
        return found

    async def begin_at(self, offsets: dict[Partition, LoadedOffset]) -> None:
        """See ``AsyncLoader``."""
        await self.faults.at("begin_at:before")
        for partition, loaded in offsets.items():
            self.warehouse.offsets.setdefault((partition, loaded.incarnation), loaded)
        await self.faults.at("begin_at:after")

    async def load(self, batches: list[PartitionBatch]) -> Counter[str]:
        """See ``AsyncLoader``."""
        await self.faults.at("put:before")
        await self.faults.at("put:after")
        transaction = Transaction()
        self.warehouse.transactions.append(transaction)
        try:
            await self._step("copy", transaction, self._copy, batches)
            await self._step("compare_and_set", transaction, self._compare_and_set, batches)
            await self._step("commit", transaction, self._commit, batches)
        finally:
            transaction.open = False
        return Counter({"MESSAGES": len(transaction.rows)})

    async def _step(
        self, name: str, transaction: Transaction, step: Callable[[Transaction, list[PartitionBatch]], None],
        batches: list[PartitionBatch],
    ) -> None:  # fmt: skip
        await self.faults.at(f"{name}:before")
        if not transaction.open:
            raise Away("the session has ended")
        step(transaction, batches)
        await self.faults.at(f"{name}:after")

    def _compare_and_set(self, transaction: Transaction, batches: list[PartitionBatch]) -> None:
        for batch in batches:
            key = (batch.partition, batch.incarnation)
            if any(other.open and key in other.offsets for other in self.warehouse.transactions):
                raise Away("another transaction has locked the offset")
            if self.warehouse.offsets[key].next_offset != batch.first_offset:
                raise Fenced(f"{batch.partition} is loaded to {self.warehouse.offsets[key].next_offset}")
            last = batch.records[-1]
            transaction.offsets[key] = LoadedOffset(
                batch.incarnation, batch.next_offset, last.timestamp_ms, last.hash
            )

    def _copy(self, transaction: Transaction, batches: list[PartitionBatch]) -> None:
        for batch in batches:
            for record in batch.records:
                if record.rows:
                    origin = record.origin
                    value = record.value or b""
                    if value in self.warehouse.refused:
                        raise DataRefused("the warehouse refused it")
                    transaction.rows.append((batch.partition, origin.incarnation, origin.offset, value))

    def _commit(self, transaction: Transaction, batches: list[PartitionBatch]) -> None:
        letters = {(letter.topic, letter.partition, letter.offset) for letter in self.warehouse.kafka.letters()}
        for batch in batches:
            for record in batch.records:
                at = (*batch.partition, record.origin.offset)
                assert record.rows or at in letters, (
                    f"{at} is loaded without rows before its dead letter is delivered"
                )
        self.warehouse.offsets |= transaction.offsets
        self.warehouse.rows += transaction.rows
        self.warehouse.loaded_by |= dict.fromkeys(transaction.offsets, self.name)


class Worker:
    """A sink and its consumer. The group is assigned all partitions to one worker at a time."""

    names = itertools.count()

    def __init__(
        self, kafka: MemoryKafka, warehouse: MemoryWarehouse, *, faults: Faults | None = None,
        limits: FlushLimits = LIMITS, sleep: Callable[[float], Awaitable[None]] | None = None,
        partitions: Sequence[Partition] = (), overlaps: bool = False,
    ) -> None:  # fmt: skip
        """``partitions``: by default those of all topics but dead letters. ``overlaps``: receives during a flush."""
        self.kafka, self.warehouse = kafka, warehouse
        self.faults = faults or Faults()
        self.name = f"worker-{next(self.names)}"
        self.now_s = 0.0
        self.waits: list[str | None] = []
        """What the sink reported: why it waits, or None."""
        log = MemoryLog(kafka, self.faults)
        retry = Retry((Away, WarehouseError, TimeoutError), 1.0, str, self.waits.append, sleep or _no_sleep)
        self.sink = ArchiveSink(
            MemoryLoader(warehouse, self.faults, self.name), log, log, limits, retry, clock=lambda: self.now_s
        )
        self.generation = -1
        self.partitions = partitions
        self.overlaps = self.faults.switches = overlaps
        self.positions: dict[Partition, int] = {}
        self.acknowledged: list[tuple[Partition, int]] = []

    async def assign(self) -> None:
        """A new generation of the group: all partitions are this worker's."""
        self.kafka.generation += 1
        self.generation = self.kafka.generation
        partitions = self.partitions or [of for of in self.kafka.logs if of.topic != topics.DEAD_LETTERS]
        group = {partition: self.kafka.committed.get(partition, 0) for partition in partitions}
        self.positions = group | await self.sink.assigned(group)

    def revoke(self) -> None:
        """Notify the worker that its partitions are revoked."""
        self.generation = -1
        self.positions = {}

    async def poll(self, most: int = 3) -> bool:
        """Receive up to ``most`` records of each partition in one batch; False when there are none."""
        generation = self.generation
        events = []
        for partition, position in self.positions.items():
            records = self.kafka.read(partition, position, most)
            events += [Delivered(record) for record in records]
            if records:
                self.positions[partition] = records[-1].offset + 1
        if events:
            await self.deliver(events, generation)
        return bool(events)

    async def deliver(self, events: list[Delivered], generation: int | None = None) -> None:
        """Let the sink receive these events, as of ``generation``."""
        at = self.generation if generation is None else generation

        async def acknowledge(event: Any) -> None:
            await self._acknowledge(event, at)

        await self.sink.receive(Batch(CONSUMER, events, lambda: self.generation == at), acknowledge)
        await (asyncio.sleep(0) if self.overlaps else self.sink.wait_for_flush())

    async def _acknowledge(self, event: Delivered, generation: int) -> None:
        await self.faults.at("acknowledge:before")
        partition = Partition(event.message.topic, event.message.partition)
        loaded = self.warehouse.newest()[partition].next_offset
        assert event.message.offset < loaded, f"{partition} is acknowledged before it is loaded"
        self.acknowledged.append((partition, event.message.offset))
        if generation == self.kafka.generation:  # a broker refuses commits of an older one
            before = self.kafka.committed.get(partition, 0)
            self.kafka.committed[partition] = max(before, event.message.offset + 1)
        await self.faults.at("acknowledge:after")

    async def drain(self, most: int = 3) -> None:
        """Receive everything, and flush what is left."""
        while await self.poll(most):
            pass
        await self.sink.wait_for_flush()
        self.now_s += 1_000
        await self.sink.flush_if_due()

    async def run(self, most: int = 3) -> None:
        """A worker's life: assignment, receiving everything, flushing the rest by age. An error ends all of it."""
        try:
            await self.assign()
            await self.drain(most)
        except BaseException:
            await self.sink.stop()
            raise


async def _no_sleep(_: float) -> None:
    await asyncio.sleep(0)


async def run_until_loaded(kafka: MemoryKafka, warehouse: MemoryWarehouse, *, most: int = 3) -> None:
    """Start new workers, as a service manager does, until one has loaded everything; a gap ends a worker."""
    for _ in range(30):
        warehouse.end_sessions()  # of those that have died
        try:
            await Worker(kafka, warehouse).run(most)
        except SequenceGap:
            continue
        return
    raise AssertionError("every worker stops at a gap")


def assert_exact(kafka: MemoryKafka, warehouse: MemoryWarehouse) -> None:
    """Every record of the logs is loaded once, in order, or has a dead letter; all of it is acknowledged."""
    letters = {(letter.topic, letter.partition, letter.offset) for letter in kafka.letters()}
    expected_letters = set()
    newest = warehouse.newest()
    for partition, records in kafka.logs.items():
        if partition.topic == topics.DEAD_LETTERS:
            continue
        incarnation = newest[partition].incarnation
        expected = []
        for record in records:
            if record is None:
                continue
            if record.value.startswith(b"{") and record.value not in warehouse.refused:
                expected.append((record.offset, record.value))
            else:
                expected_letters.add((*partition, record.offset))
        found = [(offset, value) for at, n, offset, value in warehouse.rows if (at, n) == (partition, incarnation)]
        assert found == expected, f"{partition}: {found} instead of {expected}"
        assert newest[partition].next_offset == len(records)
        assert kafka.committed[partition] == len(records)
    assert letters == expected_letters
