"""The archive sink: when it flushes, what it refuses and acknowledges, and how it waits for the warehouse."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Sequence
from typing import Any

import pytest

from f1stream import metrics, topics
from f1stream.processing.outputs import Output
from f1stream.topics import SequenceGap
from f1stream.warehouse import sink, tables
from f1stream.warehouse.buffer import RECORD_BYTES, FlushLimits
from f1stream.warehouse.partition_batch import LoadedOffset, Partition, PartitionBatch
from tests.support.archive_harness import (
    Away,
    Delivered,
    MemoryKafka,
    MemoryLoader,
    MemoryWarehouse,
    Message,
    Worker,
    assert_exact,
    good,
    run_until_loaded,
)

FIRST, SECOND = Partition(topics.MESSAGES, 0), Partition(topics.MESSAGES, 1)


@pytest.fixture
def kafka() -> MemoryKafka:
    kafka = MemoryKafka()
    kafka.produce(FIRST, *map(good, range(6)))
    return kafka


@pytest.fixture
def warehouse(kafka: MemoryKafka) -> MemoryWarehouse:
    return MemoryWarehouse(kafka)


@pytest.fixture
async def worker(kafka: MemoryKafka, warehouse: MemoryWarehouse) -> Worker:
    worker = Worker(kafka, warehouse)
    await worker.assign()
    return worker


def commits(worker: Worker) -> int:
    return worker.faults.passed.count("commit:after")


# -- when it flushes -----------------------------------------------------------------------------------------------


async def test_records_are_buffered_until_there_are_enough_rows(worker: Worker, warehouse: MemoryWarehouse) -> None:
    await worker.poll(3)
    await worker.sink.flush_if_due()
    assert (warehouse.rows, worker.acknowledged) == ([], [])
    await worker.poll(1)
    assert len(warehouse.values(FIRST)) == len(worker.acknowledged) == 4


async def test_a_record_is_loaded_when_it_is_old_enough(worker: Worker, warehouse: MemoryWarehouse) -> None:
    worker.now_s = 100.0
    await worker.poll(1)
    worker.now_s = 109.9
    await worker.poll(1)
    await worker.sink.flush_if_due()
    assert not warehouse.rows
    worker.now_s = 110.0  # the older one came 10 s ago
    await worker.sink.flush_if_due()
    assert len(warehouse.rows) == 2
    await worker.poll(1)
    await worker.sink.flush_if_due()
    assert len(warehouse.rows) == 2, "the age is that of the oldest record in the buffer"


async def test_records_are_flushed_by_bytes(kafka: MemoryKafka, warehouse: MemoryWarehouse) -> None:
    worker = Worker(kafka, warehouse, limits=FlushLimits(1_000, 2 * (len(good(0)) + RECORD_BYTES), 10.0))
    await worker.assign()
    await worker.poll(1)
    assert not warehouse.rows
    await worker.poll(1)
    assert len(warehouse.rows) == 2


async def test_nothing_to_load_starts_no_transaction(worker: Worker) -> None:
    worker.now_s = 1_000.0
    await worker.sink.flush_if_due()
    assert commits(worker) == 0


# -- what cannot be loaded -----------------------------------------------------------------------------------------


async def test_a_record_that_cannot_be_decoded_is_a_dead_letter_with_its_reason(
    kafka: MemoryKafka, warehouse: MemoryWarehouse
) -> None:
    kafka.produce(FIRST, b"no JSON", good(7))
    before = metrics.DEAD_LETTERS.labels("archive", topics.MESSAGES)._value.get()
    await run_until_loaded(kafka, warehouse)
    assert_exact(kafka, warehouse)
    (letter,) = kafka.letters()
    assert (letter.consumer, letter.topic, letter.partition, letter.offset) == ("archive", *FIRST, 6)
    assert letter.reason.startswith("the value: Invalid JSON")
    assert metrics.DEAD_LETTERS.labels("archive", topics.MESSAGES)._value.get() == before + 1


async def test_a_dead_letter_does_not_wait_for_a_flush(worker: Worker, kafka: MemoryKafka) -> None:
    kafka.produce(SECOND, b"no JSON")
    worker.positions[SECOND] = 0
    await worker.assign()
    await worker.poll(1)
    assert (len(kafka.letters()), commits(worker)) == (1, 0)


@pytest.mark.parametrize("refused", [[0], [5], [2, 3], [0, 1, 2, 3, 4, 5]])
async def test_what_the_warehouse_refuses_is_a_dead_letter_and_the_others_are_loaded(
    kafka: MemoryKafka, warehouse: MemoryWarehouse, refused: list[int]
) -> None:
    kafka.produce(SECOND, good(10), good(11))
    warehouse.refused = set(map(good, refused))
    await run_until_loaded(kafka, warehouse)
    assert_exact(kafka, warehouse)
    assert [letter.offset for letter in kafka.letters()] == refused
    assert {letter.reason for letter in kafka.letters()} == {"the warehouse refused it"}


async def test_a_refused_record_is_found_in_few_attempts(kafka: MemoryKafka, warehouse: MemoryWarehouse) -> None:
    """For 64 records: six refused halves, their other halves, and the record itself."""
    kafka.produce(SECOND, *map(good, range(100, 164)))
    warehouse.refused = {good(140)}
    worker = Worker(kafka, warehouse, limits=FlushLimits(1_000, 1_000_000, 10.0))
    await worker.run(100)
    assert_exact(kafka, warehouse)
    assert worker.faults.passed.count("put:before") <= 2 * 7 + 2


async def test_a_dead_letter_that_is_not_delivered_ends_the_worker_before_its_offset_is_loaded(
    worker: Worker, kafka: MemoryKafka, warehouse: MemoryWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_: Output) -> Awaitable[Any]:
        raise Away("no broker")

    kafka.produce(FIRST, b"no JSON")
    monkeypatch.setattr(worker.sink._outputs, "send", fails)
    with pytest.raises(Away):
        await worker.poll(10)
    await worker.sink.wait_for_flush()
    assert warehouse.newest()[FIRST].next_offset == 4, "the first flush had no bad record; the second one has"
    await run_until_loaded(kafka, warehouse)
    assert_exact(kafka, warehouse)


# -- where reading starts --------------------------------------------------------------------------------------------


async def test_a_committed_offset_that_is_ahead_is_rewound(kafka: MemoryKafka, warehouse: MemoryWarehouse) -> None:
    await Worker(kafka, warehouse).run()
    kafka.produce(FIRST, good(6), good(7))
    kafka.committed[FIRST] = 8
    rewinds = metrics.REWINDS._value.get()
    worker = Worker(kafka, warehouse)
    await worker.assign()
    assert worker.positions == {FIRST: 6}
    assert metrics.REWINDS._value.get() == rewinds + 1
    await worker.drain()
    assert_exact(kafka, warehouse)


async def test_deleted_committed_offsets_load_nothing_again(kafka: MemoryKafka, warehouse: MemoryWarehouse) -> None:
    await Worker(kafka, warehouse).run()
    kafka.committed.clear()
    worker = Worker(kafka, warehouse)
    await worker.run()
    assert commits(worker) == 0
    assert_exact(kafka, warehouse)  # and all of it is acknowledged again


async def test_another_warehouse_is_loaded_from_the_beginning(kafka: MemoryKafka, warehouse: MemoryWarehouse) -> None:
    await Worker(kafka, warehouse).run()
    other = MemoryWarehouse(kafka)
    await run_until_loaded(kafka, other)
    assert_exact(kafka, other)


async def test_a_new_partition_begins_where_its_log_does(kafka: MemoryKafka, warehouse: MemoryWarehouse) -> None:
    kafka.trim(FIRST, 2)
    await Worker(kafka, warehouse).run()
    assert warehouse.values(FIRST) == [good(n) for n in range(2, 6)]
    assert not kafka.letters(), "records deleted before the first load are not counted as lost"


async def test_a_recreated_topic_is_loaded_as_another_incarnation(
    kafka: MemoryKafka, warehouse: MemoryWarehouse
) -> None:
    await Worker(kafka, warehouse).run()
    kafka.recreate(FIRST)
    kafka.produce(FIRST, *map(good, range(100, 109)))  # longer than the one before
    await run_until_loaded(kafka, warehouse)
    assert warehouse.values(FIRST, 0) == [good(n) for n in range(6)]
    assert warehouse.values(FIRST, 1) == [good(n) for n in range(100, 109)]
    assert warehouse.newest()[FIRST].incarnation == 1
    assert_exact(kafka, warehouse)


async def test_a_recreated_topic_that_is_shorter_is_another_incarnation(
    kafka: MemoryKafka, warehouse: MemoryWarehouse
) -> None:
    await Worker(kafka, warehouse).run()
    kafka.recreate(FIRST)
    kafka.produce(FIRST, good(0))  # its first record is the same
    await run_until_loaded(kafka, warehouse)
    assert (warehouse.values(FIRST, 1), len(warehouse.values(FIRST, 0))) == ([good(0)], 6)


# -- missing records ----------------------------------------------------------------------------------------------


async def test_records_deleted_before_they_were_loaded_are_a_dead_letter_and_the_others_are_loaded(
    kafka: MemoryKafka, warehouse: MemoryWarehouse
) -> None:
    await Worker(kafka, warehouse).run()
    kafka.produce(FIRST, *map(good, range(6, 20)))
    kafka.trim(FIRST, 11)
    await Worker(kafka, warehouse).run()
    (letter,) = kafka.letters()
    assert (letter.topic, letter.partition, letter.offset) == (*FIRST, 6)
    assert letter.reason.startswith("5 records")
    assert warehouse.values(FIRST) == [good(n) for n in (*range(6), *range(11, 20))]


async def test_offsets_that_the_log_never_had_are_skipped(kafka: MemoryKafka, warehouse: MemoryWarehouse) -> None:
    kafka.produce(FIRST, None, good(7), None, None, good(10))
    await run_until_loaded(kafka, warehouse)
    assert_exact(kafka, warehouse)
    assert not kafka.letters()


async def test_a_skipped_record_stops_the_worker_after_loading_the_earlier_ones(
    worker: Worker, kafka: MemoryKafka, warehouse: MemoryWarehouse
) -> None:
    """A restarted worker begins at the gap: one that begins before it would stop again and again."""
    await worker.poll(2)
    worker.positions[FIRST] = 3
    with pytest.raises(SequenceGap, match="continues at 3, not at 2"):
        await worker.poll()
    assert warehouse.newest()[FIRST].next_offset == 2
    await run_until_loaded(kafka, warehouse)
    assert_exact(kafka, warehouse)


async def test_reading_from_beyond_the_loaded_offset_stops_the_worker(
    kafka: MemoryKafka, warehouse: MemoryWarehouse
) -> None:
    """The warehouse was away when the partition was assigned, and Kafka's offset is ahead of it."""
    kafka.committed[FIRST] = 3
    warehouse.offsets[FIRST, 0] = LoadedOffset(0, 0)
    worker = Worker(kafka, warehouse)

    async def away() -> None:
        raise Away("no answer")

    worker.faults.plan = {0: away}
    with pytest.raises(SequenceGap, match="continues at 3, not at 0"):
        await worker.run()
    assert not warehouse.rows
    await run_until_loaded(kafka, warehouse)
    assert_exact(kafka, warehouse)


async def test_a_record_delivered_again_is_only_acknowledged(worker: Worker, warehouse: MemoryWarehouse) -> None:
    await worker.poll(4)
    worker.positions[FIRST] = 1
    await worker.drain()
    assert warehouse.values(FIRST) == [good(n) for n in range(6)]
    assert worker.acknowledged[-1] == (FIRST, 5)


async def test_offsets_that_go_back_in_the_warehouse_stop_the_worker(
    worker: Worker, warehouse: MemoryWarehouse
) -> None:
    """After a table was restored, acknowledged rows are missing; only a restarted worker reads them again."""
    await worker.poll(4)
    warehouse.offsets[FIRST, 0] = LoadedOffset(0, 2)
    with pytest.raises(SequenceGap, match="is loaded to 2, and 4 was next"):
        await worker.drain()


# -- a warehouse that is away, and other workers -------------------------------------------------------------------


async def test_while_the_warehouse_is_away_nothing_more_is_received(
    kafka: MemoryKafka, warehouse: MemoryWarehouse
) -> None:
    """It waits in the middle of the batch, with backoff, and reports the reason; Kafka keeps the rest."""
    pauses: list[float] = []
    reads: list[int] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        reads.append(worker.positions[FIRST])
        if len(pauses) == 7:
            worker.faults.plan.clear()

    async def away() -> None:
        raise Away("no answer")

    worker = Worker(kafka, warehouse, sleep=sleep)
    await worker.assign()
    gates = len(worker.faults.passed)
    worker.faults.plan = dict.fromkeys(range(gates, gates + 1_000), away)
    kafka.produce(FIRST, *map(good, range(6, 40)))
    await worker.poll(4)
    assert set(reads) == {4}
    assert max(pauses) <= 1.0
    assert worker.waits[-2] == "Attempt 7 to load failed; records wait in Kafka. no answer"
    assert worker.waits[-1] is None
    await worker.drain()
    assert_exact(kafka, warehouse)


async def test_partitions_are_assigned_while_the_warehouse_does_not_answer(
    kafka: MemoryKafka, warehouse: MemoryWarehouse
) -> None:
    """A rebalance does not wait; the first batch does."""
    never = asyncio.Event()

    async def hang() -> None:
        await never.wait()

    worker = Worker(kafka, warehouse)
    worker.sink.offsets_within_s = 0.0
    worker.faults.plan = {0: hang}
    await worker.assign()
    assert worker.waits[0] is not None
    assert worker.waits[0].startswith("The loaded offsets cannot be read from the warehouse.")
    await worker.drain()
    assert_exact(kafka, warehouse)


async def test_a_fenced_worker_loads_only_what_the_other_has_not_loaded(
    worker: Worker, kafka: MemoryKafka, warehouse: MemoryWarehouse
) -> None:
    fenced = metrics.FENCED._value.get()
    await worker.poll(2)
    other = Worker(kafka, warehouse, limits=FlushLimits(1, 1, 1.0))
    await other.assign()
    await other.poll(3)
    await worker.drain()
    assert metrics.FENCED._value.get() == fenced + 1
    assert warehouse.values(FIRST) == [good(n) for n in range(6)]
    assert list(warehouse.loaded_by.values()) == [worker.name]
    assert "Another worker has loaded these records" in str(worker.waits)


async def test_a_fenced_worker_sends_no_dead_letter_of_a_refused_record(
    worker: Worker, kafka: MemoryKafka, warehouse: MemoryWarehouse
) -> None:
    """COPY, which refuses it, comes before the comparison of offsets."""
    warehouse.refused = {good(0)}
    await worker.poll(2)
    await Worker(kafka, warehouse).run()
    assert [letter.offset for letter in kafka.letters()] == [0]
    await worker.drain()
    assert_exact(kafka, warehouse)
    assert [letter.offset for letter in kafka.letters()] == [0]


async def test_records_of_revoked_partitions_are_neither_loaded_nor_acknowledged(
    worker: Worker, warehouse: MemoryWarehouse
) -> None:
    await worker.poll(3)
    worker.revoke()
    worker.now_s = 1_000.0
    await worker.sink.flush_if_due()
    assert (warehouse.rows, worker.acknowledged) == ([], [])


async def test_a_batch_of_an_earlier_assignment_is_dropped(worker: Worker, warehouse: MemoryWarehouse) -> None:
    await worker.deliver([Delivered(Message(*FIRST, n, good(n))) for n in range(6)], generation=-7)
    assert not warehouse.rows
    await worker.drain()
    assert warehouse.values(FIRST) == [good(n) for n in range(6)]


async def test_a_record_of_an_earlier_assignment_makes_no_dead_letter(worker: Worker, kafka: MemoryKafka) -> None:
    """The partition's new owner rejects it."""
    await worker.deliver([Delivered(Message(*FIRST, 0, b"no JSON"))], generation=-7)
    assert not kafka.letters()


async def test_reassigned_partitions_continue_after_what_the_other_worker_has_loaded(
    worker: Worker, kafka: MemoryKafka, warehouse: MemoryWarehouse
) -> None:
    """The two records buffered in the first assignment are dropped."""
    await worker.poll(2)
    worker.revoke()
    await Worker(kafka, warehouse).run()
    kafka.produce(FIRST, good(6), good(7))
    await worker.assign()
    assert worker.positions == {FIRST: 6}
    await worker.drain()
    assert_exact(kafka, warehouse)


async def test_records_are_received_during_a_flush_until_the_next_is_due(
    kafka: MemoryKafka, warehouse: MemoryWarehouse
) -> None:
    """Old records alone do not make it due; they are flushed when the one before has ended."""
    go_on = asyncio.Event()

    async def wait() -> None:
        await go_on.wait()

    kafka.produce(FIRST, *map(good, range(6, 20)))
    worker = Worker(kafka, warehouse, overlaps=True)
    await worker.assign()
    worker.faults.plan = {len(worker.faults.passed) + GATES_TO_COPY: wait}
    await worker.poll(4)
    await worker.poll(2)
    worker.now_s = 1_000.0
    await worker.poll(1)
    assert len(worker.sink.buffer.batches[FIRST].records) == 3
    receiving = asyncio.create_task(worker.poll(5))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not receiving.done()
    assert (len(worker.sink.buffer.batches[FIRST].records), worker.acknowledged) == (4, [])
    go_on.set()
    await receiving
    await worker.drain()
    assert_exact(kafka, warehouse)
    assert [offset for _, offset in worker.acknowledged] == list(range(20))


@pytest.mark.parametrize(
    "limits", [FlushLimits(100, 2**40, 10.0), FlushLimits(2**40, 100_000, 10.0)], ids=["rows", "bytes"]
)
async def test_records_without_rows_or_bytes_are_bounded_during_a_flush(
    kafka: MemoryKafka, warehouse: MemoryWarehouse, monkeypatch: pytest.MonkeyPatch, limits: FlushLimits
) -> None:
    """Empty values: the warehouse does not answer, and thousands of them are published."""
    go_on = asyncio.Event()
    kafka.produce(SECOND, *[b""] * 3_000)
    worker = Worker(kafka, warehouse, limits=limits, overlaps=True)
    await worker.assign()
    load = MemoryLoader.load

    async def blocked(self: MemoryLoader, batches: list[PartitionBatch]) -> Counter[str]:
        await go_on.wait()
        return await load(self, batches)

    monkeypatch.setattr(MemoryLoader, "load", blocked)
    receiving = asyncio.create_task(worker.drain(500))
    for _ in range(10_000):
        await asyncio.sleep(0)
    assert len(worker.sink.acks) < 1_000
    assert not receiving.done()
    go_on.set()
    await receiving
    assert_exact(kafka, warehouse)


async def test_what_a_flush_raises_ends_the_task_that_looks_at_the_age(
    kafka: MemoryKafka, warehouse: MemoryWarehouse
) -> None:
    """No further record arrives."""
    kafka.produce(FIRST, good(6), good(7))
    worker = Worker(kafka, warehouse, overlaps=True)
    await worker.assign()
    await worker.poll(4)
    await worker.sink.wait_for_flush()
    warehouse.offsets[FIRST, 0] = LoadedOffset(0, 2)
    await worker.poll(4)
    with pytest.raises(SequenceGap, match="is loaded to 2, and 4 was next"):
        await worker.sink.flush_if_due()


async def test_a_waiter_that_is_cancelled_does_not_end_the_flush(
    kafka: MemoryKafka, warehouse: MemoryWarehouse
) -> None:
    """The others wait for the same flush."""
    go_on = asyncio.Event()

    async def wait() -> None:
        await go_on.wait()

    worker = Worker(kafka, warehouse, overlaps=True)
    await worker.assign()
    worker.faults.plan = {len(worker.faults.passed) + GATES_TO_COPY: wait}
    await worker.poll(4)
    waiter = asyncio.create_task(worker.sink.flush_if_due())
    for _ in range(20):
        await asyncio.sleep(0)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    go_on.set()
    await worker.drain()
    assert_exact(kafka, warehouse)


async def test_a_sink_that_is_stopped_loads_and_acknowledges_nothing_more(
    kafka: MemoryKafka, warehouse: MemoryWarehouse
) -> None:
    worker = Worker(kafka, warehouse, overlaps=True)
    await worker.sink.stop()
    await worker.assign()
    worker.faults.plan = {len(worker.faults.passed) + GATES_TO_COPY: asyncio.Event().wait}
    await worker.poll(4)
    for _ in range(20):
        await asyncio.sleep(0)
    assert worker.faults.passed[-1] == "copy:after"
    await worker.sink.stop()
    passed = len(worker.faults.passed)
    for _ in range(20):
        await asyncio.sleep(0)
    assert (warehouse.rows, worker.acknowledged, len(worker.faults.passed)) == ([], [], passed)
    await run_until_loaded(kafka, warehouse)
    assert_exact(kafka, warehouse)


async def test_a_batch_is_decoded_in_groups_and_other_tasks_run_between_them(
    kafka: MemoryKafka, warehouse: MemoryWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of at most ``GROUP_BYTES`` of values; when the partitions are revoked, no further group is decoded."""
    monkeypatch.setattr(sink, "GROUP_BYTES", 3 * len(good(0)) + 10)
    decoded: list[int] = []
    decode_records = tables.decode_records

    def counted(messages: Sequence[Any], incarnations: Sequence[int]) -> Any:
        decoded.append(len(messages))
        return decode_records(messages, incarnations)

    monkeypatch.setattr(tables, "decode_records", counted)
    kafka.produce(FIRST, b"", b"", good(8), good(9))
    worker = Worker(kafka, warehouse, limits=FlushLimits(1_000, 1_000_000, 10.0))
    await worker.assign()
    receiving = asyncio.create_task(worker.poll(8))
    await asyncio.sleep(0)
    assert decoded == [3]
    await receiving
    assert decoded == [3, 5]
    receiving = asyncio.create_task(worker.poll(8))
    await asyncio.sleep(0)
    assert decoded == [3, 5, 2]
    await receiving
    await worker.assign()
    receiving = asyncio.create_task(worker.poll(10))
    await asyncio.sleep(0)
    worker.revoke()
    await receiving
    assert decoded == [3, 5, 2, 3]
    await worker.assign()
    await worker.drain()
    assert_exact(kafka, warehouse)


async def test_records_of_a_new_assignment_wait_for_the_end_of_a_flush(
    worker: Worker, kafka: MemoryKafka, warehouse: MemoryWarehouse
) -> None:
    """The flush is due by age and runs in another task than the one that receives."""
    go_on, flushing = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        flushing.set()
        await go_on.wait()

    await worker.poll(2)
    worker.faults.plan = {len(worker.faults.passed) + GATES_TO_COPY: wait}
    worker.now_s = 1_000.0
    flush = asyncio.create_task(worker.sink.flush_if_due())
    await flushing.wait()
    assert worker.faults.passed[-1] == "copy:after"
    await worker.assign()  # partitions are assigned again meanwhile, from what is acknowledged
    assert worker.positions == {FIRST: 0}
    receiving = asyncio.create_task(worker.poll(4))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not worker.sink.buffer.batches
    go_on.set()
    await asyncio.gather(flush, receiving)
    await worker.drain()
    assert_exact(kafka, warehouse)


GATES_TO_COPY = ["put:before", "put:after", "copy:before", "copy:after"].index("copy:after")
