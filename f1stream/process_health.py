"""Metrics that every process exports, and the detection of partitions that are stuck."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version

from prometheus_client import REGISTRY, CollectorRegistry, Gauge, Info, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

Lags = Mapping[tuple[str, int], int]
"""Unprocessed records, by topic and partition."""

STUCK_S = 30.0
"""Seconds. A partition that grows for longer while none of its records is processed is stuck."""


@dataclass(slots=True)
class LastMove:
    """A partition when its processed offset last changed."""

    end: int
    """Offset after the last record of the log."""
    done: int | None
    """Offset after the last processed record; None before the first."""
    since: float
    """Monotonic clock, seconds."""


@dataclass(slots=True)
class StallDetector:
    """Compares the processed offset of each partition with the growing end of its log."""

    verb: str
    """What processing means, for the sentence: acknowledged, received, read."""
    patience_s: float = STUCK_S
    """Seconds before a partition is stuck; longer for a process that buffers records."""
    _seen: dict[tuple[str, int], LastMove] = field(default_factory=dict)

    def stuck(self, topic: str, partition: int, end: int, done: int | None, now: float) -> str | None:
        """Why the partition is stuck, as a sentence; None if it is not. ``now``: monotonic clock, seconds."""
        seen = self._seen.get((topic, partition))
        if seen is None or done != seen.done or (done or 0) >= end:
            self._seen[topic, partition] = LastMove(end, done, now)
            return None
        if end > seen.end and now - seen.since > self.patience_s:
            return (
                f"{topic}[{partition}] has grown to {end} for {now - seen.since:.0f} s, and nothing after {done} "
                f"is {self.verb}."
            )
        return None


class LagCollector(Collector):
    """Exports this process's lag by partition, computed at each scrape."""

    def __init__(self, lags: Callable[[], Lags]) -> None:
        self._lags = lags

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Called by Prometheus's client at each scrape."""
        gauge = GaugeMetricFamily(
            "f1stream_lag_records", "Records in Kafka that this process has not processed.",
            labels=["topic", "partition"],
        )  # fmt: skip
        for (topic, partition), lag in sorted(self._lags().items()):
            gauge.add_metric([topic, str(partition)], lag)
        yield gauge


def register_process_metrics(
    registry: CollectorRegistry = REGISTRY,
    lags: Callable[[], Lags] | None = None,
    healthy: Callable[[], bool] | None = None,
) -> None:
    """Export the version, the process's memory and CPU time, its lag and whether it is healthy."""
    Info("f1stream_build", "The running version.", registry=registry).info({"version": version("f1stream")})
    if registry is not REGISTRY:  # the default registry has them already
        ProcessCollector(registry=registry)
    if lags is not None:
        registry.register(LagCollector(lags))
    if healthy is not None:
        Gauge("f1stream_healthy", "1 while /health answers 200.", registry=registry).set_function(healthy)
