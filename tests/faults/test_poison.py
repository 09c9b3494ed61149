"""Records that cannot be loaded: each is a dead letter with its reason, once, and all others are loaded."""

from __future__ import annotations

import os
import signal

import pytest
from aiokafka import AIOKafkaProducer

from f1stream import topics
from f1stream.sources.packing import OutgoingRecord
from models import Packet
from tests.support.archive_rig import ArchiveRig, ended
from tests.support.poison import HEADERS, POISON
from tests.support.rig import bytes_of

pytestmark = pytest.mark.system
LONG = os.environ.get("F1STREAM_FAULTS") == "long"


@pytest.mark.parametrize("fault", ["", "commit:before:1:SIGKILL", "commit:after:1:SIGKILL"] if LONG else [""])
async def test_each_is_in_the_dead_letters_once_with_its_reason(
    rig: ArchiveRig, items: list[OutgoingRecord], fault: str
) -> None:
    await rig.publish(bytes_of(items))
    packet = next(item.record for item in items if isinstance(item.record, Packet) and item.record.gear)
    key = f"9693:{packet.driver_number}".encode()
    too_large = packet.model_copy(update={"gear": [2**70] * len(packet.gear)})  # for any column
    poison = [
        *POISON,
        (topics.TELEMETRY, b"9693:99", topics.encode(packet), HEADERS, "the key says 99"),
        (topics.TELEMETRY, key, topics.encode(too_large), HEADERS, "gear"),
    ]
    producer = AIOKafkaProducer(**rig.settings.kafka_client(), max_request_size=1_048_576)
    await producer.start()
    for topic, key, value, headers, _ in poison:
        await producer.send_and_wait(topic, value, key=key, headers=headers, partition=0 if key is None else None)
    await producer.stop()
    process = rig.archive(fault)
    if fault:
        assert await ended(process) == -signal.SIGKILL
        rig.archive()
    await rig.until_loaded()
    await rig.until_loaded()  # the dead letters too, which were published meanwhile
    rig.assert_exact(items, letters=len(poison))
    refused = rig.rows("select * from RAW.DEAD_LETTERS order by refused_topic, refused_partition, refused_offset")
    for topic, _, value, _, reason in poison:
        length = len(value or b"")
        found = [row for row in refused if row["refused_topic"] == topic and row["length"] == length]
        assert any(part in row["reason"] for row in found for part in reason.split("|")), (reason, found)
        assert {row["consumer"] for row in found} == {"archive"}
