"""The metrics of the page's server, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

from f1stream.process_health import register_process_metrics
from web.feed import Feed


class Metrics:
    """A registry per application, so that two in one process do not collide."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.sent = Counter("f1stream_web_frames_sent", "Heads and frames sent to viewers.", registry=self.registry)
        self.skipped = Counter(
            "f1stream_web_frames_skipped",
            "Frames not sent to a viewer because the connection was slow or the replay fast.",
            ["reason"],
            registry=self.registry,
        )
        self.ended = Counter(
            "f1stream_web_connections_ended",
            "Connections ended because of the client's behaviour, or refused.",
            ["reason"],
            registry=self.registry,
        )

    def watch_connections(self, count: Callable[[], int]) -> None:
        """Add the gauge of open connections."""
        self._gauge("connections", "Open connections, websockets among them.", count)

    def watch(self, feed: Feed, viewers: Callable[[], int], most: int) -> None:
        """Add the gauges that are read on each request for the metrics."""
        register_process_metrics(self.registry, lambda: feed.lags, lambda: feed.well)
        self._gauge("viewers", "Open websockets.", viewers)
        self._gauge("viewers_limit", "Limit of open websockets; more are refused.", lambda: most)
        self._gauge("tape_bytes", "Memory taken by the tapes, in bytes.", lambda: feed.tapes.size)
        self._gauge("reader_connected", "1 while the broker answers.", lambda: feed.connected)
        self._gauge("reader_bad_records", "Records that could not be decoded.", lambda: feed.bad_records)

    def _gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        Gauge(f"f1stream_web_{name}", text, registry=self.registry).set_function(value)
