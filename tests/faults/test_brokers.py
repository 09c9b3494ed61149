"""Brokers die, one of three and then all of them: the frames are the same, and every row is loaded once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from f1stream.sources.packing import pack
from f1stream.sources.session import Session
from tests.support.archive_rig import ArchiveRig
from tests.support.kafka_cluster import Cluster
from tests.support.rig import bytes_of

pytestmark = pytest.mark.system
SPEED = 15.0


async def test_brokers_that_die_and_return_change_no_frame_and_lose_no_row(
    three_brokers: Cluster,
    aus_session: Session,
    stretch: tuple[int, int],
    undisturbed: dict[int, bytes],
    tmp_path: Path,
) -> None:
    items = list(pack(aus_session, 1, 250, *stretch))
    rig = ArchiveRig(tmp_path, broker=three_brokers.environment())
    happened: list[str] = []

    async def fault(frames: int) -> None:
        if frames > len(undisturbed) // 4 and not happened:
            happened.append("one")
            three_brokers.kill(1)
        elif frames > len(undisturbed) // 2 and happened == ["one"]:  # the race went on without it
            happened.append("all")
            await three_brokers.start_all()
            for number in (1, 2, 3):
                three_brokers.kill(number)
            await three_brokers.start_all()

    try:
        await rig.start()
        archive = rig.archive()
        await asyncio.gather(rig.worker(), rig.ready(archive))
        publishing = asyncio.create_task(rig.publish(bytes_of(items), speed=SPEED))
        found = await rig.frames(1, after=fault)
        await publishing
        assert happened == ["one", "all"], "the faults did not happen in mid-race"
        assert [n for n in found.keys() | undisturbed.keys() if found.get(n) != undisturbed.get(n)] == []
        await rig.until_loaded()
        rig.assert_exact(items)
    finally:
        rig.stop()
