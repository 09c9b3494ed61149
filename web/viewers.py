"""The viewers on ``/ws``: the registry of open websockets, its limits, and the task that wakes them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections import Counter

from aiohttp import ClientConnectionResetError, WSCloseCode, web

from web.commands import BadCommand, initial_command
from web.feed import Feed
from web.hosts import same_origin
from web.metrics import Metrics
from web.viewer import CLOSE_S, STATUS_S, Viewer, close, receive_all, send_all

MAX_MESSAGE_BYTES = 4096
"""A longer message closes the socket."""
HEARTBEAT_S = 20.0
"""Seconds between pings; a viewer that does not answer one is disconnected."""
SEND_BUFFER_BYTES = 32 * 1024
"""Send buffer of the kernel for a viewer, some seconds of frames. By default it would take megabytes, and a slow
viewer would see frames that are minutes old instead of jumping to the newest one."""


class Viewers:
    """All open websockets: at most ``limit``, and ``per_address`` from one address."""

    def __init__(self, feed: Feed, metrics: Metrics, limit: int, per_address: int) -> None:
        self._feed = feed
        self._metrics = metrics
        self._limit = limit
        self._per_address = per_address
        self._addresses: Counter[str] = Counter()
        self._open: dict[web.WebSocketResponse, Viewer] = {}

    def __len__(self) -> int:
        return self._addresses.total()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """``GET /ws?session=KEY&at=MS&speed=X&delay_ms=N``; ``web.commands`` defines what a viewer may send.

        400 for an invalid position, 403 for another site's page, 429 for too many from one address, 503 when the
        limit of viewers is reached.
        """
        if not same_origin(request):
            raise web.HTTPForbidden(text="Pages of another origin may not connect.")
        try:
            initial = initial_command(dict(request.query))
        except BadCommand as error:
            raise web.HTTPBadRequest(text=f"{error}.") from None
        address = request.remote or ""
        if self._addresses.total() >= self._limit:
            raise web.HTTPServiceUnavailable(text=f"All {self._limit} places are taken; try again later.")
        if self._addresses[address] >= self._per_address:
            raise web.HTTPTooManyRequests(text=f"{self._per_address} connections are open from your address already.")
        ws = web.WebSocketResponse(
            timeout=CLOSE_S, heartbeat=HEARTBEAT_S, max_msg_size=MAX_MESSAGE_BYTES, compress=False, autoping=False
        )
        transport = request.transport
        if transport is None:
            raise ClientConnectionResetError("the client has disconnected")
        self._addresses[address] += 1
        sender: asyncio.Task[None] | None = None
        try:
            await ws.prepare(request)
            _limit_send_buffer(ws)
            viewer = self._open[ws] = Viewer(ws, self._feed, self._metrics, request.query.get("session"), initial)
            sender = asyncio.create_task(send_all(viewer), name="viewer")
            await receive_all(viewer)
        finally:
            self._open.pop(ws, None)
            if ws.prepared:
                transport.abort()  # a close would wait until the client has read its buffer, and some never read
            self._addresses[address] -= 1
            self._addresses += Counter()  # removes addresses without connections
            if sender:
                sender.cancel()
                await asyncio.gather(sender, return_exceptions=True)
        return ws

    async def wake(self) -> None:
        """Wake live viewers whenever the feed changes, and all viewers once a second, until cancelled."""
        tick_at = time.monotonic() + STATUS_S
        while True:
            changed = self._feed.changed
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, tick_at - time.monotonic())):
                    await changed.wait()
            tick = time.monotonic() >= tick_at
            if tick:
                tick_at = time.monotonic() + STATUS_S
            for viewer in self._open.values():
                if tick or viewer.live:
                    viewer.wake.set()

    async def close(self) -> None:
        """Close every websocket: the server is stopping."""
        closing = [close(ws, WSCloseCode.GOING_AWAY, "server is stopping") for ws in self._open]
        await asyncio.gather(*closing, return_exceptions=True)


def _limit_send_buffer(ws: web.WebSocketResponse) -> None:
    connection = ws.get_extra_info("socket")
    if connection is not None:  # None when the viewer has disconnected already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
