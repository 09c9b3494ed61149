"""Serving an application: a socket that listens, limits around it, and an end to it."""

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
"""A connection without a request, or with one whose headers do not come, ends after this long. Proxies keep theirs
for 60 s, and must be the ones who close them."""
STOP_S = 2.0
"""How long open requests may take when the server stops."""
BACKLOG = 512
MOST_DESCRIPTORS = 2**20
OTHER_DESCRIPTORS = 256
"""For Kafka, files and the rest."""


@asynccontextmanager
async def serving(app: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """Serve ``app``, which has ``CONNECTIONS``; yields the port. Raises OSError when it is taken."""
    loop = asyncio.get_running_loop()
    limit_accept_errors(loop)
    connections = app[CONNECTIONS]
    room = descriptors() - OTHER_DESCRIPTORS
    if room < connections.most:
        log.warning(
            "open files are limited to %d, so that %d connections can be taken and not %d; raise `ulimit -n`",
            room + OTHER_DESCRIPTORS, max(room, 1), connections.most,
        )  # fmt: skip
        connections.most = max(room, 1)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_S, keepalive_timeout=IDLE_S, logger=requests)
    try:
        await runner.setup()
        http = runner.server
        assert http is not None  # noqa: S101 - after setup
        server = await loop.create_server(lambda: connections.connection(http), host, port, backlog=BACKLOG)
        watching = asyncio.create_task(connections.watch(), name="connections-watch")
        try:
            gc.collect()
            gc.freeze()  # what is here now stays: looking through it again and again would hold everybody up
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            watching.cancel()
    finally:
        await runner.cleanup()


def descriptors() -> int:
    """How many files this process may have open, after raising that as far as it may raise it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(MOST_DESCRIPTORS, MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):  # macOS has a limit of its own below the hard one
        return soft
    return wanted
