"""What every process tells Prometheus of itself, whatever it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version

from prometheus_client import REGISTRY, CollectorRegistry, Gauge, Info, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

Lags = Mapping[tuple[str, int], int]
"""Records that are not done yet, by topic and partition."""


STUCK_S = 30.0
"""A partition that grew for so long while nothing of it was done is stuck."""


@dataclass(slots=True)
class LastMove:
    """One partition, as last seen to move."""

    end: int
    done: int | None
    since: float


@dataclass(slots=True)
class StallDetector:
    """Compares what is done of each partition with the end of its log, as it grows."""

    verb: str
    """What is done with records: acknowledged, received, read."""
    patience_s: float = STUCK_S
    """Longer where records wait on purpose."""
    _seen: dict[tuple[str, int], LastMove] = field(default_factory=dict)

    def stuck(self, topic: str, partition: int, end: int, done: int | None, now: float) -> str | None:
        """A sentence when nothing moves though there is something to do; ``now`` is a monotonic clock (s)."""
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
    """How far this process is behind each partition that it reads, asked whenever somebody looks."""

    def __init__(self, lags: Callable[[], Lags]) -> None:
        self._lags = lags

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """As Prometheus asks."""
        gauge = GaugeMetricFamily(
            "f1stream_lag_records", "Records in Kafka that this process has not done with.",
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
    """The version that runs, the process's memory and time, how far it is behind and whether it is well."""
    Info("f1stream_build", "What runs.", registry=registry).info({"version": version("f1stream")})
    if registry is not REGISTRY:  # which has them already
        ProcessCollector(registry=registry)
    if lags is not None:
        registry.register(LagCollector(lags))
    if healthy is not None:
        Gauge("f1stream_healthy", "1 while /health answers 200.", registry=registry).set_function(healthy)
