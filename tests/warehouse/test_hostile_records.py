"""Fuzzed records: the archive loads each or writes its dead letter, in order, and loses no other record."""

from __future__ import annotations

from functools import cache
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from f1stream import topics
from f1stream.processing.outputs import Output
from f1stream.sources.packing import pack
from f1stream.sources.simulator import simulate
from f1stream.warehouse.partition_batch import Partition
from f1stream.warehouse.tables import BY_TOPIC
from tests.support.archive_harness import MemoryKafka, MemoryWarehouse, Message, Worker
from tests.support.harness import encoded
from tests.support.hostile import fuzzed, hostile


@cache
def records() -> tuple[Output, ...]:
    """Half a minute of a small race, from its start."""
    session = simulate(4, cars=2, laps=2)
    return tuple(encoded(pack(session, 1, 1_000, session.start_ms, session.start_ms + 30_000)))


@fuzzed(examples=120)
@given(seed=st.integers(0, 2**32))
async def test_every_record_is_loaded_or_a_dead_letter(seed: int) -> None:
    random = Random(seed)
    spoiled = [hostile(random, records()) for _ in range(random.randint(1, 60))]
    kafka, warehouse = MemoryKafka(), MemoryWarehouse(MemoryKafka())
    warehouse.kafka = kafka
    good = set()
    for output in random.sample([*records(), *spoiled], len(records()) + len(spoiled)):
        if output.topic not in BY_TOPIC:
            continue
        partition = Partition(output.topic, random.randrange(2))
        log = kafka.logs[partition]
        if output in records():
            good.add((*partition, len(log)))
        log.append(Message(*partition, len(log), output.value, output.key, output.headers, 2_000_000_000.0))  # type: ignore[arg-type]
    await Worker(kafka, warehouse).run()
    loaded = {(*partition, offset) for partition, _, offset, _ in warehouse.rows}
    letters = {(letter.topic, letter.partition, letter.offset) for letter in kafka.letters()}
    inputs = {
        (*partition, n) for partition, log in kafka.logs.items() for n in range(len(log))
        if partition.topic != topics.DEAD_LETTERS
    }  # fmt: skip
    assert loaded >= good
    assert not loaded & letters
    assert inputs == loaded | letters
    newest = warehouse.newest()
    for partition, log in kafka.logs.items():
        if partition.topic != topics.DEAD_LETTERS:
            assert newest[partition].next_offset == kafka.committed[partition] == len(log)
