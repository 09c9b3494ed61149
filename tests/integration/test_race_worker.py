"""The race worker on the embedded broker: how it is wired. What can happen to a batch is in tests/race/stages."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from f1stream import topics
from f1stream.sources.packing import OutgoingRecord, pack
from f1stream.sources.session import Session
from f1stream.topics import RecordHeaders
from models import Lap, Packet, Weather
from tests.support.harness import frame_bytes
from tests.support.pipeline import run
from tests.support.rig import Rig, bytes_of

pytestmark = pytest.mark.system


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A broker with two workers."""
    rig = Rig(tmp_path)
    try:
        await rig.start()
        await asyncio.gather(rig.worker(), rig.worker())
        yield rig
    finally:
        rig.stop()


def different(found: dict[int, bytes], expected: dict[int, bytes]) -> list[int]:
    """The numbers of frames that are missing, too many or not the same bytes."""
    return sorted(n for n in found.keys() | expected.keys() if found.get(n) != expected.get(n))


def records(
    session: Session, stretch: tuple[int, int], epoch: int, packet_ms: int
) -> list[tuple[OutgoingRecord, bytes]]:
    return bytes_of(pack(session, epoch, packet_ms, *stretch))


async def test_a_run_that_supersedes_another_has_the_frames_of_the_rules_alone(
    rig: Rig, aus_session: Session, stretch: tuple[int, int], undisturbed: dict[int, bytes]
) -> None:
    """The old run comes at 20 times its pace, the new one at full speed."""
    old = records(aus_session, stretch, 30, 250)
    await rig.publish(old[: len(old) // 3], speed=20)
    await rig.publish(records(aus_session, stretch, 31, 1_000))
    assert different(await rig.frames(31), undisturbed) == []


async def test_unusable_records_are_dead_letters_and_the_race_goes_on(
    rig: Rig, aus_session: Session, stretch: tuple[int, int]
) -> None:
    epoch = 40
    spoiled: dict[tuple[str, bytes, int], bytes] = {}
    sent = records(aus_session, stretch, epoch, 1_000)

    def spoil(kind: type, nth: int, value: bytes) -> None:
        items = [item for item, _ in sent if isinstance(item.record, kind) and item.headers.emitted_ms > stretch[0]]
        spoiled[items[nth].topic, items[nth].key, items[nth].headers.seq] = value

    spoil(Packet, 300, b"\xff\x00 no JSON")
    spoil(Packet, 700, b'{"driver_number":"4"}')
    spoil(Lap, 5, b"[]")
    spoil(Weather, 1, b"")
    expected = frame_bytes(run(aus_session, from_ms=stretch[0], to_ms=stretch[1], spoiled=set(spoiled)).made)
    await rig.publish((item, spoiled.get((item.topic, item.key, item.headers.seq), value)) for item, value in sent)
    stranger = AIOKafkaProducer(**rig.settings.kafka_client())
    await stranger.start()
    await stranger.send_and_wait(topics.TELEMETRY, b"{}", key=b"9693:4")
    await stranger.send_and_wait(topics.MESSAGES, b"{}", key=b"9693")
    valid = RecordHeaders(epoch, 0, 0).encode()
    for topic, key, headers in (
        (topics.MESSAGES, b"\xff9693", valid),
        (topics.MESSAGES, b"9693", [(name, None) for name, _ in valid]),
        (topics.MESSAGES, b"9693", RecordHeaders(2**64, 0, 0).encode()),
        (topics.TELEMETRY, b"9693:4", RecordHeaders(-1, 0, 0).encode()),
        (topics.UPDATES, b"\xff9693", []),
    ):
        await stranger.send_and_wait(topic, b"{}", key=key, headers=headers)
    await stranger.stop()
    assert different(await rig.frames(epoch), expected) == []
    letters = await rig.dead_letters(len(spoiled) + 7)
    reasons = sorted((letter.topic, letter.reason.split(":")[0]) for letter in letters)
    assert len(letters) == len(spoiled) + 7, reasons
    assert sum("header" in letter.reason for letter in letters) == 5
    assert sum(letter.reason == "the key is not text" for letter in letters) == 2


async def test_killed_in_mid_race_it_goes_on_where_its_tables_end(
    rig: Rig, aus_session: Session, stretch: tuple[int, int], undisturbed: dict[int, bytes]
) -> None:
    killed_at: list[int] = []
    publishing = asyncio.create_task(rig.publish(records(aus_session, stretch, 1, 250), speed=20))

    async def kill(frames: int) -> None:
        """Both, one after the other."""
        if frames > len(undisturbed) // 3 and not killed_at:
            killed_at.append(frames)
            for process, _ in list(rig.workers):
                process.send_signal(signal.SIGKILL)
                process.wait()
            await rig.worker()

    found = await rig.frames(1, after=kill)
    await publishing
    assert killed_at and killed_at[0] < len(undisturbed), "they were not killed in mid-race"
    assert different(found, undisturbed) == []
