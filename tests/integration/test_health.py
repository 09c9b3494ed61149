"""A worker that did its work and has nothing to do stays healthy: ``/health`` and ``/alive`` are 200."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from f1stream.kafka import end_offsets
from f1stream.sources.packing import pack
from f1stream.sources.simulator import simulate
from f1stream.warehouse.loader import Partition
from tests.support.archive_rig import ArchiveRig
from tests.support.impatient_worker import PATIENCE_S
from tests.support.ports import free_port
from tests.support.rig import PATIENCE_S as WITHIN_S
from tests.support.rig import Rig, bytes_of, wait_healthy

pytestmark = pytest.mark.system

WORKER = "tests.support.impatient_worker"
ITEMS = list(pack(simulate(3, cars=4, laps=2), 1, 1_000))


async def answers(port: int) -> dict[str, str]:
    """What the worker on ``port`` answers other than 200, by path."""
    found = {}
    async with aiohttp.ClientSession() as http:
        for path in ("/health", "/alive"):
            async with http.get(f"http://127.0.0.1:{port}{path}") as answer:
                if answer.status != 200:
                    found[path] = await answer.text()
    return found


async def assert_stays_healthy(port: int) -> None:
    """Asked until twice the time after which a partition is stuck has passed."""
    until = time.monotonic() + 2 * PATIENCE_S
    while time.monotonic() < until:
        assert await answers(port) == {}
        await asyncio.sleep(PATIENCE_S / 10)


async def changelog_records(rig: Rig) -> int:
    """How many writes to the race worker's table of races the broker has."""
    partitions = [Partition("f1stream-race-races-changelog", n) for n in range(rig.settings.topic_partitions)]
    return sum((await end_offsets(rig.settings, partitions)).values())


async def test_race_worker_is_healthy_after_it_wrote_frames_and_tables(tmp_path: Path) -> None:
    rig = Rig(tmp_path, partitions=1)
    rig.race_command = [sys.executable, "-m", WORKER, "agents.race"]
    try:
        await rig.start()
        await rig.worker()
        port = rig.workers[0][1]
        assert await answers(port) == {}
        await rig.publish(bytes_of(ITEMS))
        assert await rig.frames(1)
        async with asyncio.timeout(WITHIN_S):
            while not await changelog_records(rig):
                await asyncio.sleep(0.1)
        await assert_stays_healthy(port)
    finally:
        rig.stop()


async def test_archive_worker_is_healthy_after_it_loaded_records(tmp_path: Path) -> None:
    rig = ArchiveRig(tmp_path, partitions=1)
    port = free_port()
    try:
        await rig.start()
        worker = rig._popen(
            [sys.executable, "-m", WORKER, "agents.archive"], "archive", F1STREAM_ARCHIVE_PORT=str(port)
        )
        await wait_healthy(port, worker)
        await rig.publish(bytes_of(ITEMS))
        await rig.until_loaded()
        await wait_healthy(port, worker)  # until Faust has committed the offsets
        await assert_stays_healthy(port)
        assert await rig.dead_letters(0) == []
    finally:
        rig.stop()
