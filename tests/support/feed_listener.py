"""A listener of the live client, and small feeds for it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

from f1stream.settings import Settings
from f1stream.sources.livetiming.connection.client import FeedClient
from f1stream.sources.livetiming.message import FeedMessage
from tests.support.livetiming_server import LiveTimingServer


def settings(server: LiveTimingServer, **values: Any) -> Settings:
    return Settings(_env_file=None, live_url=server.url, live_retry_seconds=0.1, **values)


def same(message: FeedMessage) -> tuple[str, int, str]:
    return message.topic, message.sent_ms, json.dumps(message.data)


def changes(n: int, **more: Any) -> list[FeedMessage]:
    return [FeedMessage("LapCount", {"CurrentLap": at, **more}, 1_741_000_000_000 + 100 * at) for at in range(n)]


class Listener:
    """Collects messages in the background."""

    def __init__(self, live: FeedClient) -> None:
        self.got: list[FeedMessage] = []
        self.at: dict[tuple[str, int, str], float] = {}
        """When (monotonic s) each was received."""
        self.wait_s = 0.0
        self._live = live
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async with aclosing(self._live.messages()) as messages:
            async for message in messages:
                self.got.append(message)
                self.at.setdefault(same(message), time.monotonic())
                if self.wait_s:
                    await asyncio.sleep(self.wait_s)

    @property
    def changes(self) -> list[FeedMessage]:
        return [message for message in self.got if not message.snapshot]

    async def until(self, enough: Callable[[], bool]) -> None:
        """Return as soon as ``enough()``; after a minute at the latest, and the caller's assertion fails."""
        end = time.monotonic() + 60
        while not enough() and not self._task.done() and time.monotonic() < end:
            await asyncio.sleep(0.01)

    async def everything(self, server: LiveTimingServer) -> list[FeedMessage]:
        """Everything that was sent and not cut off."""
        await self.until(server.played.is_set)
        closed = {index for client in server.clients if client.ended != "cut" for index in client.sent}
        last = {same(server.messages[index]) for index in closed}
        await self.until(lambda: last <= self.at.keys())
        return self.changes

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})
        if not self._task.cancelled():
            self._task.result()


@asynccontextmanager
async def listening(live: FeedClient) -> AsyncIterator[Listener]:
    listener = Listener(live)
    try:
        yield listener
    finally:
        await listener.close()


def value(metric: Any) -> float:
    return float(metric._value.get())
