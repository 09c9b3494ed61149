"""A run whose source was killed: nothing waits behind it, and it can go on."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest_asyncio

from f1stream.sources.packing import pack
from f1stream.sources.session import Session
from f1stream.sources.simulator import simulate
from tests.support.rig import Rig, bytes_of

WORKER = "tests.support.impatient_race_worker"


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path, partitions=1)
    rig.race_command = [sys.executable, "-m", WORKER]
    try:
        await rig.start()
        await rig.worker()
        yield rig
    finally:
        rig.stop()


async def held(rig: Rig) -> list[float]:
    """Events that the worker has taken and not acknowledged, of both stages."""
    url = f"http://127.0.0.1:{rig.workers[0][1]}/metrics"
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        told = re.findall(r"^f1stream_race_held_events\{.*\} (.+)$", await answer.text(), re.MULTILINE)
    return [float(number) for number in told]


async def test_what_comes_after_it_is_acknowledged_and_nothing_of_it_is_lost(
    rig: Rig, aus_session: Session, stretch: tuple[int, int], undisturbed: dict[int, bytes]
) -> None:
    items = list(pack(aus_session, 1, 1_000, *stretch))
    half = len(items) // 2
    await rig.publish(bytes_of(items[:half]))
    await asyncio.sleep(3)
    assert sum(await held(rig)) > 0, "the run waits for its rest"
    other = list(pack(simulate(3, cars=4, laps=2), 2, 1_000))
    await rig.publish(bytes_of(other[: len(other) // 2]))
    await asyncio.sleep(3)
    await rig.publish(bytes_of(other[len(other) // 2 :]))
    async with asyncio.timeout(60):
        while await held(rig) != [0, 0]:
            await asyncio.sleep(0.2)
    process, _ = rig.workers.pop()
    process.kill()
    process.wait()
    await rig.publish(bytes_of(items[half:]))
    await rig.worker()
    assert await rig.frames(1) == undisturbed
