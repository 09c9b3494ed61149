"""The page's server: static files, the API and the websocket, around one feed."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from f1stream.settings import Settings
from web.api import Api
from web.api.responses import api_middleware
from web.connections import Connections
from web.feed import Feed
from web.hosts import AllowedHosts, TrustedProxies
from web.limits import LongAnswerLimit, RateLimit
from web.metrics import Metrics
from web.reader import StreamReader
from web.server import CONNECTIONS, serving
from web.static_files import StaticFiles
from web.tape_store import TapeStore
from web.viewers import Viewers

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
TAPE_BYTES = 256 * 2**20
"""Memory for the tapes. A race of two and a half hours takes about 70 MB with its columns."""
TAPE_SPILL_BYTES = 16 * 2**20
"""Memory for frames with their columns while there is disk: more than half an hour of a race."""
TAPE_DISK_BYTES = 8 * 2**30
"""Disk for older frames: more than a hundred races."""
MORE_CONNECTIONS = 1000
"""Connections beyond the limit of websockets, for the requests of clients that open the page."""
MORE_FROM_ADDRESS = 50
"""Connections from one address beyond two for each websocket."""
SENDING = web.AppKey("sending", asyncio.Task[None])
"""The task that sends to all viewers."""

SECURITY = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "object-src 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def create_app(settings: Settings, feed: Feed | None = None) -> web.Application:
    """The application; ``feed`` None reads Kafka as the settings say."""
    source = feed or StreamReader(TapeStore(TAPE_BYTES, TAPE_DISK_BYTES, TAPE_SPILL_BYTES), settings)
    metrics = Metrics()
    viewers = Viewers(source, metrics, settings.web_viewers, settings.web_viewers_per_address)
    metrics.watch(source, lambda: len(viewers), settings.web_viewers)
    proxies = TrustedProxies(settings.web_proxies)
    connections = Connections(
        metrics,
        settings.web_viewers + MORE_CONNECTIONS,
        settings.web_viewers_per_address * 2 + MORE_FROM_ADDRESS,
        proxies,
    )
    metrics.watch_connections(lambda: len(connections))

    async def run(app: web.Application) -> AsyncIterator[None]:
        await source.start()
        app[SENDING] = sending = asyncio.create_task(viewers.send(), name="viewers")
        yield
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await source.stop()

    async def close_viewers(_: web.Application) -> None:
        await viewers.close()

    middlewares = [
        proxies.apply,
        AllowedHosts(settings.web_names).check,
        RateLimit(settings.web_requests_per_minute).limit,
        api_middleware,
        LongAnswerLimit().wait,
    ]
    app = web.Application(client_max_size=16_384, middlewares=middlewares)
    app.add_routes([*_pages(), web.get("/ws", viewers.handle), *Api(source, metrics).routes()])
    app[CONNECTIONS] = connections
    app.on_response_prepare.append(connections.response_started)
    app.on_response_prepare.append(_add_headers)
    app.on_shutdown.append(close_viewers)
    app.cleanup_ctx.append(run)
    return app


async def serve(settings: Settings) -> None:
    """Serve the page on ``web_host``:``web_port`` until SIGTERM. Raises OSError when the port is taken.

    Stops if sending to viewers fails, and raises that error: the service manager restarts the server.
    """
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    app = create_app(settings)
    async with serving(app, settings.web_host, settings.web_port, settings.web_port_shared):
        app[SENDING].add_done_callback(lambda _: stop.set())
        await stop.wait()
        if app[SENDING].done():
            log.critical("Sending to viewers failed. The page server stops and must be restarted.")
            app[SENDING].result()


def _pages() -> list[web.RouteDef]:
    """The page and its files."""
    static = StaticFiles(STATIC)

    async def page(request: web.Request) -> web.StreamResponse:
        return await static.send(request, "index.html")

    return [web.get("/", page), web.get("/static/{name:.+}", static.serve)]


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(SECURITY)
    if "Cache-Control" not in response.headers:
        # Files are revalidated by ETag: an updated page must not run with cached modules of the old one.
        response.headers["Cache-Control"] = "no-cache"
