"""A Faust worker's health: ``/health``, ``/alive`` and ``/metrics`` on the worker's own web server.

``/health`` (readiness) is for people, alerts and start-up; ``/alive`` (liveness) is for the service manager: it fails
only if restarting the worker could help.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from prometheus_client.aiohttp import make_aiohttp_handler

from agents.faust_patches.positions import input_positions
from f1stream.process_health import Lags, StallDetector, register_process_metrics
from f1stream.processing.reads import PartitionOffsets


@dataclass
class WorkerHealth:
    """The state behind ``/health`` and ``/alive``."""

    app: Any
    stalls: StallDetector = field(default_factory=lambda: StallDetector("acknowledged"))
    received: dict[Any, int] = field(default_factory=dict)
    """Offset after the last received record, by partition; counts instead of the acknowledged one where present."""
    waits: str | None = None
    """The unavailable service that the worker waits for (not Kafka), as a sentence."""
    wrong_topics: Callable[[], str | None] = lambda: None
    """What is wrong with the topics, as a sentence; None if nothing is."""

    @property
    def positions(self) -> dict[Any, PartitionOffsets]:
        """Offsets of the worker's input partitions."""
        return input_positions(self.app)

    def reason(self) -> str | None:
        """Why the worker is unhealthy, as a sentence; None if it is healthy."""
        app = self.app
        if not app.assignor.assigned_actives():
            return "No partitions are assigned yet."
        if app.rebalancing:
            return "Partitions are being assigned."
        if app.tables.recovery.in_recovery:
            return "Tables are being recovered."
        if wrong := self.wrong_topics():
            return wrong
        stuck = self.stuck()
        return stuck and (self.waits or stuck)

    def alive(self) -> bool:
        """False if restarting the worker could help."""
        app = self.app
        busy = app.rebalancing or app.tables.recovery.in_recovery  # watch_rebalancing exits if it hangs
        waits = self.waits is not None or self.wrong_topics() is not None
        return busy or waits or self.stuck() is None

    def stuck(self) -> str | None:
        """The first partition that is stuck (see ``StallDetector``), as a sentence; None if there is none."""
        now = time.monotonic()
        sentences = [
            self.stalls.stuck(tp.topic, tp.partition, end, self.received.get(tp, committed), now)
            for tp, (end, committed) in self.positions.items()
        ]
        return next(filter(None, sentences), None)

    def lags(self) -> Lags:
        """Unacknowledged records, by topic and partition."""
        return {
            (tp.topic, tp.partition): max(end - (committed or 0), 0)
            for tp, (end, committed) in self.positions.items()
        }


def serve_health(app: Any, worker: WorkerHealth) -> None:
    """Add the routes to the worker's web server."""
    register_process_metrics(lags=worker.lags, healthy=lambda: worker.reason() is None)

    async def health(_: web.Request) -> web.Response:
        reason = worker.reason()
        answer = {"ready": reason is None, "reason": reason, "waits": worker.waits}
        return web.json_response(answer, status=200 if reason is None else 503)

    async def alive(_: web.Request) -> web.Response:
        well = worker.alive()
        return web.json_response({"alive": well}, status=200 if well else 503)

    app.web.web_app.router.add_get("/health", health)
    app.web.web_app.router.add_get("/alive", alive)
    app.web.web_app.router.add_get("/metrics", make_aiohttp_handler())
