"""The server itself: health, metrics, and this API's description."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from aiohttp import web
from prometheus_client.aiohttp import make_aiohttp_handler

from f1stream.monitoring import check_response
from web.api.operation import Routes, Schema, get
from web.api.responses import API_PREFIX
from web.feed import Feed
from web.metrics import Metrics

OPENAPI = Path(__file__).with_name("openapi.yaml")
"""Written by ``python -m web.api.openapi``."""


class HealthSchema(Schema):
    """Whether the server's data is current."""

    status: str
    """`ok`, or what is wrong."""
    reader: Literal["connected", "disconnected"]
    caught_up: bool
    """Whether all frames and marts that were in the topics at the start have been read."""
    lag: int
    """Records not read yet."""


class AliveSchema(Schema):
    """Whether the process works."""

    alive: bool


class ServiceRoutes(Routes):
    """``/health``, ``/alive``, ``/metrics`` and ``/api/openapi.yaml``."""

    def __init__(self, feed: Feed, metrics: Metrics) -> None:
        super().__init__(feed)
        self._metrics = make_aiohttp_handler(metrics.registry)

    @get(
        f"{API_PREFIX}openapi.yaml",
        tag="service",
        summary="This description",
        answer="application/yaml",
        returns="OpenAPI 3.1.",
    )
    async def openapi(self, _: web.Request) -> web.Response:
        """This API, as OpenAPI."""
        return web.Response(body=OPENAPI.read_bytes(), content_type="application/yaml")

    @get(
        "/health",
        tag="service",
        summary="Whether the broker answers and its records are read",
        answer=HealthSchema,
        returns="They are.",
        unavailable="They are not.",
    )
    async def health(self, _: web.Request) -> web.Response:
        """200 while the broker answers and its records are read, else 503."""
        well = self._feed.well
        body = HealthSchema(
            status="ok" if well else self._feed.stuck or "no broker",
            reader="connected" if self._feed.connected else "disconnected",
            caught_up=self._feed.caught_up,
            lag=self._feed.lag,
        )
        return check_response(well, body.model_dump())

    @get(
        "/alive",
        tag="service",
        summary="Whether the process works; for supervisors that restart processes",
        description="200 without a broker too: the process is alive but not healthy, and shows the tapes it has.",
        answer=AliveSchema,
        returns="It works.",
        unavailable="Records are not read: a restart may help.",
    )
    async def alive(self, _: web.Request) -> web.Response:
        """503 when a restart may help. 200 without a broker: the tapes are still shown."""
        alive = self._feed.stuck is None
        return check_response(alive, AliveSchema(alive=alive).model_dump())

    @get(
        "/metrics",
        tag="service",
        summary="For Prometheus",
        answer="text/plain",
        returns="The text exposition format.",
    )
    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """For Prometheus."""
        return await self._metrics(request)
