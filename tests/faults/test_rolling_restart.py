"""An upgrade: every worker is replaced, one after the other, while a race runs through them."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from f1stream.sources.packing import pack
from f1stream.sources.session import Session
from tests.support.archive_rig import ArchiveRig
from tests.support.figures import figures
from tests.support.kafka_cluster import Cluster
from tests.support.rig import PATIENCE_S, bytes_of

pytestmark = pytest.mark.system
SPEED = 5.0


async def test_workers_replaced_one_by_one_change_no_frame_and_lose_no_row(
    cluster: Cluster, aus_session: Session, stretch: tuple[int, int], undisturbed: dict[int, bytes], tmp_path: Path
) -> None:
    await cluster.reset()
    rig = ArchiveRig(tmp_path, broker=cluster.environment())
    seen: list[float] = []
    """The arrival time of each frame."""

    async def watch(found: int) -> None:
        seen.extend([time.monotonic()] * (found - len(seen)))

    async def upgrade(workers: list[Any], start: Callable[[], Awaitable[Any]]) -> list[int]:
        """Like a service manager: SIGTERM, wait, start the new worker, wait until it is ready.

        The next one is replaced once frames have come. Returns how many came while each was replaced.
        """
        during = []
        for process, _ in workers:
            before = len(seen)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 30) == 0, f"{process.args} did not end well"
            await start()
            async with asyncio.timeout(PATIENCE_S):
                while len(seen) == before:  # on a busy machine the new worker is ready within one pause of the frames
                    await asyncio.sleep(0.05)
            during.append(len(seen) - before)
        return during

    async def archive() -> None:
        await rig.ready(rig.archive())

    try:
        await rig.start()
        await asyncio.gather(rig.worker(), rig.worker(), archive(), archive())
        items = list(pack(aus_session, 1, 250, *stretch))
        records = bytes_of(items)
        most = len(records) * 9 // 10
        publishing = asyncio.create_task(rig.publish(records[:most], speed=SPEED))
        reading = asyncio.create_task(rig.frames(1, after=watch))
        while len(seen) < 100:
            await asyncio.sleep(0.1)
        frames_during, _ = await asyncio.gather(
            upgrade(list(rig.workers), rig.worker), upgrade(list(rig.archives), archive)
        )
        await publishing
        await rig.publish(records[most:])  # the new workers continue where the old ones stopped
        found = await reading
        await rig.until_loaded()
        assert [n for n in found.keys() | undisturbed.keys() if found.get(n) != undisturbed.get(n)] == []
        rig.assert_exact(items)
        assert rig.sequence_gaps() == 0, "a new worker did not begin where the old one ended"
    finally:
        rig.stop()
    assert all(frames_during), f"frames stood still while a race worker was replaced: {frames_during}"
    pause = max(later - sooner for sooner, later in pairwise(seen))
    figures.append(
        f"two race and two archive workers replaced one by one at {SPEED:.0f}x: {len(found):,} frames the same, "
        f"{len(items):,} records loaded once, longest pause between frames {pause:.1f} s"
    )
