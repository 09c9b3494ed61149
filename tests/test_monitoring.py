"""Health, liveness and metrics of a process, over HTTP."""

from __future__ import annotations

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from f1stream.monitoring import monitoring_routes


async def test_a_failed_check_is_503_and_metrics_are_text_unless_another_format_is_accepted() -> None:
    registry, well = CollectorRegistry(), [True]
    Gauge("laps", "Laps.", registry=registry).set(57)
    app = web.Application()
    app.add_routes(
        monitoring_routes(lambda: (well[0], {"ready": well[0]}), lambda: (True, {"alive": True}), registry)
    )
    async with TestClient(TestServer(app)) as client:
        for well[0], status in ((True, 200), (False, 503)):
            answer = await client.get("/health")
            assert (answer.status, await answer.json()) == (status, {"ready": well[0]})
            assert answer.headers["Cache-Control"] == "no-store"
        answer = await client.get("/alive")
        assert (answer.status, await answer.json()) == (200, {"alive": True})
        answer = await client.get("/metrics")
        assert answer.content_type == "text/plain"
        assert await answer.read() == generate_latest(registry)
        answer = await client.get("/metrics", headers={"Accept": "application/openmetrics-text"})
        assert answer.content_type == "application/openmetrics-text"
        assert "laps 57.0" in await answer.text()
