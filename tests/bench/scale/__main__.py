"""``make bench-scale``: sessions × workers on Apache Kafka, then the same job in Faust and in Quix Streams."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.bench.scale.cell import Cell, measure
from tests.bench.scale.frameworks import Compared, compare, quix_python
from tests.bench.scale.load import CARS, load
from tests.support.kafka_cluster import Cluster

PACKET_MS = 3_000
"""What `f1stream replay --speed max` sends; live it is 250."""


def numbers(text: str) -> list[int]:
    """``1,5,20``."""
    return [int(part) for part in text.split(",")]


def arguments() -> argparse.Namespace:
    """What can be asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale", description=__doc__)
    parser.add_argument("--sessions", type=numbers, default=[1, 5, 20])
    parser.add_argument("--workers", type=numbers, default=[1, 2, 4])
    parser.add_argument("--laps", type=int, default=3, help="of each simulated race")
    parser.add_argument("--cars", type=int, default=CARS)
    parser.add_argument("--speed", type=float, help="times the races' pace; without it as fast as it goes")
    parser.add_argument("--packet-ms", type=int, default=PACKET_MS)
    parser.add_argument("--warm-up", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--quix", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--rounds", type=int, default=3, help="of Faust and Quix Streams; the medians are reported")
    parser.add_argument("--json", type=Path, help="everything that was measured, into a file")
    return parser.parse_args()


async def main(asked: argparse.Namespace) -> None:
    """All of it, on one broker."""
    if asked.quix and quix_python() is None:
        raise SystemExit("There is no .venv-quix: run `make bench-scale`, or leave it out with --no-quix.")
    logging.basicConfig(level=logging.CRITICAL)  # clients log a broker that is not up yet, and new topics
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before anything was started")
    cells: list[Cell] = []
    compared: list[Compared] = []
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder) / "kafka")
        try:
            await cluster.start()
            if asked.sessions:
                if asked.warm_up:  # not counted: the first one pays for the broker's start and for compiling
                    await measure(cluster, Path(folder) / "warm", load(1, 1, asked.packet_ms), 1)
                cells = await matrix(cluster, Path(folder), asked)
            if asked.quix:
                compared = await compare(cluster, Path(folder), asked.rounds, asked.laps, asked.cars)
        finally:
            cluster.stop()
    if asked.json:
        results = {"cores": os.cpu_count(), "cells": [asdict(cell) for cell in cells],
                "frameworks": [asdict(one) for one in compared]}  # fmt: skip
        asked.json.write_text(json.dumps(results, indent=1))


async def matrix(cluster: Cluster, folder: Path, asked: argparse.Namespace) -> list[Cell]:
    """Every number of sessions through every number of workers; each result is printed when it is measured."""
    print(
        f"{'sessions':>8} {'workers':>7} {'samples':>9} {'s':>6} {'samples/s':>9} {'races live':>10} {'ratio':>5} "
        f"{'most lag':>8} {'99 % late':>9} {'RSS MB':>6} {'largest':>7} {'busiest':>7}  CPU s: workers, broker, us"
    )
    cells: list[Cell] = []
    for sessions in asked.sessions:
        work = load(sessions, asked.laps, asked.packet_ms, asked.cars)
        alone = 0.0
        for workers in asked.workers:
            cell = await measure(cluster, folder / f"{sessions}-{workers}", work, workers, asked.speed)
            cells.append(cell)
            alone = alone or cell.rate
            cpu = ", ".join(f"{spent:.0f}" for spent in cell.cpu_s.values())
            print(
                f"{sessions:8} {workers:7} {cell.samples:9,} {cell.seconds:6.1f} {cell.rate:9,.0f} "
                f"{cell.race_s / cell.seconds:10.0f} {cell.rate / alone:5.2f} {cell.most_lag:8,} {cell.late_s:9.1f} "
                f"{cell.rss_mb:6.0f} {max(cell.rss_mb_each):7.0f} {cell.busiest:6.0%}  {cpu}",
                flush=True,
            )
            if cell.samples != cell.published:
                raise SystemExit(f"{cell.published:,} samples were published, {cell.samples:,} are in the frames.")
    return cells


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))  # brokers and workers end with us
    asyncio.run(main(arguments()))
