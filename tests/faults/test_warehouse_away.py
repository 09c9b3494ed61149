"""An unavailable warehouse: frames are published as before, the archive worker waits, its memory is bounded."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import psutil
import pytest

from f1stream.ports import listens
from f1stream.report import count_rows
from f1stream.sources.packing import pack
from f1stream.sources.publish import RunCounts, publish
from f1stream.sources.session import Session
from tests.support.archive_rig import ArchiveRig
from tests.support.figures import figures
from tests.support.kafka_cluster import Cluster
from tests.support.rig import bytes_of

pytestmark = pytest.mark.system
TIMES = 14 if os.environ.get("F1STREAM_FAULTS") == "long" else 1
"""Whole races that wait to be loaded, of 752,000 samples each."""
GROWTH_BOUND = 150_000_000
"""Bytes above idle. Buffering one whole race adds 309 MB, flushes of 10,000 rows 97 to 104 MB."""


async def test_frames_do_not_wait_for_an_unavailable_warehouse(
    rig: ArchiveRig, aus_session: Session, stretch: tuple[int, int], undisturbed: dict[int, bytes]
) -> None:
    """It is killed halfway. All frames are published meanwhile; the rest is loaded when it is back."""
    items = list(pack(aus_session, 1, 250, *stretch))
    archive = rig.archive()
    await asyncio.gather(rig.worker(), rig.ready(archive))
    half = len(items) // 2
    await rig.publish(bytes_of(items[:half]))
    await rig.until_more_is_loaded()
    rig.kill_warehouse()
    await rig.publish(bytes_of(items[half:]))
    found = await rig.frames(1)
    await rig.logged(archive, "to load failed; records wait in Kafka")
    assert [n for n in found.keys() | undisturbed.keys() if found.get(n) != undisturbed.get(n)] == []
    assert not listens(rig.settings.embedded_warehouse_port), "the warehouse is not away"
    assert archive.poll() is None, "nobody waits for the warehouse"
    await rig.start_warehouse()
    await rig.until_loaded()
    rig.assert_exact(items)


async def test_memory_stays_bounded_while_samples_wait(
    cluster: Cluster, aus_session: Session, tmp_path: Path
) -> None:
    """The worker's memory is measured until the warehouse is back: it buffers one flush, Kafka keeps the rest."""
    await cluster.reset()
    rig = ArchiveRig(tmp_path, 6, cluster.environment())
    rig._environment["F1STREAM_ARCHIVE_FLUSH_ROWS"] = "10000"
    runs: list[RunCounts] = []
    peak = 0

    async def watch(of: psutil.Process) -> None:
        nonlocal peak
        while True:
            peak = max(peak, of.memory_info().rss)
            await asyncio.sleep(0.1)

    try:
        await rig.start()
        process = rig.archive()
        await rig.ready(process)
        rig.kill_warehouse()
        idle = psutil.Process(process.pid).memory_info().rss
        watching = asyncio.create_task(watch(psutil.Process(process.pid)))
        for epoch in range(1, TIMES + 1):
            runs.append(await publish(aus_session, rig.settings, speed=None, packet_ms=3_000, epoch=epoch))
        await rig.logged(process, "Attempt 2 to load failed")  # a flush is full, and no more is received
        watching.cancel()
        waiting = sum(run.samples for run in runs)
        figures.append(
            f"archive worker, warehouse away, {waiting:,} samples waiting: peak {peak / 1e6:.0f} MB,"
            f" {(peak - idle) / 1e6:.0f} MB more than idle"
        )
        await rig.start_warehouse()
        await rig.until_loaded(within_s=180 * TIMES)
        rows = count_rows(rig.warehouse, runs)
    finally:
        rig.stop()
    assert peak - idle < GROWTH_BOUND
    assert (rows.telemetry, rows.duplicates) == (waiting, 0)
