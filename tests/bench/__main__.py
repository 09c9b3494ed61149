"""``make bench``: what the workers, the web and the page cost. Needs the recorded session in ``../shared/data``."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import quantiles
from types import SimpleNamespace
from typing import Any

import aiohttp
import psutil

from f1stream import topics
from f1stream.race.stages.driver_join import DriverJoin
from f1stream.race.stages.session_race import SessionRace
from f1stream.sources.packing import pack
from f1stream.sources.session import Session
from f1stream.sources.session_archive import read_archive
from f1stream.topics import RecordHeaders
from f1stream.warehouse import tables
from f1stream.warehouse.loader import Loader
from f1stream.warehouse.partition_batch import LoadedOffset, Partition, PartitionBatch
from tests.bench import hostile, page, viewers
from tests.support.archive_rig import ArchiveRig
from tests.support.kafka_cluster import Cluster
from tests.support.ports import free_port
from tests.support.required import DATA
from tests.support.rig import Rig, bytes_of, wait_healthy

ARCHIVE = DATA / "aus2025_race"
PACKET_MS = 3_000
LIVE_S = 60


def whole_race() -> None:
    """From nothing started to the last frame, through broker, worker and web."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        subprocess.run(
            [sys.executable, "-m", "f1stream", "demo", "--source", f"archive:{ARCHIVE}", "--speed", "max",
             "--exit-when-done", "--report", str(report)], check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        found = json.loads(report.read_text())
    print(f"whole race, full speed, nothing started before: {found['seconds']['total']:.1f} s")
    print("  peak memory, MB: " + ", ".join(f"{name} {size}" for name, size in found["peak_rss_mb"].items()))


async def plain_loop(rig: Rig, session: Session) -> float:
    """Seconds that one aiokafka consumer needs for the same records, rules and frames, without Faust or tables."""
    consumer = rig.reader(topics.TELEMETRY, topics.LAPS, topics.MESSAGES)
    await consumer.start()
    race = SessionRace(session.session_key, 1)
    drivers: dict[bytes, DriverJoin] = {}
    began = time.perf_counter()
    size = 0
    while not race.ended:
        for messages in (await consumer.getmany(timeout_ms=100, max_records=500)).values():
            for message in messages:
                headers = RecordHeaders.decode(message.headers, message.timestamp / 1000)
                if message.topic == topics.MESSAGES:
                    race.take_message(headers.seq, headers.emitted_ms, topics.decode_message(message.value))
                    continue
                driver = drivers.setdefault(message.key, DriverJoin(topics.session_of(message.key)[1]))
                driver.begins(headers.run_id, None)
                if message.topic == topics.LAPS:
                    driver.take_lap(headers.seq, headers.emitted_ms, topics.decode_lap(message.value), None)
                else:
                    packet = topics.decode_packet(message.value)
                    driver.take_packet(headers.seq, headers.emitted_ms, headers.laps, headers.messages, packet, None)
        for driver in drivers.values():
            while (update := driver.join()[0]) is not None:
                race.take_update(update)
        size += sum(len(topics.encode_frames([frame])) for frame in race.advance())
    await consumer.stop()
    return time.perf_counter() - began


async def against_plain_loop(session: Session) -> None:
    """The race worker beside a plain loop, on the same records in the same broker."""
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder))
        try:
            await rig.start()
            await rig.publish(bytes_of(pack(session, 1, PACKET_MS)))
            plain = await plain_loop(rig, session)
            began = time.perf_counter()
            worker = await rig.worker()
            ready = time.perf_counter() - began
            await rig.frames(1)
            faust = time.perf_counter() - began
            cpu = sum(psutil.Process(worker.pid).cpu_times()[:2])
        finally:
            rig.stop()
    n = session.samples()
    print(f"samples/s of the same rules: plain loop {n / plain:,.0f}, race worker {n / faust:,.0f} with its start")
    print(f"  (start to ready {ready:.1f} s), CPU of the worker {cpu:.1f} s: 1 : {faust / plain:.1f}")


def batches_of(messages: Iterable[Any], next_offsets: dict[Partition, int]) -> list[PartitionBatch]:
    """Kafka messages as batches, decoded."""
    batches: dict[Partition, PartitionBatch] = {}
    for message in messages:
        of = Partition(message.topic, message.partition)
        as_fausts = SimpleNamespace(
            topic=message.topic, partition=message.partition, offset=message.offset, key=message.key,
            value=message.value, headers=message.headers, timestamp=message.timestamp / 1000,  # seconds
        )  # fmt: skip
        read = tables.BY_TOPIC[message.topic].read(as_fausts, 0)
        batches.setdefault(of, PartitionBatch(of, 0, next_offsets.get(of, 0), [])).records.append(read)
        next_offsets[of] = message.offset + 1
    return list(batches.values())


async def plain_archive(rig: ArchiveRig, records: int) -> float:
    """Seconds that one aiokafka consumer needs to load the same records with the same loader, without Faust."""
    consumer = rig.reader(topics.TELEMETRY, topics.LAPS, topics.MESSAGES)
    await consumer.start()
    loader = Loader(rig.warehouse, "plain")
    began = time.perf_counter()
    names = (topics.TELEMETRY, topics.LAPS, topics.MESSAGES)
    loader.begin_at(
        {Partition(name, n): LoadedOffset(0, 0) for name in names for n in range(rig.settings.topic_partitions)}
    )
    taken, waiting, next_offsets = 0, [], {}
    while taken < records:
        for messages in (await consumer.getmany(timeout_ms=100, max_records=500)).values():
            waiting += messages
            taken += len(messages)
        if len(waiting) >= 5_000 or taken == records:  # some 100,000 rows
            batches = batches_of(waiting, next_offsets)
            await asyncio.to_thread(loader.load, batches)
            waiting = []
    await consumer.stop()
    return time.perf_counter() - began


async def archive_against_plain_loop(session: Session) -> None:
    """The archive worker beside a plain loop: the same records, broker, loader and warehouse, one after the other."""
    seconds: dict[str, float] = {}
    for kind in ("plain loop", "archive worker"):
        with tempfile.TemporaryDirectory() as folder:
            rig = ArchiveRig(Path(folder), 24)
            rig._environment["F1STREAM_ARCHIVE_FLUSH_ROWS"] = "100000"
            try:
                await rig.start()
                items = bytes_of(pack(session, 1, PACKET_MS))
                await rig.publish(items)
                if kind == "plain loop":
                    seconds[kind] = await plain_archive(rig, len(items))
                    continue
                began = time.perf_counter()
                process = rig.archive()
                await rig.ready(process)
                ready = time.perf_counter() - began
                await rig.until_loaded()
                seconds[kind] = time.perf_counter() - began
                async with aiohttp.ClientSession() as http:
                    answer = await http.get(f"http://127.0.0.1:{rig.archives[0][1]}/metrics")
                    found = await answer.text()
            finally:
                rig.stop()
    phases = dict(re.findall(r'^f1stream_archive_phase_seconds\{phase="(\w+)"\} ([\d.]+)', found, re.MULTILINE))
    n = session.samples()
    plain, faust = seconds["plain loop"], seconds["archive worker"]
    print(f"rows/s into the warehouse: plain loop {n / plain:,.0f}, archive worker {n / faust:,.0f} with its start")
    print(f"  (start to ready {ready:.1f} s): 1 : {faust / plain:.1f}")
    print("  seconds in each phase: " + ", ".join(f"{name} {float(spent):.1f}" for name, spent in phases.items()))


async def latency(session: Session, broker: dict[str, str] | None = None) -> None:
    """At 1x with 250 ms packets: from a sample's instant to its frame at a websocket client."""
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder), broker=broker)
        port = free_port()
        began_ms = session.start_ms + 30_000
        lags: list[float] = []
        try:
            await rig.start()
            await rig.worker()
            await wait_healthy(port, rig.web(port))
            records = [
                (item, topics.encode(item.record))
                for item in pack(session, 1, 250, began_ms, began_ms + LIVE_S * 1000)
            ]
            began = time.monotonic()
            # The first packets are published at began: the session's instant t is at began + t - their until_ms.
            first_ms = records[0][0].headers.emitted_ms
            publishing = asyncio.create_task(rig.publish(records, speed=1.0))
            async with aiohttp.ClientSession() as http, http.ws_connect(f"http://127.0.0.1:{port}/ws") as socket:
                async for message in socket:
                    frame = json.loads(message.data)
                    if frame["kind"] == "delta" and frame["t"] > began_ms + 5_000:
                        lags.append((time.monotonic() - began) * 1000 - (frame["t"] - first_ms))
                    if frame.get("race", {}).get("ended"):
                        break
            await publishing
        finally:
            rig.stop()
    cuts = quantiles(lags, n=100)
    where = "Apache Kafka" if broker else "embedded broker"
    print(f"on {where} at 1x, from sample to frame at a websocket: p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f} ms")


def main() -> None:
    """All of them."""
    if not ARCHIVE.is_dir():
        raise SystemExit(f"The recorded session is not at {ARCHIVE}.")
    whole_race()
    session = read_archive(ARCHIVE)
    asyncio.run(against_plain_loop(session))
    asyncio.run(archive_against_plain_loop(session))
    asyncio.run(latency(session))
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder) / "kafka")
        try:
            asyncio.run(cluster.start())
            asyncio.run(latency(session, cluster.environment()))
        finally:
            cluster.stop()
    viewers.main(session)
    hostile.main()
    asyncio.run(page.main())


signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))  # brokers and workers end with us
main()
