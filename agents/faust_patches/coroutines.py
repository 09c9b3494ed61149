"""Runs coroutines without a task."""

from __future__ import annotations

import asyncio
import inspect
import types
from collections.abc import Coroutine, Generator
from typing import Any


async def resume(coroutine: Coroutine[Any, Any, Any], future: Any) -> Any:
    """The rest of a coroutine whose first ``send`` returned ``future``; may be run as a task."""
    return await _resume(coroutine, future)  # type: ignore[misc]  # awaitable by its decorator


@types.coroutine
def _resume(coroutine: Coroutine[Any, Any, Any], future: Any) -> Generator[Any, Any, Any]:
    while True:
        error: BaseException | None = None
        try:
            sent = yield future
        except BaseException as thrown:
            error = thrown
        try:
            future = coroutine.send(sent) if error is None else coroutine.throw(error)
        except StopIteration as finished:
            return finished.value


def cancel(waitable: Any) -> None:
    """Close an unstarted coroutine or cancel a future; leave an event alone."""
    if inspect.iscoroutine(waitable):
        waitable.close()
    elif asyncio.isfuture(waitable):
        waitable.cancel()
