"""Every open connection of the page's server, from its first byte until it is closed.

aiohttp closes connections that are idle or whose headers do not arrive (``keepalive_timeout``), and a websocket's
heartbeat closes silent ones. This module closes the others: clients that do not read their answers, and connections
above the limits. A client that sends without a pause is read at a limited rate.
"""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

from aiohttp import web

from web.hosts import TrustedProxies
from web.log_throttle import LogThrottle
from web.metrics import Metrics
from web.token_bucket import TokenBucket

log = logging.getLogger(__name__)

CHECK_S = 5.0
"""Seconds between two checks of all connections."""
STALL_S = 60.0
"""A connection is closed when its client has read nothing for this long while data waits …"""
ANSWER_S = 120.0
"""… or when one answer takes longer than this: the page's largest file at less than 11 kB/s."""
RECEIVE_BYTES = 2048
"""Bytes parsed at a time, so that one client's data does not delay the others."""
HTTP_BYTES = 32_768, 65_536
"""Bytes per second read from a client on average, and at once: the page's requests with the largest cookies."""
WEBSOCKET_BYTES = 4_096, 8_192
"""The same for a websocket; a command has about 50 bytes."""
FULL, ADDRESS_FULL, STALLED, TOO_LONG = REASONS = (
    "all places taken", "address has too many", "reads nothing", "takes too long to read",
)  # fmt: skip
"""Why a connection was closed: labels of a metric."""
_DISCARD = struct.pack("ii", 1, 0)
"""SO_LINGER that makes the kernel discard unread data."""


class Connections:
    """All open connections: at most ``limit``, and ``per_address`` from one address unless it is a trusted proxy."""

    def __init__(self, metrics: Metrics, limit: int, per_address: int, proxies: TrustedProxies | None = None) -> None:
        self.limit = limit
        self._metrics = metrics
        self._per_address = per_address
        self._proxies = proxies or TrustedProxies()
        self._open: set[ClientConnection] = set()
        self._addresses: Counter[str] = Counter()
        self._throttle = LogThrottle()
        for reason in REASONS:
            metrics.ended.labels(reason)

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[ClientConnection]:
        return iter(self._open)

    def connection(self, http_protocol: Callable[[], asyncio.Protocol]) -> ClientConnection:
        """The protocol of a new connection, around one from ``http_protocol``."""
        return ClientConnection(self, http_protocol)

    def add(self, connection: ClientConnection) -> bool:
        """Count a connection until ``remove``. False when a limit is reached."""
        if len(self._open) >= self.limit:
            self._report(connection, FULL)
            return False
        if self._addresses[connection.address] >= self._per_address and not self._proxies.trusts(connection.address):
            self._report(connection, ADDRESS_FULL)
            return False
        self._open.add(connection)
        self._addresses[connection.address] += 1
        return True

    def remove(self, connection: ClientConnection) -> None:
        """Stop counting a connection; it is closed."""
        if connection in self._open:
            self._open.remove(connection)
            self._addresses[connection.address] -= 1
            if not self._addresses[connection.address]:
                del self._addresses[connection.address]

    def _report(self, connection: ClientConnection, reason: str) -> None:
        self._metrics.ended.labels(reason).inc()
        suppressed = self._throttle.allow()
        if suppressed is not None:
            log.warning("a connection from %s was ended: %s%s", connection.address, reason, suppressed)

    def check(self, now: float) -> None:
        """Close the connections that exceed a time limit; ``now`` in monotonic seconds."""
        for connection in list(self._open):
            reason = connection.fault(now)
            if reason is not None and connection.end():
                self._report(connection, reason)

    async def watch(self) -> None:
        """Check every ``CHECK_S`` seconds, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_S)
            self.check(time.monotonic())

    async def response_started(self, request: web.Request, response: web.StreamResponse) -> None:
        """For ``on_response_prepare``."""
        connection = request.transport.get_protocol() if request.transport else None
        if isinstance(connection, ClientConnection):
            connection.response_started(websocket=isinstance(response, web.WebSocketResponse))


class ClientConnection(asyncio.BufferedProtocol):
    """One connection: asyncio's callbacks around the protocol that speaks HTTP."""

    def __init__(self, connections: Connections, http_protocol: Callable[[], asyncio.Protocol]) -> None:
        self.address = ""
        self.transport: asyncio.Transport | None = None
        self.received = 0
        """Bytes received."""
        self._connections = connections
        self._http_protocol = http_protocol
        self._http: asyncio.Protocol | None = None
        self.on_drained: Callable[[], None] | None = None
        """Called when the send buffer has room again (see ``resume_writing``)."""
        self._buffer = bytearray()
        self._receive_rate = TokenBucket(*HTTP_BYTES, time.monotonic())
        self._response_started = math.inf
        """When the latest answer started, in monotonic seconds. A keep-alive connection without a next request is
        closed by aiohttp before ``ANSWER_S``."""
        self._paused = False
        """Whether the send buffer is full."""
        self._least_buffered = math.inf
        """Fewest bytes in the send buffer since it filled up …"""
        self._progress_at = time.monotonic()
        """… and since when."""
        self._ended = False

    # -- asyncio's callbacks ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept the connection, or abort it at a limit."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a socket's
        self.address = (transport.get_extra_info("peername") or ("",))[0]
        if not self._connections.add(self):
            transport.abort()
            return
        self.transport = transport
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            with suppress(OSError):
                connection = transport.get_extra_info("socket")
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(STALL_S * 1000))
        self._http = self._http_protocol()
        self._http.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed."""
        self._connections.remove(self)
        if self._http:
            self._http.connection_lost(exc)

    def get_buffer(self, sizehint: int) -> bytearray:
        """A buffer for the next data."""
        self._buffer = bytearray(RECEIVE_BYTES)
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Pass received data on, and stop reading for a while above the rate limit."""
        assert self._http is not None  # noqa: S101
        assert self.transport is not None  # noqa: S101
        self.received += nbytes
        self._http.data_received(bytes(memoryview(self._buffer)[:nbytes]))
        now = time.monotonic()
        self._receive_rate.spend(nbytes)
        if self._receive_rate.tokens(now) < 1 and self.transport.is_reading():
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(self._receive_rate.wait(now), self.transport.resume_reading)

    def eof_received(self) -> bool | None:
        """The client sends nothing more."""
        return self._http.eof_received() if self._http else None

    def pause_writing(self) -> None:
        """The send buffer is full."""
        self._paused = True
        if self._http:
            self._http.pause_writing()

    def resume_writing(self) -> None:
        """The send buffer has room again; a websocket's is empty (``web.viewers`` sets its limit to 0)."""
        self._paused = False
        self._least_buffered = math.inf
        if self._http:
            self._http.resume_writing()
        if self.on_drained:
            self.on_drained()

    # -- limits -----------------------------------------------------------------------------------------

    def response_started(self, *, websocket: bool) -> None:
        """The server starts an answer, or has opened a websocket, which has no time limit."""
        now = time.monotonic()
        self._response_started = math.inf if websocket else now
        if websocket:
            self._receive_rate = TokenBucket(*WEBSOCKET_BYTES, now)

    def fault(self, now: float) -> str | None:
        """Why the connection is to be closed, if it is; called every ``CHECK_S`` seconds."""
        assert self.transport is not None  # noqa: S101
        stuck = self._paused or self.transport.is_closing()
        buffered = self.transport.get_write_buffer_size()
        if not stuck or buffered < self._least_buffered:
            self._least_buffered, self._progress_at = buffered if stuck else math.inf, now
        if now - self._progress_at > STALL_S:
            return STALLED
        if now - self._response_started > ANSWER_S:
            return TOO_LONG
        return None

    def end(self) -> bool:
        """Close the connection and discard what waits to be sent. False when this was tried before."""
        assert self.transport is not None  # noqa: S101
        first, self._ended = not self._ended, True
        if first:
            # Not transport.abort(): a file that is being sent would wait forever on a closed descriptor.
            connection = self.transport.get_extra_info("socket")
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DISCARD)
                connection.shutdown(socket.SHUT_RDWR)
        else:
            self.transport.abort()
        return first
