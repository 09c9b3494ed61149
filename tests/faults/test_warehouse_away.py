"""A warehouse that is away: frames come as before, and the archive's memory stays bounded."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from statistics import quantiles

import psutil
from archive_rig import ArchiveRig
from figures import figures
from kafka_cluster import Cluster

from f1stream import topics
from f1stream.report import count_rows
from f1stream.sources.packing import pack
from f1stream.sources.publish import Counts, publish
from f1stream.sources.session import Session

TIMES = 14 if os.environ.get("F1STREAM_FAULTS") == "long" else 2
"""Whole races that wait: 10.5 million samples, or 1.5."""
MEMORY_BOUND = 800_000_000
SPEED = 5.0


async def test_an_outage_does_not_delay_frames(cluster: Cluster, aus_session: Session, tmp_path: Path) -> None:
    """Two minutes of the race at 5x; the warehouse is killed half way, and stays away to the end."""
    await cluster.reset()
    rig = ArchiveRig(tmp_path, 6, cluster.environment())
    begin = aus_session.start_ms + 600_000
    items = [(item, topics.encode(item.record)) for item in pack(aus_session, 1, 250, begin, begin + 120_000)]
    lags: list[tuple[int, float]] = []
    try:
        await rig.start()
        await rig.worker()
        await rig.ready(rig.archive())
        began = time.monotonic()
        publishing = asyncio.create_task(rig.publish(items, speed=SPEED))
        consumer = rig.reader(topics.FRAMES)
        await consumer.start()
        async with asyncio.timeout(120):
            ended = killed = False
            while not ended:
                for messages in (await consumer.getmany(timeout_ms=20)).values():
                    for message in messages:
                        headers = dict(message.headers)
                        if headers["kind"] != b"frames":
                            continue
                        at = (int(headers["seq"]) + int(headers["count"]) - 1) * 200
                        lags.append((at, time.monotonic() - began - (at - begin) / 1000 / SPEED))
                        ended = ended or b'"ended":true' in message.value
                if not killed and time.monotonic() - began > 12:
                    rig.kill_warehouse()
                    killed = True
        await publishing
        await consumer.stop()
    finally:
        rig.stop()
    assert len(lags) > 100
    half = begin + 60_000
    for name, part in (("with the warehouse", [lag for at, lag in lags if begin + 5_000 < at < half]),
                       ("without it", [lag for at, lag in lags if at >= half])):  # fmt: skip
        cuts = quantiles(part, n=100)
        figures.append(
            f"frame latency at 5x on Apache Kafka, {name}: p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms"
        )


async def test_memory_stays_bounded_while_samples_wait(
    cluster: Cluster, aus_session: Session, tmp_path: Path
) -> None:
    await cluster.reset()
    rig = ArchiveRig(tmp_path, 6, cluster.environment())
    rig._environment["F1STREAM_ARCHIVE_FLUSH_ROWS"] = "100000"
    runs: list[Counts] = []
    try:
        await rig.start()
        process = rig.archive()
        await rig.ready(process)
        watched = psutil.Process(process.pid)
        rig.kill_warehouse()
        peak = 0
        for epoch in range(1, TIMES + 1):
            publishing = asyncio.create_task(publish(aus_session, rig.settings, speed=None, epoch=epoch))
            while not publishing.done():
                peak = max(peak, watched.memory_info().rss)
                await asyncio.sleep(0.1)
            runs.append(await publishing)
        for _ in range(50):
            peak = max(peak, watched.memory_info().rss)
            await asyncio.sleep(0.1)
        waiting = sum(run.samples for run in runs)
        figures.append(f"archive worker, warehouse away, {waiting:,} samples waiting: peak {peak / 1e6:.0f} MB")
        await rig.start_warehouse()
        await rig.until_loaded(within_s=90 * TIMES)
        rows = count_rows(rig.warehouse, runs)
    finally:
        rig.stop()
    assert peak < MEMORY_BOUND
    assert (rows.telemetry, rows.duplicates) == (waiting, 0)
