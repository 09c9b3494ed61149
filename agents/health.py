"""Whether a Faust worker does its work: ``/health`` and ``/metrics`` on the worker's own web server."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from f1stream import topics
from f1stream.vitals import Lags, Progress, tell


@dataclass
class Vitals:
    """What ``/health`` answers from."""

    app: Any
    progress: Progress = field(default_factory=lambda: Progress("acknowledged"))

    def reason(self) -> str | None:
        """Why the worker is not healthy, as a sentence; None when it is."""
        app = self.app
        consumer = app._consumer
        if consumer is None or not app.assignor.assigned_actives():
            return "No partitions are assigned yet."
        if app.rebalancing:
            return "Partitions are being assigned anew."
        if app.tables.recovery.in_recovery:
            return "Tables are being recovered."
        for tp in consumer.assignment():
            stuck = self._stuck(consumer, tp, time.monotonic())
            if stuck:
                return stuck
        return None

    def lags(self) -> Lags:
        """Of the partitions of our topics: a table's changelog is read only to recover."""
        consumer = self.app._consumer
        if consumer is None:
            return {}
        return {
            (tp.topic, tp.partition): max(
                (consumer.highwater(tp) or 0) - (consumer._committed_offset.get(tp) or 0), 0
            )
            for tp in consumer.assignment()
            if tp.topic in topics.ALL
        }

    def _stuck(self, consumer: Any, tp: Any, now: float) -> str | None:
        end, acknowledged = consumer.highwater(tp) or 0, consumer._committed_offset.get(tp)
        return self.progress.stuck(tp.topic, tp.partition, end, acknowledged, now)


def serve_health(app: Any, vitals: Vitals) -> None:
    """Add the two routes to the worker's web server."""
    tell(lags=vitals.lags, healthy=lambda: vitals.reason() is None)

    async def health(_: web.Request) -> web.Response:
        reason = vitals.reason()
        return web.json_response({"ready": reason is None, "reason": reason}, status=200 if reason is None else 503)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app.web.web_app.router.add_get("/health", health)
    app.web.web_app.router.add_get("/metrics", metrics)
