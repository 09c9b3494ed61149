"""``f1stream live`` against a local feed that plays a whole qualifying: topics and recording have all of it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from f1stream import topics
from f1stream.kafka import end_offsets
from f1stream.sources.livetiming.as_session import as_session
from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.recording.reader import open_recording
from f1stream.topics import RecordHeaders
from f1stream.warehouse.partition_batch import Partition
from models import Lap, Packet, SessionEnd, SessionInfo
from tests.support.livetiming_server import LiveTimingServer, ending_at
from tests.support.ports import free_port
from tests.support.rig import Rig

pytestmark = pytest.mark.system
DECODE = {
    topics.TELEMETRY: topics.decode_packet, topics.LAPS: topics.decode_lap, topics.MESSAGES: topics.decode_message
}  # fmt: skip
NAMES = tuple(DECODE)
UNTIL_MS = 1_400_000
"""The first minutes of Q1 are enough, with the state before it."""


@pytest.fixture(scope="module")
def stretch(mexico_feed: list[FeedMessage]) -> list[FeedMessage]:
    """The feed until some minutes into Q1, and the feed's word that it is over."""
    return ending_at(mexico_feed, UNTIL_MS)


def started(rig: Rig, server: LiveTimingServer, record: Path) -> subprocess.Popen[str]:
    """``f1stream live`` on the local feed."""
    environment = rig.environment() | {"F1STREAM_LIVE_URL": server.url, "F1STREAM_LIVE_PORT": str(free_port())}
    return subprocess.Popen(
        [sys.executable, "-m", "f1stream", "live", "--record", str(record)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


async def everything(rig: Rig) -> list[tuple[str, bytes, Any, Any]]:
    """(topic, key, headers, record) of every record in the topics."""
    partitions = [Partition(name, n) for name in NAMES for n in range(rig.settings.topic_partitions)]
    expected = sum((await end_offsets(rig.settings, partitions)).values())
    found: list[tuple[str, bytes, Any, Any]] = []
    async with asyncio.timeout(60), rig.reader(*NAMES) as reader:
        while len(found) < expected:
            for batch in (await reader.getmany(timeout_ms=500)).values():
                found += [
                    (
                        each.topic,
                        each.key,
                        RecordHeaders.decode(each.headers, each.timestamp / 1000),
                        DECODE[each.topic](each.value),
                    )
                    for each in batch
                ]
    return found


async def test_every_message_of_the_feed_is_in_the_topics_and_in_the_recording(
    stretch: list[FeedMessage], tmp_path: Path
) -> None:
    rig = Rig(tmp_path / "home", partitions=4)
    try:
        await rig.start()
        with LiveTimingServer(stretch, speed=200) as server:
            record = tmp_path / "record.jsonl"
            live = started(rig, server, record)
            out, errors = await asyncio.to_thread(live.communicate, None, 120)
        assert live.returncode == 0, errors
        received = await everything(rig)
    finally:
        await asyncio.to_thread(rig.stop)
    replayed, _ = as_session(open_recording(record), "recording:record")
    whole, _ = as_session(stretch, "recording:stretch")
    packets = [record for topic, _, _, record in received if topic == topics.TELEMETRY]
    samples = sum(len(packet.session_time_ms) for packet in packets if isinstance(packet, Packet))
    assert f"{samples:,} samples" in out
    assert samples == whole.samples() == replayed.samples()
    laps = {(lap.driver_number, lap.lap_number): lap.lap_time_ms for *_, lap in received if isinstance(lap, Lap)}
    assert laps == {(lap.driver_number, lap.lap_number): lap.lap_time_ms for lap in whole.laps}
    assert len(laps) > 20
    infos = [record for *_, record in received if isinstance(record, SessionInfo)]
    assert [(info.name, info.source) for info in infos] == [("Qualifying", "live:f1")]
    assert sum(isinstance(record, SessionEnd) for *_, record in received) == 1
    by_key: dict[tuple[str, bytes], list[int]] = {}
    for topic, key, headers, _ in received:
        by_key.setdefault((topic, key), []).append(headers.seq)
    assert all(seqs == list(range(len(seqs))) for seqs in by_key.values()), (
        "no record is missing, none is there twice"
    )


async def test_ctrl_c_ends_it_at_once_and_keeps_the_recording(stretch: list[FeedMessage], tmp_path: Path) -> None:
    rig = Rig(tmp_path / "home", partitions=4)
    try:
        await rig.start()
        with LiveTimingServer(stretch, speed=50) as server:
            record = tmp_path / "record.jsonl"
            live = started(rig, server, record)
            async with asyncio.timeout(60):
                while not record.exists() or record.stat().st_size < 400_000:
                    await asyncio.sleep(0.1)
            live.send_signal(signal.SIGINT)
            _, errors = await asyncio.to_thread(live.communicate, None, 15)
        assert live.returncode == 0, errors
        kept = list(open_recording(record))
        assert len(kept) > 100
        received = await everything(rig)
        assert not any(isinstance(record, SessionEnd) for *_, record in received), "the session has not ended"
    finally:
        await asyncio.to_thread(rig.stop)
