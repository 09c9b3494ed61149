"""Serves an application on a socket: connection limits, file descriptors, shutdown."""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from f1stream.garbage import collect_seldom
from web.connections import Connections
from web.log_throttle import limit_accept_errors, requests

log = logging.getLogger(__name__)

CONNECTIONS = web.AppKey("connections", Connections)
IDLE_S = 75.0
"""A connection without a request, or without its headers, is closed after this long. Longer than the 60 s of common
proxies: the proxy must be the side that closes."""
STOP_S = 2.0
"""How long open requests may take when the server stops."""
BACKLOG = 512
"""Connections that wait in the kernel to be accepted."""
MOST_DESCRIPTORS = 2**20
"""The limit of open files is raised up to this."""
OTHER_DESCRIPTORS = 256
"""Open files for Kafka and everything else but clients."""


@asynccontextmanager
async def serving(app: web.Application, host: str, port: int, shared: bool = False) -> AsyncIterator[int]:
    """Serve ``app``, which has ``CONNECTIONS``; yields the port. Raises OSError when the port is taken.

    ``shared``: other servers that share the port may listen on it too.
    """
    loop = asyncio.get_running_loop()
    limit_accept_errors(loop)
    connections = app[CONNECTIONS]
    room = descriptors() - OTHER_DESCRIPTORS
    if room < connections.limit:
        log.warning(
            "open files are limited to %d, which allows %d connections instead of %d; raise `ulimit -n`",
            room + OTHER_DESCRIPTORS, max(room, 1), connections.limit,
        )  # fmt: skip
        connections.limit = max(room, 1)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_S, keepalive_timeout=IDLE_S, logger=requests)
    try:
        await runner.setup()
        http = runner.server
        assert http is not None  # noqa: S101 - after setup
        server = await loop.create_server(
            lambda: connections.connection(http), host, port, backlog=BACKLOG, reuse_port=shared
        )
        watching = asyncio.create_task(connections.watch(), name="connections-watch")
        try:
            collect_seldom(10, 10)  # a closed websocket leaves 15 kB of cyclic garbage
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            watching.cancel()
    finally:
        await runner.cleanup()


def descriptors() -> int:
    """The limit of open files, after raising it as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(MOST_DESCRIPTORS, MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):  # macOS has another limit below the hard one
        return soft
    return wanted
