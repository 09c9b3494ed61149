"""The server itself: health, metrics, and this API's description."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp import web

from f1stream.monitoring import monitoring_routes
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
            *monitoring_routes(self.health, self.alive, self._metrics.registry),
            web.get("/api/openapi.yaml", self.openapi),
        ]

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Succeeds while the broker answers and new records are read."""
        well = self._feed.well
        return well, {
            "status": "ok" if well else self._feed.stuck or "no broker",
            "reader": "connected" if self._feed.connected else "disconnected",
            "caught_up": self._feed.caught_up,
            "lag": self._feed.lag,
        }

    def alive(self) -> tuple[bool, dict[str, Any]]:
        """Fails if a new process could do better. Not without a broker: the page still shows what is on the tape."""
        alive = self._feed.stuck is None
        return alive, {"alive": alive}

    async def openapi(self, _: web.Request) -> web.Response:
        """This API, as OpenAPI."""
        return web.Response(body=OPENAPI.read_bytes(), content_type="application/yaml")
