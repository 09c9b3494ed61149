"""Serves an application on a socket: connection limits, file descriptors, shutdown."""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

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
COLLECT_AFTER = 50_000
"""Objects after which garbage is looked for. At Python's 700, timers that live for a moment make it go through all
objects of 5,000 viewers every 20 s, which stops everything for 0.3 s."""
OTHER_DESCRIPTORS = 256
"""Open files for Kafka and everything else but clients."""


@asynccontextmanager
async def serving(app: web.Application, host: str, port: int, share: bool = False) -> AsyncIterator[int]:
    """Serve ``app``, which has ``CONNECTIONS``; yields the port. Raises OSError when the port is taken.

    ``share``: other servers that share the port too may have it.
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
            lambda: connections.connection(http), host, port, backlog=BACKLOG, reuse_port=share
        )
        watching = asyncio.create_task(connections.watch(), name="connections-watch")
        try:
            gc.collect()
            gc.freeze()  # these objects stay: collecting through them repeatedly would delay all viewers
            gc.set_threshold(COLLECT_AFTER)
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
