"""The archive worker on Apache Kafka: it dies or freezes, a topic is recreated.

The steps themselves are proved in ``tests/warehouse``; here is shown that the real parts are connected. The long
matrix of the same faults is in ``test_archive_matrix.py``.
"""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from f1stream import topics
from f1stream.kafka import create_topics
from f1stream.sources.packing import OutgoingRecord, pack
from f1stream.sources.session import Session
from f1stream.warehouse.partition_batch import LoadedOffset, Partition
from f1stream.warehouse.tables import fingerprint
from f1stream.warehouse.topic_log import KafkaTopicLog
from tests.faults.conftest import PACKET_MS
from tests.support.archive_rig import OFFSETS, ArchiveRig, ended, stopped
from tests.support.rig import bytes_of

pytestmark = pytest.mark.system
LONG = os.environ.get("F1STREAM_FAULTS") == "long"
STEPS = ["put:before", "put:after", "copy:after", "compare_and_set:after", "commit:before", "commit:after"]


async def keep_open_transactions(rig: ArchiveRig, step: str) -> None:
    """Let the warehouse keep a dead worker's transaction as long as Snowflake: until it was idle for 300 s.

    No other worker waits for it, unless it died between its lock and its commit.
    """
    rig.kill_warehouse()
    await rig.start_warehouse("--tx-idle", "3" if step in {"compare_and_set:after", "commit:before"} else "300")


@pytest.mark.parametrize("step", STEPS if LONG else ["copy:after", "commit:after"])
@pytest.mark.parametrize("nth", [1, 2, 5] if LONG else [2])
async def test_killed_at_a_step_it_loads_everything_once(
    rig: ArchiveRig, items: list[OutgoingRecord], step: str, nth: int
) -> None:
    await keep_open_transactions(rig, step)
    await rig.publish(bytes_of(items))
    assert await ended(rig.archive(f"{step}:{nth}:SIGKILL")) == -signal.SIGKILL
    rig.archive()
    await rig.until_loaded()
    rig.assert_exact(items)


@pytest.mark.parametrize(
    "step",
    ["put:after", "copy:after", "compare_and_set:after", "commit:before"]
    if LONG
    else ["copy:after", "compare_and_set:after"],
)
async def test_a_frozen_worker_does_not_write_when_it_resumes(
    rig: ArchiveRig, items: list[OutgoingRecord], step: str
) -> None:
    await keep_open_transactions(rig, step)
    await rig.publish(bytes_of(items))
    frozen = rig.archive(f"{step}:2:SIGSTOP")
    await stopped(frozen)
    other = rig.archive()
    await rig.until_loaded()  # by the other one; if the frozen one has locked offsets, after its session has ended
    loaded = rig.rows(OFFSETS)
    frozen.send_signal(signal.SIGCONT)
    await rig.logged(frozen, "to load failed")  # it has tried
    for process in (frozen, other):  # it ends well only after the flush, or after it has given the records up
        process.send_signal(signal.SIGTERM)
        assert await ended(process) == 0
    assert rig.rows(OFFSETS) == loaded
    rig.assert_exact(items)


async def test_a_recreated_topic_is_loaded_from_its_beginning(
    rig: ArchiveRig, aus_session: Session, stretch: tuple[int, int], items: list[OutgoingRecord]
) -> None:
    await rig.publish(bytes_of(items))
    rig.archive()
    await rig.until_loaded()
    await rig.delete_topics(topics.TELEMETRY, topics.LAPS, topics.MESSAGES)
    await create_topics(rig.settings)
    again = list(pack(aus_session, 2, PACKET_MS, *stretch))
    await rig.publish(bytes_of(again))
    async with asyncio.timeout(150):
        while rig.rows("select max(kafka_incarnation) as n from RAW.LOAD_OFFSETS")[0]["n"] != 1:
            await rig.until_loaded()
            await asyncio.sleep(0.2)
    await rig.until_loaded()
    rig.assert_exact(items + again)


async def test_first_offsets_and_identity_of_kafkas_logs(rig: ArchiveRig, items: list[OutgoingRecord]) -> None:
    """The first offset of a log after retention, and whether it is the log that was loaded."""
    log, of, unknown = KafkaTopicLog(rig.settings), Partition(topics.TELEMETRY, 1), Partition(topics.TELEMETRY, 0)
    await rig.publish(bytes_of(items))
    consumer = rig.reader()
    await consumer.start()
    consumer.assign([TopicPartition(*of)])
    last = (await consumer.getmany(timeout_ms=20_000, max_records=8))[TopicPartition(*of)][-1]
    await consumer.stop()
    loaded = LoadedOffset(0, last.offset + 1, last.timestamp, fingerprint(last.value))
    nothing = LoadedOffset(0, 5)
    other = LoadedOffset(0, last.offset + 1, last.timestamp, fingerprint(b"another"))
    beyond = LoadedOffset(0, 1_000_000, last.timestamp, fingerprint(last.value))
    assert await log.first_offsets([of, unknown]) == {of: 0, unknown: 0}
    assert await log.recreated({of: loaded, unknown: nothing}) == set()
    assert await log.recreated({of: other, unknown: nothing}) == {of}
    assert await log.recreated({of: beyond}) == {of}
    assert await log.next_record(of, 3) == 3
    admin = AIOKafkaAdminClient(**rig.settings.kafka_client())
    await admin.start()
    await admin.delete_records({TopicPartition(*of): RecordsToDelete(last.offset + 5)})
    await admin.close()
    assert await log.first_offsets([of]) == {of: last.offset + 5}
    assert await log.next_record(of, 3) == last.offset + 5, "what is before it was deleted"
    assert await log.recreated({of: other}) == set(), "the record is gone: nothing can be said"
    await rig.delete_topics(topics.TELEMETRY)
    await create_topics(rig.settings)
    assert await log.recreated({of: loaded}) == {of}
