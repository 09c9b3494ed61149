"""The loader for asyncio: its calls run in a thread, one at a time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from f1stream.warehouse.partition_batch import LoadedOffset, Partition, PartitionBatch

T = TypeVar("T")


class BlockingLoader(Protocol):
    """``Loader``, or a test's."""

    def offsets(self) -> dict[Partition, LoadedOffset]:
        """See ``Loader``."""

    def begin_at(self, offsets: dict[Partition, LoadedOffset]) -> None:
        """See ``Loader``."""

    def load(self, batches: list[PartitionBatch]) -> Counter[str]:
        """See ``Loader``."""


class LoaderThread:
    """Calls a loader where it blocks no other task.

    A call whose caller gave up (a timeout, a cancelled task) cannot be stopped. It goes on, and the next call waits
    for its end: what it did is then in the warehouse, and the session is free.
    """

    def __init__(self, loader: BlockingLoader) -> None:
        self._loader = loader
        self._session = asyncio.Lock()

    async def offsets(self) -> dict[Partition, LoadedOffset]:
        """See ``Loader``."""
        return await self._in_thread(self._loader.offsets)

    async def begin_at(self, offsets: dict[Partition, LoadedOffset]) -> None:
        """See ``Loader``."""
        await self._in_thread(self._loader.begin_at, offsets)

    async def load(self, batches: list[PartitionBatch]) -> Counter[str]:
        """See ``Loader``."""
        return await self._in_thread(self._loader.load, batches)

    async def _in_thread(self, call: Callable[..., T], *arguments: Any) -> T:
        await self._session.acquire()
        work = asyncio.ensure_future(asyncio.to_thread(call, *arguments))
        work.add_done_callback(self._ended)
        return await asyncio.shield(work)

    def _ended(self, work: asyncio.Future[Any]) -> None:
        self._session.release()
        if not work.cancelled():
            work.exception()  # raised to whoever waits; asyncio warns of one that nobody has asked for
