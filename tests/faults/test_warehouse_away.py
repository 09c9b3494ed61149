"""A warehouse that is away: frames come as before, and the archive's memory stays bounded."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from statistics import quantiles

import psutil

from f1stream import topics
from f1stream.embedded.ports import listens
from f1stream.report import count_rows
from f1stream.sources.packing import pack
from f1stream.sources.publish import Counts, publish
from f1stream.sources.session import Session
from tests.support.archive_rig import ArchiveRig
from tests.support.figures import figures
from tests.support.kafka_cluster import Cluster
from tests.support.rig import bytes_of

TIMES = 14 if os.environ.get("F1STREAM_FAULTS") == "long" else 2
"""Whole races that wait: 10.5 million samples, or 1.5."""
MEMORY_BOUND = 800_000_000
SPEED = 5.0
SLACK_S = 0.25
"""A busy machine makes frames that much later; whoever waits for a warehouse that is away waits for seconds."""


async def test_an_outage_does_not_delay_frames(cluster: Cluster, aus_session: Session, tmp_path: Path) -> None:
    """Two minutes of the race at 5x; the warehouse is killed half way, and stays away to the end.

    Late is what is later than with the warehouse, in the same run on the same machine.
    """
    await cluster.reset()
    rig = ArchiveRig(tmp_path, 6, cluster.environment())
    begin = aus_session.start_ms + 600_000
    items = bytes_of(pack(aus_session, 1, 250, begin, begin + 120_000))
    with_it: list[float] = []
    without_it: list[float] = []
    try:
        await rig.start()
        await rig.worker()
        archive = rig.archive()
        await rig.ready(archive)
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
                        lag = time.monotonic() - began - (at - begin) / 1000 / SPEED
                        if killed:
                            without_it.append(lag)
                        elif at > begin + 5_000:
                            with_it.append(lag)
                        ended = ended or b'"ended":true' in message.value
                if not killed and time.monotonic() - began > 12:
                    assert await rig.offset() > 0, "nothing is loaded: the warehouse is not used yet"
                    rig.kill_warehouse()
                    killed = True
        await publishing
        await consumer.stop()
        assert not listens(rig.settings.embedded_warehouse_port), "the warehouse is not away"
        assert archive.poll() is None, "nobody waits for the warehouse"
    finally:
        rig.stop()
    assert min(len(with_it), len(without_it)) > 20, "too few frames to compare"
    before, after = quantiles(with_it, n=100), quantiles(without_it, n=100)
    for name, cuts in (("with the warehouse", before), ("without it", after)):
        figures.append(
            f"frame latency at 5x on Apache Kafka, {name}: p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms"
        )
    for percent in (50, 95):
        assert after[percent - 1] < 2 * before[percent - 1] + SLACK_S, f"p{percent}: frames wait for the warehouse"


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
