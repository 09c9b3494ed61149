"""The loader for asyncio: its blocking calls run in a thread, one at a time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from f1stream.warehouse.partition_batch import LoadedOffset, Partition, PartitionBatch

T = TypeVar("T")


class BlockingLoader(Protocol):
    """The methods of ``Loader`` that are called; tests have their own implementation."""

    def offsets(self) -> dict[Partition, LoadedOffset]:
        """See ``Loader``."""

    def begin_at(self, offsets: dict[Partition, LoadedOffset]) -> None:
        """See ``Loader``."""

    def load(self, batches: list[PartitionBatch]) -> Counter[str]:
        """See ``Loader``."""


class LoaderThread:
    """Calls a loader in a thread, so that it does not block the event loop. The sink's ``AsyncLoader``.

    A call whose caller gave up (a timeout, a cancelled task) cannot be stopped. It continues, and the next call waits
    for it: only then is its effect in the warehouse and the session free.
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
            work.exception()  # marks it as retrieved: asyncio logs exceptions that no caller awaited
