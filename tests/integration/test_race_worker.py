"""The race worker on a broker: the frames are those of the rules alone, whatever happens on the way."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from f1stream import topics
from f1stream.sources.packing import Published, pack
from f1stream.sources.session import Session
from f1stream.topics import Stamp
from models import Lap, Packet, Weather
from tests.support.harness import frame_bytes
from tests.support.pipeline import run
from tests.support.rig import Rig, bytes_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """A broker with one worker; each test publishes a run with an epoch of its own."""
    rig = Rig(tmp_path_factory.mktemp("rig"))
    try:
        await rig.start()
        await rig.worker()
        yield rig
    finally:
        rig.stop()


def different(found: dict[int, bytes], expected: dict[int, bytes]) -> list[int]:
    """The numbers of frames that are missing, too many or not the same bytes."""
    return sorted(n for n in found.keys() | expected.keys() if found.get(n) != expected.get(n))


def records(session: Session, stretch: tuple[int, int], epoch: int, packet_ms: int) -> list[tuple[Published, bytes]]:
    return bytes_of(pack(session, epoch, packet_ms, *stretch))


@pytest.mark.parametrize(("epoch", "packet_ms"), [(1, 200), (2, 250), (3, 1_000), (4, 3_000)])
async def test_packing_makes_no_difference(
    rig: Rig,
    aus_session: Session,
    stretch: tuple[int, int],
    undisturbed: dict[int, bytes],
    epoch: int,
    packet_ms: int,
) -> None:
    await rig.publish(records(aus_session, stretch, epoch, packet_ms))
    assert different(await rig.frames(epoch), undisturbed) == []


async def test_pace_makes_no_difference(
    rig: Rig, aus_session: Session, stretch: tuple[int, int], undisturbed: dict[int, bytes]
) -> None:
    epoch = 20
    publishing = asyncio.create_task(rig.publish(records(aus_session, stretch, epoch, 250), speed=20))
    assert different(await rig.frames(epoch), undisturbed) == []
    await publishing


async def test_new_run_replaces_the_old_one_in_the_middle(
    rig: Rig, aus_session: Session, stretch: tuple[int, int], undisturbed: dict[int, bytes]
) -> None:
    old = list(records(aus_session, stretch, 30, 1_000))
    await rig.publish(old[: len(old) // 2])
    await rig.publish(records(aus_session, stretch, 31, 1_000))
    assert different(await rig.frames(31), undisturbed) == []


async def test_poison_is_buried_and_the_race_goes_on(
    rig: Rig, aus_session: Session, stretch: tuple[int, int]
) -> None:
    epoch = 40
    spoiled: dict[tuple[str, bytes, int], bytes] = {}
    sent = list(records(aus_session, stretch, epoch, 1_000))

    def spoil(kind: type, nth: int, value: bytes) -> None:
        items = [item for item, _ in sent if isinstance(item.record, kind) and item.stamp.emitted_ms > stretch[0]]
        spoiled[items[nth].topic, items[nth].key, items[nth].stamp.seq] = value

    spoil(Packet, 900, b"\xff\x00 no JSON")
    spoil(Packet, 2_000, b'{"driver_number":"4"}')
    spoil(Lap, 20, b"[]")
    spoil(Weather, 3, b"")
    expected = frame_bytes(run(aus_session, from_ms=stretch[0], to_ms=stretch[1], spoiled=set(spoiled)).made)
    await rig.publish((item, spoiled.get((item.topic, item.key, item.stamp.seq), value)) for item, value in sent)
    stranger = AIOKafkaProducer(**rig.settings.kafka_client())
    await stranger.start()
    await stranger.send_and_wait(topics.TELEMETRY, b"{}", key=b"9693:4")
    await stranger.send_and_wait(topics.MESSAGES, b"{}", key=b"9693")
    stamp = Stamp(epoch, 0, 0).headers()
    for topic, key, headers in (
        (topics.MESSAGES, b"\xff9693", stamp),
        (topics.MESSAGES, b"9693", [(name, None) for name, _ in stamp]),
        (topics.MESSAGES, b"9693", Stamp(2**64, 0, 0).headers()),
        (topics.TELEMETRY, b"9693:4", Stamp(-1, 0, 0).headers()),
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


@pytest.mark.parametrize(("partitions", "workers"), [(1, 1), (24, 2)])
async def test_neither_partitions_nor_workers_make_a_difference(
    aus_session: Session,
    stretch: tuple[int, int],
    undisturbed: dict[int, bytes],
    tmp_path: Path,
    partitions: int,
    workers: int,
) -> None:
    rig = Rig(tmp_path, partitions)
    try:
        await rig.start()
        await asyncio.gather(*(rig.worker() for _ in range(workers)))
        await rig.publish(records(aus_session, stretch, 1, 1_000))
        assert different(await rig.frames(1), undisturbed) == []
    finally:
        rig.stop()


@pytest.mark.parametrize("workers", [1, 2])
async def test_killed_worker_changes_nothing(
    aus_session: Session, stretch: tuple[int, int], undisturbed: dict[int, bytes], tmp_path: Path, workers: int
) -> None:
    rig = Rig(tmp_path)
    killed_at: list[int] = []
    try:
        await rig.start()
        racing = [await rig.worker() for _ in range(workers)]
        publishing = asyncio.create_task(rig.publish(records(aus_session, stretch, 1, 250), speed=40))

        async def kill(frames: int) -> None:
            if frames > len(undisturbed) // 3 and not killed_at:
                killed_at.append(frames)
                racing[0].send_signal(signal.SIGKILL)
                racing[0].wait()
                await rig.worker()

        found = await rig.frames(1, after=kill)
        await publishing
        assert killed_at and killed_at[0] < len(undisturbed), "it was not killed in mid-race"
        assert different(found, undisturbed) == []
    finally:
        rig.stop()
