"""Records that cannot be loaded: each is a dead letter with its reason, once, and all others are loaded."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from f1stream import topics
from f1stream.sources.packing import pack
from f1stream.sources.session import Session
from models import Packet
from tests.support.archive_rig import ArchiveRig
from tests.support.kafka_cluster import Cluster
from tests.support.poison import POISON, STAMP
from tests.support.rig import bytes_of

pytestmark = pytest.mark.system
LONG = os.environ.get("F1STREAM_FAULTS") == "long"


@pytest.mark.parametrize("fault", ["", "commit:before:1:SIGKILL", "commit:after:1:SIGKILL"] if LONG else [""])
async def test_each_is_in_the_dead_letters_once_with_its_reason(
    cluster: Cluster, aus_session: Session, tmp_path: Path, fault: str
) -> None:
    await cluster.reset()
    rig = ArchiveRig(tmp_path, broker=cluster.environment())
    try:
        await rig.start()
        begin = aus_session.start_ms + 600_000
        items = list(pack(aus_session, 1, 3_000, begin, begin + 60_000))
        await rig.publish(bytes_of(items))
        packet = next(item for item in items if isinstance(item.record, Packet))
        wrong_car = (topics.TELEMETRY, b"9693:99", topics.encode(packet.record), STAMP, "the key says 99")
        producer = AIOKafkaProducer(**rig.settings.kafka_client(), max_request_size=6_000_000)
        await producer.start()
        for topic, key, value, headers, _ in [*POISON, wrong_car]:
            await producer.send_and_wait(topic, value, key=key, headers=headers, partition=0 if key is None else None)
        await producer.stop()
        process = rig.archive(fault)
        if fault:
            assert process.wait(60) == -signal.SIGKILL
            rig.archive()
        await rig.until_loaded()
        await rig.until_loaded()  # the letters too, which the first made
        rig.assert_exact(items, letters=len(POISON) + 1)
        letters = rig.rows("select * from RAW.DEAD_LETTERS order by refused_topic, refused_partition, refused_offset")
        for topic, _, value, _, reason in [*POISON, wrong_car]:
            length = len(value or b"")
            found = [row for row in letters if row["refused_topic"] == topic and row["length"] == length]
            assert any(part in row["reason"] for row in found for part in reason.split("|")), (reason, found)
            assert {row["consumer"] for row in found} == {"archive"}
    finally:
        rig.stop()
