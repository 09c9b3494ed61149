"""The faults of the archive worker that ``tests/warehouse`` proves in process, on Apache Kafka: `make faults`."""

from __future__ import annotations

import asyncio
import random
import signal
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from f1stream import topics
from f1stream.sources.packing import OutgoingRecord, pack
from f1stream.sources.session import Session
from f1stream.warehouse.loader import Loader
from f1stream.warehouse.partition_batch import Partition
from tests.support.archive_rig import ArchiveRig, ended, stopped
from tests.support.kafka_cluster import delete_group
from tests.support.rig import bytes_of

pytestmark = pytest.mark.system


async def test_killed_at_random_times_it_loads_everything_once(rig: ArchiveRig, items: list[OutgoingRecord]) -> None:
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    publishing = asyncio.create_task(rig.publish(bytes_of(items), speed=25))
    process = rig.archive()
    for _ in range(8):
        await rig.ready(process)
        await asyncio.sleep(chance.uniform(0.2, 3.0))
        process.kill()
        process.wait()
        process = rig.archive()
    await publishing
    await rig.until_loaded()
    rig.assert_exact(items)


async def test_partitions_that_move_between_two_workers_are_loaded_once(
    rig: ArchiveRig, items: list[OutgoingRecord]
) -> None:
    publishing = asyncio.create_task(rig.publish(bytes_of(items), speed=25))
    first = rig.archive()
    await rig.ready(first)
    second = rig.archive()
    await rig.ready(second)
    await rig.until_more_is_loaded()
    first.kill()
    first.wait()
    third = rig.archive()
    await rig.ready(third)
    second.send_signal(signal.SIGTERM)
    await publishing
    await rig.until_loaded()
    rig.assert_exact(items)


async def test_partitions_that_move_during_a_flush_are_loaded_once(
    rig: ArchiveRig, items: list[OutgoingRecord], tmp_path: Path
) -> None:
    """The flush is due by age, so that records of the new assignment arrive during it."""
    few = 50
    go_on = tmp_path / "go-on"
    await rig.publish(bytes_of(items[:few]))
    first = rig.archive(f"copy:after:1:{go_on}", F1STREAM_ARCHIVE_FLUSH_SECONDS="3")
    await rig.logged(first, "copy waits for a file")
    second = rig.archive()
    await rig.ready(second)
    await rig.publish(bytes_of(items[few:]))
    await rig.logged(first, "The loaded offsets cannot be read")  # some of it is the first one's
    go_on.touch()
    await rig.until_loaded()
    assert (first.poll(), second.poll()) == (None, None), "a worker has ended"
    rig.assert_exact(items)


async def test_a_warehouse_unavailable_longer_than_the_poll_interval_misses_nothing(
    rig: ArchiveRig, items: list[OutgoingRecord]
) -> None:
    half = len(items) // 2
    process = rig.archive(F1STREAM_BROKER_MAX_POLL_SECONDS="3")
    await rig.ready(process)
    await rig.publish(bytes_of(items[:half]))
    rig.kill_warehouse()
    await rig.publish(bytes_of(items[half:]))
    await _until_group_is_empty(rig)
    assert process.poll() is None, "it did not wait for the warehouse"
    await rig.start_warehouse()
    await rig.until_loaded()
    rig.assert_exact(items)


async def test_a_warehouse_killed_between_copy_and_commit_has_every_row_once(
    rig: ArchiveRig, items: list[OutgoingRecord]
) -> None:
    await rig.publish(bytes_of(items))
    process = rig.archive("copy:after:2:SIGSTOP")
    await stopped(process)
    rig.kill_warehouse()
    process.send_signal(signal.SIGCONT)
    await rig.logged(process, "to load failed")
    await rig.start_warehouse()
    await rig.until_loaded()
    rig.assert_exact(items)


async def test_a_record_that_the_warehouse_rejects_is_a_dead_letter_and_the_others_are_loaded(
    rig: ArchiveRig, items: list[OutgoingRecord]
) -> None:
    """A session time 0 of 2**62 ms is a 64-bit integer but does not fit into a timestamp column."""
    place = next(n for n, item in enumerate(items) if n > 200 and item.topic == topics.TELEMETRY and item.record.gear)
    spoiled = replace(items[place], headers=replace(items[place].headers, t0_utc_ms=2**62))
    published = bytes_of(items)
    published[place] = (spoiled, published[place][1])
    await rig.publish(published)
    rig.archive()
    await rig.until_loaded()
    rig.assert_exact(items[:place] + items[place + 1 :], letters=1)
    (dead_letter,) = rig.rows("select * from RAW.DEAD_LETTERS")
    assert "does not fit" in dead_letter["reason"]
    assert dead_letter["session_key"] == "9693"


async def test_sigterm_in_mid_batch_loses_nothing(rig: ArchiveRig, items: list[OutgoingRecord]) -> None:
    await rig.publish(bytes_of(items))
    assert await ended(rig.archive("copy:after:2:SIGTERM")) == 0
    rig.archive()
    await rig.until_loaded()
    rig.assert_exact(items)


async def test_the_warehouses_offsets_are_used_instead_of_kafkas(
    rig: ArchiveRig, items: list[OutgoingRecord]
) -> None:
    """Deleted: nothing is loaded again. Moved ahead: the worker rewinds to the loaded offset."""
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


async def _until_group_is_empty(rig: ArchiveRig) -> None:
    """The worker has not polled for longer than allowed, and has left its group."""
    admin = AIOKafkaAdminClient(**rig.settings.kafka_client())
    await admin.start()
    try:
        async with asyncio.timeout(60):
            while True:
                (answer,) = await admin.describe_consumer_groups(["f1stream-archive"])
                if not answer.groups[0][5]:
                    return
                await asyncio.sleep(0.2)
    finally:
        await admin.close()


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


async def test_records_deleted_before_they_were_loaded_are_a_dead_letter_and_the_others_are_loaded(
    rig: ArchiveRig, items: list[OutgoingRecord]
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
    (found,) = rig.rows("select * from RAW.DEAD_LETTERS")
    assert (found["refused_topic"], found["refused_partition"], found["refused_offset"]) == (*of, loaded)
    assert found["reason"].startswith("5 records")
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{rig.archives[-1][1]}/metrics") as answer:
        assert 'f1stream_dead_letters_total{by="archive",topic="telemetry"}' in await answer.text()
    (rest,) = rig.rows("select min(kafka_offset) as first from RAW.TELEMETRY where kafka_partition = 1"
                       f" and kafka_offset >= {loaded}")  # fmt: skip
    assert rest["first"] >= loaded + 5


async def test_two_runs_of_a_session_are_distinguished_and_each_is_complete(
    rig: ArchiveRig, aus_session: Session, stretch: tuple[int, int], items: list[OutgoingRecord]
) -> None:
    """First the whole, then half of it as if live, then the whole again from the archive."""
    begin, end = stretch
    half = list(pack(aus_session, 2, 250, begin, (begin + end) // 2))
    whole = list(pack(aus_session, 3, 1_000, begin, end))
    rig.archive()
    for run in (items, half, whole):
        await rig.publish(bytes_of(run))
    await rig.until_loaded()
    rig.assert_exact(items + half + whole)
