"""The archive on Apache Kafka: whatever dies, freezes or is away, every row is loaded, once, as published."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from f1stream import topics
from f1stream.kafka import create_topics
from f1stream.sources.packing import Published, pack
from f1stream.sources.session import Session
from f1stream.warehouse.loader import Loader
from f1stream.warehouse.partition_batch import Partition
from tests.support.archive_rig import ArchiveRig
from tests.support.kafka_cluster import Cluster, delete_group
from tests.support.rig import bytes_of

LONG = os.environ.get("F1STREAM_FAULTS") == "long"
PACKET_MS = 3_000


@pytest.fixture(scope="module")
def items(aus_session: Session, stretch: tuple[int, int]) -> list[Published]:
    """The records of the leader's laps 30 to 36."""
    return list(pack(aus_session, 1, PACKET_MS, *stretch))


@pytest_asyncio.fixture
async def rig(cluster: Cluster, tmp_path: Path) -> AsyncIterator[ArchiveRig]:
    await cluster.reset()
    rig = ArchiveRig(tmp_path, broker=cluster.environment())
    try:
        await rig.start()
        yield rig
    finally:
        rig.stop()


async def ended(process: Any) -> int:
    """Its exit code, once it has ended."""
    async with asyncio.timeout(90):
        while process.poll() is None:
            await asyncio.sleep(0.05)
    return int(process.poll())


async def stopped(process: Any) -> None:
    """Return when SIGSTOP has stopped it."""
    async with asyncio.timeout(60):
        while "stopped" not in Path(f"/proc/{process.pid}/status").read_text():
            await asyncio.sleep(0.1)


STEPS = ["put:before", "put:after", "compare_and_set:after", "copy:after", "commit:before", "commit:after"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("nth", [1, 2, 5] if LONG else [2])
async def test_killed_at_a_step_it_loads_everything_once(
    rig: ArchiveRig, items: list[Published], step: str, nth: int
) -> None:
    await rig.publish(bytes_of(items))
    assert await ended(rig.archive(f"{step}:{nth}:SIGKILL")) == -signal.SIGKILL
    rig.archive()
    await rig.until_loaded()
    rig.assert_exact(items)


async def test_killed_at_random_times_it_loads_everything_once(rig: ArchiveRig, items: list[Published]) -> None:
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    publishing = asyncio.create_task(rig.publish(bytes_of(items), speed=25))
    process = rig.archive()
    for _ in range(8 if LONG else 2):
        await rig.ready(process)
        await asyncio.sleep(chance.uniform(0.2, 3.0))
        process.kill()
        process.wait()
        process = rig.archive()
    await publishing
    await rig.until_loaded()
    rig.assert_exact(items)


async def test_partitions_that_move_between_two_workers_are_loaded_once(
    rig: ArchiveRig, items: list[Published]
) -> None:
    publishing = asyncio.create_task(rig.publish(bytes_of(items), speed=25))
    first = rig.archive()
    await rig.ready(first)
    second = rig.archive()
    await rig.ready(second)
    await asyncio.sleep(2)
    first.kill()
    first.wait()
    third = rig.archive()
    await rig.ready(third)
    second.send_signal(signal.SIGTERM)
    await publishing
    await rig.until_loaded()
    rig.assert_exact(items)


async def test_partitions_that_move_while_a_flush_is_on_are_loaded_once(
    rig: ArchiveRig, items: list[Published], tmp_path: Path
) -> None:
    """The flush is one by age, so that records of the new assignment come while it lasts."""
    few = 50
    go_on = tmp_path / "go-on"
    await rig.publish(bytes_of(items[:few]))
    first = rig.archive(f"copy:after:1:{go_on}", F1STREAM_ARCHIVE_FLUSH_SECONDS="3")
    await rig.ready(first)
    second = rig.archive()
    await rig.ready(second)
    await rig.publish(bytes_of(items[few:]))
    await asyncio.sleep(5)  # some of it is the first one's
    go_on.touch()
    await rig.until_loaded()
    assert (first.poll(), second.poll()) == (None, None), "a worker has ended"
    rig.assert_exact(items)


@pytest.mark.parametrize("step", ["put:after", "compare_and_set:after", "copy:after", "commit:before"])
async def test_a_worker_that_was_frozen_does_not_write_when_it_wakes(
    rig: ArchiveRig, items: list[Published], step: str
) -> None:
    rig.kill_warehouse()
    await rig.start_warehouse("--tx-idle", "3")  # an open transaction's locks are given back after so long
    await rig.publish(bytes_of(items))
    frozen = rig.archive(f"{step}:2:SIGSTOP")
    await rig.ready(frozen)
    await stopped(frozen)
    rig.archive()
    await rig.until_loaded()  # by the other one, after the frozen one's session has ended
    loaded = rig.rows("select loaded_by, loaded_at, kafka_topic, kafka_partition from RAW.LOAD_OFFSETS order by 3, 4")
    frozen.send_signal(signal.SIGCONT)
    await asyncio.sleep(8)
    assert loaded == rig.rows(
        "select loaded_by, loaded_at, kafka_topic, kafka_partition from RAW.LOAD_OFFSETS order by 3, 4"
    )
    rig.assert_exact(items)


async def test_a_warehouse_that_is_away_longer_than_the_poll_interval_misses_nothing(
    rig: ArchiveRig, items: list[Published]
) -> None:
    half = len(items) // 2
    process = rig.archive(F1STREAM_BROKER_MAX_POLL_SECONDS="3")
    await rig.ready(process)
    await rig.publish(bytes_of(items[:half]))
    rig.kill_warehouse()
    await rig.publish(bytes_of(items[half:]))
    await asyncio.sleep(10)
    assert process.poll() is None, "it did not wait for the warehouse"
    await rig.start_warehouse()
    await rig.until_loaded()
    rig.assert_exact(items)


async def test_a_warehouse_killed_between_copy_and_commit_has_every_row_once(
    rig: ArchiveRig, items: list[Published]
) -> None:
    await rig.publish(bytes_of(items))
    process = rig.archive("copy:after:2:SIGSTOP")
    await stopped(process)
    rig.kill_warehouse()
    process.send_signal(signal.SIGCONT)
    await asyncio.sleep(2)
    await rig.start_warehouse()
    await rig.until_loaded()
    rig.assert_exact(items)


async def test_a_record_that_the_warehouse_rejects_is_a_dead_letter_and_the_others_are_loaded(
    rig: ArchiveRig, items: list[Published]
) -> None:
    """A gear of 2**70 is JSON and an integer, and no column has room for it."""
    place = next(n for n, item in enumerate(items) if n > 200 and item.topic == topics.TELEMETRY and item.record.gear)
    spoiled = items[place].record.model_copy(update={"gear": [2**70] * len(items[place].record.gear)})
    published = bytes_of(items)
    published[place] = (items[place], topics.encode(spoiled))
    await rig.publish(published)
    rig.archive()
    await rig.until_loaded()
    rig.assert_exact(items[:place] + items[place + 1 :], letters=1)
    (letter,) = rig.rows("select * from RAW.DEAD_LETTERS")
    assert "does not fit" in letter["reason"]
    assert letter["session_key"] == "9693"


async def test_sigterm_in_mid_batch_loses_nothing(rig: ArchiveRig, items: list[Published]) -> None:
    await rig.publish(bytes_of(items))
    assert await ended(rig.archive("copy:after:2:SIGTERM")) == 0
    rig.archive()
    await rig.until_loaded()
    rig.assert_exact(items)


async def test_kafkas_offsets_are_not_believed(rig: ArchiveRig, items: list[Published]) -> None:
    """Deleted: nothing is loaded again. Moved ahead: the worker goes back to what is loaded."""
    half = len(items) // 2
    await rig.publish(bytes_of(items[:half]))
    process = rig.archive()
    await rig.until_loaded()
    process.send_signal(signal.SIGTERM)
    await ended(process)
    await _delete_group(rig)
    process = rig.archive()
    await rig.ready(process)
    rig.assert_exact(items[:half])
    process.send_signal(signal.SIGTERM)
    await ended(process)
    await rig.publish(bytes_of(items[half:]))
    await _commit_ends(rig)
    rig.archive()
    await rig.until_loaded()
    rig.assert_exact(items)


async def _delete_group(rig: ArchiveRig) -> None:
    admin = AIOKafkaAdminClient(**rig.settings.kafka_client())
    await admin.start()
    try:
        async with asyncio.timeout(30):
            while any(group == "f1stream-archive" for group, _ in await admin.list_consumer_groups()):
                await delete_group(admin, "f1stream-archive")
                await asyncio.sleep(0.2)
    finally:
        await admin.close()


async def _commit_ends(rig: ArchiveRig) -> None:
    consumer = AIOKafkaConsumer(**rig.settings.kafka_client(), group_id="f1stream-archive", enable_auto_commit=False)
    await consumer.start()
    try:
        tps = [
            TopicPartition(topic, n)
            for topic in (topics.TELEMETRY, topics.LAPS, topics.MESSAGES)
            for n in range(rig.settings.topic_partitions)
        ]
        consumer.assign(tps)
        await consumer.commit(await consumer.end_offsets(tps))
    finally:
        await consumer.stop()


async def test_a_topic_that_was_deleted_and_created_anew_is_loaded_from_its_beginning(
    rig: ArchiveRig, aus_session: Session, stretch: tuple[int, int], items: list[Published]
) -> None:
    await rig.publish(bytes_of(items))
    rig.archive()
    await rig.until_loaded()
    admin = AIOKafkaAdminClient(**rig.settings.kafka_client())
    await admin.start()
    await admin.delete_topics([topics.TELEMETRY, topics.LAPS, topics.MESSAGES])
    await asyncio.sleep(1)
    await admin.close()
    await create_topics(rig.settings)
    again = list(pack(aus_session, 2, PACKET_MS, *stretch))
    await rig.publish(bytes_of(again))
    async with asyncio.timeout(150):
        while rig.rows("select max(kafka_incarnation) as n from RAW.LOAD_OFFSETS")[0]["n"] != 1:
            await rig.until_loaded()
            await asyncio.sleep(0.5)
    await rig.until_loaded()
    rig.assert_exact(items + again)


async def test_records_deleted_before_they_were_loaded_are_told_and_the_others_loaded(
    rig: ArchiveRig, items: list[Published]
) -> None:
    half = len(items) // 2
    await rig.publish(bytes_of(items[:half]))
    process = rig.archive()
    await rig.until_loaded()
    process.send_signal(signal.SIGTERM)
    await ended(process)
    of = Partition(topics.TELEMETRY, 1)
    loaded = Loader(rig.warehouse, "").offsets()[of].next_offset
    await rig.publish(bytes_of(items[half:]))
    admin = AIOKafkaAdminClient(**rig.settings.kafka_client())
    await admin.start()
    await admin.delete_records({TopicPartition(*of): RecordsToDelete(loaded + 5)})
    await admin.close()
    rig.archive()
    await rig.until_loaded()
    (letter,) = rig.rows("select * from RAW.DEAD_LETTERS")
    assert (letter["refused_topic"], letter["refused_partition"], letter["refused_offset"]) == (*of, loaded)
    assert letter["reason"].startswith("5 records")
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{rig.archives[-1][1]}/metrics") as answer:
        assert 'f1stream_dead_letters_total{by="archive",topic="telemetry"}' in await answer.text()
    (rest,) = rig.rows("select min(kafka_offset) as first from RAW.TELEMETRY where kafka_partition = 1"
                       f" and kafka_offset >= {loaded}")  # fmt: skip
    assert rest["first"] >= loaded + 5


async def test_a_broker_of_three_and_then_all_are_killed_and_nothing_is_missing(
    three_brokers: Cluster, tmp_path: Path, items: list[Published]
) -> None:
    rig = ArchiveRig(tmp_path, broker=three_brokers.environment())
    try:
        await rig.start()
        rig.archive()
        publishing = asyncio.create_task(rig.publish(bytes_of(items), speed=20))
        await asyncio.sleep(6)
        three_brokers.kill(2)
        await asyncio.sleep(6)
        await three_brokers.start_all()
        await publishing
        for number in (1, 2, 3):
            three_brokers.kill(number)
        await three_brokers.start_all()
        await rig.until_loaded()
        rig.assert_exact(items)
    finally:
        rig.stop()


async def test_two_runs_of_a_session_are_told_apart_and_each_is_complete(
    rig: ArchiveRig, aus_session: Session, stretch: tuple[int, int], items: list[Published]
) -> None:
    """Once whole, half of it as if live, and whole again from the archive."""
    begin, end = stretch
    half = list(pack(aus_session, 2, 250, begin, (begin + end) // 2))
    whole = list(pack(aus_session, 3, 1_000, begin, end))
    rig.archive()
    for run in (items, half, whole):
        await rig.publish(bytes_of(run))
    await rig.until_loaded()
    rig.assert_exact(items + half + whole)
