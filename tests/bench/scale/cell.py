"""One cell of the matrix: so many sessions through so many race workers, on Apache Kafka."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from f1stream import topics
from models import Frame
from tests.bench.scale.load import EPOCH, Load
from tests.support.kafka_cluster import Cluster
from tests.support.rig import Rig

PARTITIONS = 24
LOOK_S = 0.5
STEADY = 5
"""The workers have shared the partitions when nothing has changed for so many looks."""
PATIENCE_S = 300
METRIC = re.compile(r"^(f1stream_\w+)(?:\{(.*?)\})? ([\d.e+]+)$", re.MULTILINE)
LATENESS = "f1stream_race_frame_lateness_seconds"


@dataclass
class Cell:
    """What was measured."""

    sessions: int
    workers: int
    samples: int
    """Counted in the last frames: what is in the race, not what was sent."""
    published: int
    frames: int
    race_s: float
    seconds: float
    """From the first record published to the last frame in Kafka."""
    publishing_s: float
    lag: list[tuple[float, int]]
    """Records that are in Kafka and not acknowledged, every half second."""
    rss_mb: float
    """The workers together, at their largest."""
    rss_mb_each: list[float]
    cpu_s: dict[str, float]
    """workers, broker, and what publishes and looks."""
    busiest: float
    """Share of the samples that one worker raced, the one with most."""
    late_s: float
    """Within so much of their publication 99 % of the records are in frames (a bound of the histogram)."""
    topic_mb: dict[str, float] = field(default_factory=dict)
    """In the broker's files."""

    @property
    def rate(self) -> float:
        """Samples a second."""
        return self.samples / self.seconds

    @property
    def most_lag(self) -> int:
        """Records."""
        return max((records for _, records in self.lag), default=0)


async def measure(cluster: Cluster, folder: Path, load: Load, workers: int, speed: float | None = None) -> Cell:
    """Run ``load`` through ``workers`` new workers, at ``speed`` times the races' pace or as fast as it goes."""
    await cluster.reset()
    rig = Rig(folder, PARTITIONS, cluster.environment())
    try:
        await rig.start()
        await asyncio.gather(*(rig.worker() for _ in range(workers)))
        async with aiohttp.ClientSession() as http:
            await _until_shared(http, rig)
            watch = _Watch(http, rig, cluster)
            began = time.time()
            publishing = asyncio.create_task(rig.publish(load.records, speed))
            publishing.add_done_callback(lambda _: watch.published())
            await watch.until_done(sum(load.samples.values()))
            await publishing
            samples, frames, ended = await _read_frames(rig, load)
            await watch.look()
        return Cell(
            load.sessions, workers, samples, sum(load.samples.values()), frames, load.race_s, ended - began,
            watch.publishing_s, watch.lag, watch.rss, watch.rss_each, watch.cpu(), watch.busiest(), watch.late(),
            _topic_mb(cluster),
        )  # fmt: skip
    finally:
        await asyncio.to_thread(rig.stop)


async def _metrics(http: aiohttp.ClientSession, port: int) -> list[tuple[str, str, float]]:
    async with http.get(f"http://127.0.0.1:{port}/metrics") as answer:
        return [(name, labels, float(value)) for name, labels, value in METRIC.findall(await answer.text())]


async def _until_shared(http: aiohttp.ClientSession, rig: Rig) -> None:
    """Return when every worker has partitions of telemetry, all are had, and that has been so for a while."""
    before: list[int] = []
    steady = 0
    async with asyncio.timeout(PATIENCE_S):
        while steady < STEADY:
            shares = []
            for _, port in rig.workers:
                found = await _metrics(http, port)
                shares.append(
                    sum(n == "f1stream_lag_records" and f'"{topics.TELEMETRY}"' in at for n, at, _ in found)
                )
                async with http.get(f"http://127.0.0.1:{port}/health") as answer:
                    shares[-1] *= answer.status == 200
            steady = steady + 1 if shares == before and all(shares) and sum(shares) == PARTITIONS else 0
            before = shares
            await asyncio.sleep(0.2)


class _Watch:
    """Looks at the workers from outside while they work."""

    def __init__(self, http: aiohttp.ClientSession, rig: Rig, cluster: Cluster) -> None:
        self._http, self._rig = http, rig
        self._processes = [psutil.Process(process.pid) for process, _ in rig.workers]
        brokers = [psutil.Process(broker.process.pid) for broker in cluster.brokers if broker.process]
        self._kinds = {"workers": self._processes, "broker": brokers, "publisher": [psutil.Process()]}
        self._cpu_before = self._cpu_now()
        self._began = time.monotonic()
        self.lag: list[tuple[float, int]] = []
        self.rss = 0.0
        self.rss_each = [0.0] * len(self._processes)
        self.publishing_s = 0.0
        self._samples = [0.0] * len(self._processes)
        self._late: Counter[float] = Counter()

    def published(self) -> None:
        """Everything has been."""
        self.publishing_s = time.monotonic() - self._began

    async def until_done(self, samples: int) -> None:
        """Look now and then until the workers say that they have raced ``samples``."""
        async with asyncio.timeout(PATIENCE_S):
            while sum(self._samples) < samples:
                await asyncio.sleep(LOOK_S)
                await self.look()

    async def look(self) -> None:
        """Once."""
        lag = 0
        self._late.clear()
        for nth, (process, port) in enumerate(self._rig.workers):
            if process.poll() is not None:
                raise RuntimeError(f"A race worker ended with code {process.returncode}; see {self._rig.home}.")
            for name, labels, value in await _metrics(self._http, port):
                if name == "f1stream_lag_records":
                    lag += int(value)
                elif name == "f1stream_race_samples_total":
                    self._samples[nth] = value
                elif name == f"{LATENESS}_bucket":
                    self._late[float(labels.split('"')[1])] += int(value)
        self.lag.append((round(time.monotonic() - self._began, 1), lag))
        each = [process.memory_info().rss / 1e6 for process in self._processes]
        self.rss = max(self.rss, sum(each))
        self.rss_each = [max(pair) for pair in zip(self.rss_each, each, strict=True)]

    def busiest(self) -> float:
        """See ``Cell``."""
        return max(self._samples) / (sum(self._samples) or 1)

    def late(self) -> float:
        """See ``Cell``."""
        return next((bound for bound, n in sorted(self._late.items()) if n >= 0.99 * max(self._late.values())), 0.0)

    def cpu(self) -> dict[str, float]:
        """Seconds since the beginning, by kind of process."""
        return {kind: spent - self._cpu_before[kind] for kind, spent in self._cpu_now().items()}

    def _cpu_now(self) -> dict[str, float]:
        return {
            kind: sum(sum(process.cpu_times()[:2]) for process in processes)
            for kind, processes in self._kinds.items()
        }


async def _read_frames(rig: Rig, load: Load) -> tuple[int, int, float]:
    """Samples that the runs' last frames say are in them, the number of frames, and when the last one was written."""
    samples: dict[str, int] = {}
    frames: set[tuple[bytes, int]] = set()
    last_ms = 0
    consumer = rig.reader(topics.FRAMES)
    await consumer.start()
    try:
        async with asyncio.timeout(PATIENCE_S):
            while samples.keys() != load.samples.keys():
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    for message in batch:
                        headers = dict(message.headers)
                        if headers["kind"] != b"frames" or int(headers["epoch"]) != EPOCH:
                            continue
                        first = int(headers["seq"])
                        frames.update((message.key, first + nth) for nth in range(int(headers["count"])))
                        last_ms = max(last_ms, message.timestamp)
                        if b'"ended":true' in message.value:
                            last: Any = topics.decode_frames(message.value)[-1]
                            assert isinstance(last, Frame) and last.race.tally is not None
                            samples[message.key.decode()] = last.race.tally.samples
    finally:
        await consumer.stop()
    return sum(samples.values()), len(frames), last_ms / 1000


def _topic_mb(cluster: Cluster) -> dict[str, float]:
    """What the topics take on the first broker's disk, the workers' own tables as one."""
    sizes: Counter[str] = Counter()
    for log in (cluster.brokers[0].folder / "data").glob("*/*.log"):
        topic = log.parent.name.rpartition("-")[0]
        if log.parent.name.endswith("-delete"):  # of the cell before
            continue
        if topic in topics.ALL or topic.startswith("f1stream-race-"):
            sizes[topic if topic in topics.ALL else "tables"] += log.stat().st_size
    return {topic: size / 1e6 for topic, size in sizes.items()}
