"""The viewers on ``/ws``: the registry of open websockets, its limits, and the task that sends to them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections import Counter
from functools import partial

from aiohttp import ClientConnectionResetError, WSCloseCode, web

from web.commands import BadCommand, initial_command, initial_wait
from web.connections import ClientConnection
from web.feed import Feed
from web.hosts import same_origin
from web.metrics import Metrics
from web.send_scheduler import SendScheduler
from web.viewer import CLOSE_S, SEND_BUFFER_BYTES, Viewer, close, receive_all

log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 4096
"""A longer message closes the socket."""
HEARTBEAT_S = 20.0
"""Seconds between pings; a viewer that does not answer one is disconnected."""


class Viewers:
    """All open websockets: at most ``limit``, and ``per_address`` from one address."""

    def __init__(self, feed: Feed, metrics: Metrics, limit: int, per_address: int) -> None:
        self._feed = feed
        self._metrics = metrics
        self._limit = limit
        self._per_address = per_address
        self._addresses: Counter[str] = Counter()
        self._open: dict[web.WebSocketResponse, Viewer] = {}
        self._scheduler = SendScheduler(self._turn)
        self._closing: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return self._addresses.total()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """``GET /ws?session=KEY&at=MS&speed=X&delay_ms=N&ended=wait``; ``web.commands`` has what a viewer may send.

        400 for an invalid position, 403 for another site's page, 429 for too many from one address, 503 when the
        limit of viewers is reached.
        """
        if not same_origin(request):
            raise web.HTTPForbidden(text="Pages of another origin may not connect.")
        try:
            initial = initial_command(dict(request.query))
            waits_if_ended = initial_wait(dict(request.query))
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
        try:
            await ws.prepare(request)
            _limit_send_buffer(transport)
            initial_session = request.query.get("session")
            viewer = Viewer(ws, transport, self._feed, self._metrics, initial_session, initial, waits_if_ended)
            self._open[ws] = viewer
            connection = transport.get_protocol()
            if isinstance(connection, ClientConnection):
                connection.on_drained = partial(self._scheduler.add, viewer)
            self._scheduler.add(viewer)
            await receive_all(viewer, self._scheduler.add)
        finally:
            self._open.pop(ws, None)
            if ws.prepared:
                transport.abort()  # a close would wait until the client has read its buffer, and some never read
            self._addresses[address] -= 1
            self._addresses += Counter()  # removes addresses without connections
        return ws

    async def send(self) -> None:
        """Send to viewers what is due and to live ones what arrives, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._scheduler.run(), name="viewers-turns")
            tasks.create_task(self._wake(), name="viewers-wake")

    async def _wake(self) -> None:
        """Give live viewers a turn whenever the feed changes."""
        while True:
            await self._feed.changed.wait()
            for viewer in self._open.values():
                if viewer.live:
                    self._scheduler.add(viewer)

    def _turn(self, viewer: Viewer, now: float) -> float | None:
        try:
            return viewer.turn(now)
        except Exception:
            log.exception("a viewer's turn failed")
            closing = asyncio.create_task(close(viewer.ws, WSCloseCode.INTERNAL_ERROR, "internal server error"))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            return None

    async def close(self) -> None:
        """Close every websocket: the server is stopping."""
        closing = [close(ws, WSCloseCode.GOING_AWAY, "server is stopping") for ws in self._open]
        await asyncio.gather(*closing, *self._closing, return_exceptions=True)


def _limit_send_buffer(transport: asyncio.Transport) -> None:
    transport.set_write_buffer_limits(0)  # the connection counts as stalled while anything waits
    with contextlib.suppress(OSError):  # the viewer has disconnected already
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
