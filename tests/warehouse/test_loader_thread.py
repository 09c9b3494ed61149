"""The loader's calls run in a thread, one at a time, also after their caller has given up."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from contextlib import suppress

import pytest

from f1stream.warehouse.loader_thread import LoaderThread
from f1stream.warehouse.partition_batch import LoadedOffset, Partition, PartitionBatch

ANYWHERE = Partition("laps", 0)


class SlowLoader:
    """Its ``load`` blocks until it is released; counts concurrent calls."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.started = threading.Event()
        self.calls: list[str] = []

    def offsets(self) -> dict[Partition, LoadedOffset]:
        self.calls.append("offsets")
        return {ANYWHERE: LoadedOffset(0, 1)}

    def begin_at(self, offsets: dict[Partition, LoadedOffset]) -> None:
        self.calls.append(f"begin_at {len(offsets)}")

    def load(self, batches: list[PartitionBatch]) -> Counter[str]:
        self.calls.append("load begins")
        self.started.set()
        assert self.go_on.wait(10)
        self.calls.append("load ends")
        raise OSError("the session was lost")


async def test_an_abandoned_call_ends_before_the_next_begins() -> None:
    slow = SlowLoader()
    loader = LoaderThread(slow)
    load = asyncio.create_task(loader.load([]))
    await asyncio.to_thread(slow.started.wait, 10)
    load.cancel()
    with suppress(asyncio.CancelledError):
        await load
    offsets = asyncio.create_task(loader.offsets())
    for _ in range(20):
        await asyncio.sleep(0)
    assert slow.calls == ["load begins"]
    slow.go_on.set()
    assert (await offsets)[ANYWHERE].next_offset == 1
    assert slow.calls == ["load begins", "load ends", "offsets"]


async def test_an_error_of_a_call_is_raised_and_frees_the_loader() -> None:
    slow = SlowLoader()
    slow.go_on.set()
    loader = LoaderThread(slow)
    with pytest.raises(OSError, match="the session was lost"):
        await loader.load([])
    await loader.begin_at({ANYWHERE: LoadedOffset(0, 0)})
    assert slow.calls[-1] == "begin_at 1"


async def test_the_event_loop_runs_during_a_slow_call() -> None:
    slow = SlowLoader()
    load = asyncio.create_task(LoaderThread(slow).load([]))
    await asyncio.to_thread(slow.started.wait, 10)
    assert not load.done()
    slow.go_on.set()
    with pytest.raises(OSError, match="lost"):
        await load
