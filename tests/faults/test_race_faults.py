"""The race worker on Apache Kafka: workers die, freeze and resume, and the frames are the same."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from f1stream.sources.packing import pack
from f1stream.sources.session import Session
from tests.support.kafka_cluster import Cluster
from tests.support.rig import Rig, bytes_of

pytestmark = pytest.mark.system
SPEED = 40.0
Fault = Callable[[], Awaitable[None]]


async def disturbed(
    rig: Rig, session: Session, stretch: tuple[int, int], fault: Fault, frames: int
) -> dict[int, bytes]:
    """The frames of the stretch, with ``fault`` after ``frames`` of them."""
    records = bytes_of(pack(session, 1, 250, *stretch))
    publishing = asyncio.create_task(rig.publish(records, speed=SPEED))
    happened = False

    async def watch(found: int) -> None:
        nonlocal happened
        if found > frames and not happened:
            happened = True
            await fault()

    found = await rig.frames(1, after=watch)
    await publishing
    assert happened, "the fault did not happen in mid-race"
    return found


def same(found: dict[int, bytes], expected: dict[int, bytes]) -> bool:
    return not [n for n in found.keys() | expected.keys() if found.get(n) != expected.get(n)]


@pytest.mark.parametrize("what", ["killed", "frozen and woken"])
async def test_one_of_two_workers_changes_no_frame(
    cluster: Cluster,
    aus_session: Session,
    stretch: tuple[int, int],
    undisturbed: dict[int, bytes],
    tmp_path: Path,
    what: str,
) -> None:
    await cluster.reset()
    rig = Rig(tmp_path, 6, cluster.environment())
    try:
        await rig.start()
        first, _ = await rig.worker(), await rig.worker()

        async def fault() -> None:
            if what == "killed":
                first.kill()
                first.wait()
                return
            first.send_signal(signal.SIGSTOP)
            await cluster.until_members("f1stream-race", 1)
            first.send_signal(signal.SIGCONT)

        assert same(await disturbed(rig, aus_session, stretch, fault, len(undisturbed) // 3), undisturbed)
    finally:
        rig.stop()


async def test_a_race_through_sasl_over_tls_has_the_same_frames(
    cluster: Cluster, aus_session: Session, stretch: tuple[int, int], undisturbed: dict[int, bytes], tmp_path: Path
) -> None:
    await cluster.reset()
    rig = Rig(tmp_path, 6, cluster.secure_environment())
    try:
        await rig.start()
        await rig.worker()
        await rig.publish(bytes_of(pack(aus_session, 1, 1_000, *stretch)))
        assert same(await rig.frames(1), undisturbed)
    finally:
        rig.stop()
