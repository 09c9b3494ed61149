"""The race worker's stages on a Kafka in memory, with every fault a process can have: no broker, no event loop.

``MemoryKafka`` holds what survives: partitions, changelogs, committed offsets. A ``MemoryWorker`` is one process with
both stages. Whatever the outside can see of a worker is a *step*: a record is delivered, a value is stored, an event
is acknowledged. At each step a fault may happen: the process dies, or its partitions go to another worker.

What a worker has handed to its producer is delivered when it waits for it, or at the latest after the batch; a
process that dies loses what it did not wait for, and a stage that does not wait is found out.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Coroutine, Generator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from f1stream import topics
from f1stream.processing.acks import AckTracker
from f1stream.processing.batch import Batch, Stage, process_batch
from f1stream.processing.outputs import Output
from f1stream.processing.reads import AssignedReads, PartitionOffsets
from f1stream.processing.tables import newest, with_version, without_version
from f1stream.race.stages.driver_stage import CHECKPOINT_S, DriverStage
from f1stream.race.stages.session_stage import SessionStage
from f1stream.sources.packing import OutgoingRecord
from models import Frame

Partition = tuple[str, int]
DRIVER_INPUT = (topics.TELEMETRY, topics.LAPS)
SESSION_INPUT = (topics.UPDATES, topics.MESSAGES)


class Died(Exception):
    """The process was killed here."""


@dataclass(frozen=True, slots=True)
class MemoryRecord:
    """A record in a partition."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    timestamp: float = 2_000_000_000.0


@dataclass(frozen=True, slots=True)
class MemoryEvent:
    """A record that was delivered to a worker."""

    message: MemoryRecord


def encoded(items: Iterable[OutgoingRecord]) -> list[Output]:
    """A source's records as it publishes them."""
    return [Output(item.topic, item.key, topics.encode(item.record), item.headers.encode()) for item in items]


class MemoryKafka:
    """What survives every process."""

    def __init__(self, records: Iterable[Output] = (), partitions: int = 3) -> None:
        """``records``: what a source has published."""
        self.partitions = partitions
        self.logs: dict[Partition, list[MemoryRecord]] = defaultdict(list)
        self.committed: dict[Partition, int] = defaultdict(int)
        self.begins: dict[Partition, int] = defaultdict(int)
        """By partition, the first offset that retention has left."""
        self.changelogs: dict[str, list[tuple[bytes, bytes]]] = defaultdict(list)
        self.generation = 0
        """Of the assignment: whoever has an older one has lost its partitions."""
        for record in records:
            self.append(record)

    def append(self, output: Output) -> None:
        """Store a record in the partition of its key."""
        partition = output.partition
        if partition is None:
            partition = zlib.crc32(output.key or b"") % self.partitions
        log = self.logs[output.topic, partition]
        log.append(MemoryRecord(output.topic, partition, len(log), output.key, output.value, list(output.headers)))

    def inputs(self, names: Sequence[str]) -> list[Partition]:
        """The partitions of topics that have records."""
        return sorted(of for of, log in self.logs.items() if of[0] in names and log)

    def acknowledge(self, record: MemoryRecord) -> None:
        """Commit an offset. Fails when that skips a record."""
        of = record.topic, record.partition
        next_offset = max(self.committed[of], self.begins[of])
        assert record.offset <= next_offset, f"{of} at {record.offset} is acknowledged before what precedes it"
        self.committed[of] = max(self.committed[of], record.offset + 1)

    async def next_record(self, partition: Partition, offset: int) -> int:
        """See ``AssignedReads``."""
        return max(offset, self.begins[partition])

    def unacknowledged(self) -> dict[Partition, int]:
        """Records of the stages' inputs that are not acknowledged."""
        inputs = self.inputs((*DRIVER_INPUT, *SESSION_INPUT))
        return {of: left for of in inputs if (left := len(self.logs[of]) - max(self.committed[of], self.begins[of]))}

    def frames(self, epoch: int) -> dict[int, bytes]:
        """The frames of a run by number. Fails when one was published twice with different bytes."""
        found: dict[int, bytes] = {}
        for of in self.inputs([topics.FRAMES]):
            for record in self.logs[of]:
                headers = dict(record.headers)
                if headers["kind"] != b"frames" or int(headers["epoch"]) != epoch:
                    continue
                for number, value in enumerate((record.value or b"").split(b"\n"), int(headers["seq"])):
                    assert found.setdefault(number, value) == value, f"frame {number} came twice, differently"
        return found

    def dead_letters(self) -> list[Any]:
        """Distinct dead letters."""
        letters = {
            (letter.consumer, letter.topic, letter.partition, letter.offset): letter
            for of in self.inputs([topics.DEAD_LETTERS])
            for letter in (topics.decode_dead_letter(record.value) for record in self.logs[of])
        }
        return list(letters.values())


class MemoryTable:
    """A table (``KeyValueStore``) with its changelog."""

    def __init__(self, worker: MemoryWorker, name: str) -> None:
        self._worker, self._name = worker, name
        self._data = newest({}, worker.kafka.changelogs[name])

    def read(self, key: bytes) -> bytes | None:
        return without_version(self._data.get(key))

    def write(self, key: bytes, run_id: int, progress: int, value: bytes) -> None:
        stored = with_version(run_id, progress, value)
        if self._name != "standing":  # of a run's headers recovery may keep a later one, with more tracks
            assert newest(self._data, [(key, stored)])[key] == stored, "a recovery would keep the older value"
        self._data[key] = stored
        self._worker.hand_over(self, lambda: self._worker.kafka.changelogs[self._name].append((key, stored)))

    async def flush(self) -> None:
        self._worker.await_delivery(self)


@dataclass(slots=True)
class Delivery:
    """What waits in a worker's producer; awaited, it is with the broker."""

    worker: MemoryWorker
    to: Any
    """The topic, or the table."""
    deliver: Callable[[], None]

    def __await__(self) -> Generator[None, None, None]:
        self.worker.await_delivery(self.to, last=self)
        return
        yield


@dataclass
class MemoryWorker:
    """One process: both stages, their tables, and a producer."""

    kafka: MemoryKafka
    step: Callable[[str], None] = lambda _: None
    """Called before each step with its name; may raise Died."""
    silent_s: float = 60.0
    now: float = 0.0
    """The worker's clock."""
    producer: list[Delivery] = field(default_factory=list)
    """Handed over, in this order, and not with the broker yet."""
    positions: dict[Partition, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """As a new process: tables from their changelogs, records from the committed offsets."""
        self.producer = []
        self.positions = {of: max(self.kafka.committed[of], self.kafka.begins[of]) for of in list(self.kafka.logs)}
        self.kafka.generation += 1
        self.generation = self.kafka.generation
        ends = {of: len(log) for of, log in self.kafka.logs.items()}
        self.reads = AssignedReads(
            lambda: {of: PartitionOffsets(ends.get(of, 0), self.kafka.committed.get(of)) for of in self.kafka.logs},
            self.kafka.next_record,
        )
        clock: Callable[[], float] = lambda: self.now  # noqa: E731
        self.driver_stage = DriverStage(MemoryTable(self, "cars"), AckTracker(), self.silent_s, clock=clock)
        self.session_stage = SessionStage(
            MemoryTable(self, "races"), MemoryTable(self, "standing"), AckTracker(), self.silent_s, clock=clock
        )

    # -- the producer ----------------------------------------------------------------------------------

    def hand_over(self, to: Any, deliver: Callable[[], None]) -> Delivery:
        delivery = Delivery(self, to, deliver)
        self.producer.append(delivery)
        return delivery

    async def send(self, output: Output) -> Delivery:
        """See ``Outputs``."""
        return self.hand_over(output.topic, lambda: self.kafka.append(output))

    def await_delivery(self, to: Any, last: Delivery | None = None) -> None:
        """Deliver what was handed over for a topic or table, in its order, up to ``last``."""
        if last is not None and last not in self.producer:
            return
        for delivery in [delivery for delivery in self.producer if delivery.to == to]:
            self.step(f"deliver to {to if isinstance(to, str) else to._name}")
            self.producer.remove(delivery)
            delivery.deliver()
            if delivery is last:
                return

    # -- the consumer ----------------------------------------------------------------------------------

    def poll(self, names: Sequence[str], most: int, random: Random | None = None) -> list[MemoryEvent]:
        """Records that follow the positions, at most so many of a partition; at random if ``random`` is given.

        Then some partitions give nothing, and now and then one is read again from an earlier offset.
        """
        partitions = self.kafka.inputs(names)
        if random is not None:
            partitions = random.sample(partitions, random.randint(0, len(partitions)))
        events: list[MemoryEvent] = []
        for of in partitions:
            begin, take = self.positions.get(of, 0), most
            if random is not None:
                take = random.randint(0, most)
                if random.random() < 0.1:
                    begin = random.randint(min(self.kafka.committed[of], begin), begin)
            end = min(len(self.kafka.logs[of]), begin + take)
            events += map(MemoryEvent, self.kafka.logs[of][begin:end])
            self.positions[of] = end
        return events

    async def acknowledge(self, event: MemoryEvent) -> None:
        self.step("acknowledge")
        if self.owns_partitions():  # otherwise our consumer commits nothing
            self.kafka.acknowledge(event.message)

    def owns_partitions(self) -> bool:
        return self.generation == self.kafka.generation

    # -- batches ---------------------------------------------------------------------------------------

    def process(self, stage: Stage, events: list[MemoryEvent]) -> None:
        """One batch of a stage. Raises Died; then only ``start`` may follow."""
        for event in events:
            run(self.reads.add(event.message))
        batch = Batch("race", events, self.owns_partitions, self.reads.is_reread)
        run(process_batch(stage, batch, self, self.acknowledge))  # type: ignore[arg-type]
        for delivery in self.producer:  # what nobody waited for arrives some time
            delivery.deliver()
        self.producer = []

    def driver_batch(self, most: int, random: Random | None = None) -> bool:
        """A batch of the first stage; False when there was nothing to read."""
        events = self.poll(DRIVER_INPUT, most, random)
        self.process(self.driver_stage, events)
        return bool(events)

    def session_batch(self, most: int, random: Random | None = None) -> bool:
        """A batch of the second stage; False when there was nothing to read."""
        events = self.poll(SESSION_INPUT, most, random)
        self.process(self.session_stage, events)
        return bool(events)

    def run_to_the_end(self, most: int = 20, batch_s: float = 0.3) -> None:
        """Read and store everything, ``most`` records of a partition at a time.

        A batch takes ``batch_s`` of the clock. Whenever the process dies it is started again.
        """
        while True:
            with suppress(Died):
                read = [self.driver_batch(most), self.session_batch(most)]
                self.now += batch_s if any(read) else CHECKPOINT_S
                if not any(read) and not self.driver_stage.is_due and not self.session_stage.is_due:
                    return
                continue
            self.start()


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that waits for nothing outside."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits for something outside")


@dataclass
class Steps:
    """Counts a worker's steps; at the ``at``-th something happens."""

    at: int | None = None
    fault: Callable[[], None] = lambda: None
    names: list[str] = field(default_factory=list)

    def __call__(self, name: str) -> None:
        self.names.append(name)
        if len(self.names) - 1 == self.at:
            self.fault()


def die() -> None:
    raise Died


def frame_bytes(made: Iterable[Any]) -> dict[int, bytes]:
    """Frame number to encoded frame, headers left out: what two runs must agree on."""
    return {frame.t // 200: topics.encode_frames([frame]) for frame in made if isinstance(frame, Frame)}
