"""Whether a Faust worker does its work: ``/health`` and ``/metrics`` on the worker's own web server."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

STUCK_S = 30.0
"""A partition that grew for so long while nothing of it was acknowledged is stuck."""


@dataclass(slots=True)
class Position:
    """One partition, as last seen to move."""

    end: int
    acknowledged: int | None
    since: float


@dataclass
class Vitals:
    """What ``/health`` answers from."""

    app: Any
    positions: dict[Any, Position] = field(default_factory=dict)

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

    def _stuck(self, consumer: Any, tp: Any, now: float) -> str | None:
        end, acknowledged = consumer.highwater(tp) or 0, consumer._committed_offset.get(tp)
        seen = self.positions.get(tp)
        if seen is None or acknowledged != seen.acknowledged or (acknowledged or 0) >= end:
            self.positions[tp] = Position(end, acknowledged, now)
            return None
        if end > seen.end and now - seen.since > STUCK_S:
            return (
                f"{tp.topic}[{tp.partition}] has grown to {end} for {now - seen.since:.0f} s, "
                f"and nothing after {acknowledged} is acknowledged."
            )
        return None


def serve_health(app: Any, vitals: Vitals) -> None:
    """Add the two routes to the worker's web server."""

    async def health(_: web.Request) -> web.Response:
        reason = vitals.reason()
        return web.json_response({"ready": reason is None, "reason": reason}, status=200 if reason is None else 503)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app.web.web_app.router.add_get("/health", health)
    app.web.web_app.router.add_get("/metrics", metrics)
