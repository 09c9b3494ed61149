"""Whether a Faust worker does its work: ``/health``, ``/alive`` and ``/metrics`` on the worker's own web server.

``/health`` is for people, alerts and whoever waits for a start; ``/alive`` is for what replaces a worker: it fails
only where a new one could get further.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from agents.faust_patches.positions import input_positions
from f1stream.monitoring import monitoring_routes
from f1stream.process_health import Lags, StallDetector, register_process_metrics
from f1stream.processing.reads import PartitionOffsets


@dataclass
class WorkerHealth:
    """What ``/health`` answers from."""

    app: Any
    stalls: StallDetector = field(default_factory=lambda: StallDetector("acknowledged"))
    received: dict[Any, int] = field(default_factory=dict)
    """Offset after the last record received, of partitions whose records may wait long for others."""
    waits: str | None = None
    """For what else than Kafka the worker waits, as a sentence."""
    wrong_topics: Callable[[], str | None] = lambda: None
    """What is wrong with the topics by now, as a sentence; None for nothing."""

    @property
    def positions(self) -> dict[Any, PartitionOffsets]:
        """How far the worker's own partitions are acknowledged: those that can be stuck or lag."""
        return input_positions(self.app)

    def reason(self) -> str | None:
        """Why the worker is not healthy, as a sentence; None when it is."""
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
        """False when a new worker in its place could get further."""
        app = self.app
        busy = app.rebalancing or app.tables.recovery.in_recovery  # a rebalance that does not end ends the process
        waits = self.waits is not None or self.wrong_topics() is not None
        return busy or waits or self.stuck() is None

    def stuck(self) -> str | None:
        """Which partition grows while nothing of it is done, as a sentence; None when there is none."""
        now = time.monotonic()
        sentences = [
            self.stalls.stuck(tp.topic, tp.partition, end, self.received.get(tp, committed), now)
            for tp, (end, committed) in self.positions.items()
        ]
        return next(filter(None, sentences), None)

    def lags(self) -> Lags:
        """Records that are not acknowledged yet, by topic and partition."""
        return {
            (tp.topic, tp.partition): max(end - (committed or 0), 0)
            for tp, (end, committed) in self.positions.items()
        }


def serve_health(app: Any, worker: WorkerHealth) -> None:
    """Add the routes to the worker's web server."""
    register_process_metrics(lags=worker.lags, healthy=lambda: worker.reason() is None)

    def health() -> tuple[bool, dict[str, Any]]:
        reason = worker.reason()
        return reason is None, {"ready": reason is None, "reason": reason, "waits": worker.waits}

    def alive() -> tuple[bool, dict[str, Any]]:
        well = worker.alive()
        return well, {"alive": well}

    app.web.web_app.add_routes(monitoring_routes(health, alive))
