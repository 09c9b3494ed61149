"""The server itself: health, metrics, and this API's description."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from web.api.responses import json_response
from web.feed import Feed
from web.metrics import Metrics

OPENAPI = Path(__file__).parents[1] / "openapi.yaml"


class ServiceRoutes:
    """``/health``, ``/alive``, ``/metrics`` and ``/api/openapi.yaml``."""

    def __init__(self, feed: Feed, metrics: Metrics) -> None:
        self._feed = feed
        self._metrics = metrics

    def routes(self) -> list[web.RouteDef]:
        """The routes."""
        return [
            web.get("/health", self.health),
            web.get("/alive", self.alive),
            web.get("/metrics", self.metrics),
            web.get("/api/openapi.yaml", self.openapi),
        ]

    async def health(self, _: web.Request) -> web.Response:
        """200 while the broker answers and its records are read, else 503."""
        well = self._feed.well
        body = {
            "status": "ok" if well else self._feed.stuck or "no broker",
            "reader": "connected" if self._feed.connected else "disconnected",
            "caught_up": self._feed.caught_up,
            "lag": self._feed.lag,
        }
        return _uncached(body, well)

    async def alive(self, _: web.Request) -> web.Response:
        """503 when a restart may help. 200 without a broker: the tapes are still shown."""
        alive = self._feed.stuck is None
        return _uncached({"alive": alive}, alive)

    async def metrics(self, _: web.Request) -> web.Response:
        """For Prometheus."""
        return web.Response(body=self._metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def openapi(self, _: web.Request) -> web.Response:
        """This API, as OpenAPI."""
        return web.Response(body=OPENAPI.read_bytes(), content_type="application/yaml")


def _uncached(body: dict[str, Any], well: bool) -> web.Response:
    response = json_response(body, 200 if well else 503)
    response.headers["Cache-Control"] = "no-store"
    return response
