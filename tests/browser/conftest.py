"""A page server per test, on the event loop of the browser."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.stage import Stage


@pytest_asyncio.fixture(loop_scope="session")
async def stage() -> AsyncIterator[Stage]:
    """A server without a session."""
    made = Stage()
    await made.start()
    yield made
    await made.pause()
    await made.stop()
