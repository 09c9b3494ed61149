"""Every open connection of the page's server, from its first byte until it is really gone.

aiohttp ends connections that are idle, or whose headers do not come, after its ``keepalive_timeout``; a websocket's
heartbeat ends silent ones. What neither sees is ended here: clients who do not read what they asked for, and who are
too many. Who sends without a pause is read at a limited rate.
"""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_address

from aiohttp import web

from web.log_throttle import LogThrottle
from web.metrics import Metrics
from web.token_bucket import TokenBucket

log = logging.getLogger(__name__)

LOOK_S = 5.0
STALL_S = 60.0
"""A client may read nothing for this long while something waits for them …"""
ANSWER_S = 120.0
"""… and an answer may take this long altogether: the page's largest file at 11 kB/s or more."""
RECEIVE_BYTES = 2048
"""Read at once: what one client sends is parsed in small pieces, between those of the others."""
HTTP_BYTES = 32_768, 65_536
"""Of requests are read in a second on average, and at once: the page's, with a browser's largest cookies."""
WEBSOCKET_BYTES = 4_096, 8_192
"""Likewise from a websocket; a command has some 50 bytes."""
FULL, ADDRESS_FULL, STALLED, TOO_LONG = REASONS = (
    "all places taken", "address has too many", "reads nothing", "takes too long to read",
)  # fmt: skip
"""Why one is ended."""
_DROP = struct.pack("ii", 1, 0)
"""For SO_LINGER: the kernel forgets what was not read yet."""


class Connections:
    """All of them: ``most`` at once, ``per_address`` from one address unless it is one of ``proxies``."""

    def __init__(
        self, metrics: Metrics, most: int, per_address: int, proxies: Sequence[IPv4Network | IPv6Network] = ()
    ) -> None:
        self.most = most
        self._metrics = metrics
        self._per_address = per_address
        self._proxies = proxies
        self._open: set[ClientConnection] = set()
        self._addresses: Counter[str] = Counter()
        self._throttle = LogThrottle()
        for why in REASONS:
            metrics.ended.labels(why)

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[ClientConnection]:
        return iter(self._open)

    def connection(self, made: Callable[[], asyncio.Protocol]) -> ClientConnection:
        """The protocol of a new one; ``made`` makes the one inside that speaks HTTP."""
        return ClientConnection(self, made)

    def add(self, connection: ClientConnection) -> bool:
        """Count it until ``remove``. False when there are too many."""
        if len(self._open) >= self.most:
            self._report(connection, FULL)
            return False
        if self._addresses[connection.address] >= self._per_address and not self._of_proxy(connection.address):
            self._report(connection, ADDRESS_FULL)
            return False
        self._open.add(connection)
        self._addresses[connection.address] += 1
        return True

    def _of_proxy(self, address: str) -> bool:
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._proxies)

    def remove(self, connection: ClientConnection) -> None:
        """It is gone."""
        if connection in self._open:
            self._open.remove(connection)
            self._addresses[connection.address] -= 1
            if not self._addresses[connection.address]:
                del self._addresses[connection.address]

    def _report(self, connection: ClientConnection, why: str) -> None:
        self._metrics.ended.labels(why).inc()
        more = self._throttle.allow()
        if more is not None:
            log.warning("a connection from %s was ended: %s%s", connection.address, why, more)

    def look(self, now: float) -> None:
        """End those that are to be ended; ``now`` in monotonic seconds."""
        for connection in list(self._open):
            why = connection.fault(now)
            if why is not None and connection.end():
                self._report(connection, why)

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look(time.monotonic())

    async def answer_begins(self, request: web.Request, response: web.StreamResponse) -> None:
        """For ``on_response_prepare``."""
        connection = request.transport.get_protocol() if request.transport else None
        if isinstance(connection, ClientConnection):
            connection.answers(websocket=isinstance(response, web.WebSocketResponse))


class ClientConnection(asyncio.BufferedProtocol):
    """One of them, around the protocol that speaks HTTP; ``made`` makes that."""

    def __init__(self, connections: Connections, made: Callable[[], asyncio.Protocol]) -> None:
        self.address = ""
        self._answer_began = math.inf
        """When the latest answer did, in monotonic seconds: the next one comes soon or the connection is closed."""
        self._connections = connections
        self._made = made
        self._http: asyncio.Protocol | None = None
        self.transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self.received = 0
        """Bytes so far."""
        self._hearing = TokenBucket(*HTTP_BYTES, time.monotonic())
        self._paused = False
        self._least = math.inf
        """The least that has waited for them since they stopped reading, in bytes …"""
        self._moved_at = time.monotonic()
        """… and since when it has been that."""
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take it, if there is room."""
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
        self._http = self._made()
        self._http.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._connections.remove(self)
        if self._http:
            self._http.connection_lost(exc)

    def get_buffer(self, sizehint: int) -> bytearray:
        """Room for what comes next."""
        self._buffer = bytearray(RECEIVE_BYTES)
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """It has come."""
        assert self._http is not None  # noqa: S101
        assert self.transport is not None  # noqa: S101
        self.received += nbytes
        self._http.data_received(bytes(memoryview(self._buffer)[:nbytes]))
        now = time.monotonic()
        self._hearing.spend(nbytes)
        if self._hearing.tokens(now) < 1 and self.transport.is_reading():
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(self._hearing.wait(now), self.transport.resume_reading)

    def eof_received(self) -> bool | None:
        """They send nothing more."""
        return self._http.eof_received() if self._http else None

    def pause_writing(self) -> None:
        """Much waits for them."""
        self._paused = True
        if self._http:
            self._http.pause_writing()

    def resume_writing(self) -> None:
        """They have read most of it."""
        self._paused = False
        if self._http:
            self._http.resume_writing()

    def answers(self, *, websocket: bool) -> None:
        """The server begins to answer a request, or to speak with a websocket."""
        now = time.monotonic()
        self._answer_began = math.inf if websocket else now
        if websocket:
            self._hearing = TokenBucket(*WEBSOCKET_BYTES, now)

    def fault(self, now: float) -> str | None:
        """Why it is to be ended, if it is; asked every ``LOOK_S`` seconds."""
        assert self.transport is not None  # noqa: S101
        stuck = self._paused or self.transport.is_closing()
        waiting = self.transport.get_write_buffer_size()
        if not stuck or waiting < self._least:
            self._least, self._moved_at = waiting if stuck else math.inf, now
        if now - self._moved_at > STALL_S:
            return STALLED
        if now - self._answer_began > ANSWER_S:
            return TOO_LONG
        return None

    def end(self) -> bool:
        """End it, whatever is waiting to be sent. False when this was tried before."""
        assert self.transport is not None  # noqa: S101
        first, self._ended = not self._ended, True
        if first:
            # Not the transport's abort(): a file that is being sent would wait for ever on a descriptor that is gone.
            connection = self.transport.get_extra_info("socket")
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DROP)
                connection.shutdown(socket.SHUT_RDWR)
        else:
            self.transport.abort()
        return first
