"""The workers beside plain loops: the same records, rules, loader and broker, without Faust and its tables."""

from __future__ import annotations

import asyncio
import re
import signal
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import psutil

from f1stream import topics
from f1stream.conformance.replay import advance, take
from f1stream.garbage import collect_seldom
from f1stream.race.stages.driver_join import DriverJoin
from f1stream.race.stages.session_race import SessionRace
from f1stream.sources.packing import pack
from f1stream.sources.publish import packet_ms_for
from f1stream.sources.session import Session
from f1stream.topics import BadRecord, RecordHeaders
from f1stream.warehouse import tables
from f1stream.warehouse.loader import Loader
from f1stream.warehouse.partition_batch import LoadedOffset, Partition, PartitionBatch
from models import Frame
from tests.bench.results import Results
from tests.support.archive_rig import ArchiveRig
from tests.support.rig import Rig, bytes_of

PACKET_MS = 10_000
"""Session time of a packet at full speed."""
PARTITIONS = 6
"""Of each topic: the default on the embedded broker."""
FLUSH_RECORDS = 2_000
"""Records of a flush of the plain loop: some 100,000 rows, as the archive worker's by default."""
ADVANCE_EVERY = 500
"""Records between two calls for frames: as many as a worker's batch has."""


def rules(results: Results, session: Session) -> None:
    """The rules on one core, without Kafka: decoded records in, frames out, neither encoded nor decoded."""
    collect_seldom()  # as the worker does
    items = list(pack(session, 1, PACKET_MS))
    race = SessionRace(session.session_key, 1)
    drivers = {number: DriverJoin(number) for number in session.telemetry}
    for driver in drivers.values():
        driver.begins(1, None)
    frames: list[Frame] = []
    began = time.process_time()
    for n, item in enumerate(items):
        take(item, drivers, race)
        if n % ADVANCE_EVERY == 0:
            frames += [frame for frame, _ in advance(race)]
    frames += [frame for frame, _ in advance(race)]
    spent = time.process_time() - began
    results.add("rules: samples a second and core", session.samples() / spent, "samples/s")
    began = time.process_time()
    for frame in frames:
        topics.encode_frames([frame])
    results.add("rules: encoding the frames", (time.process_time() - began) / len(frames) * 1e6, "us a frame")


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


async def race_worker(results: Results, session: Session) -> None:
    """The race worker beside a plain loop, on the same records in the same broker, until the last frame.

    The worker's start is excluded: its time begins with the first update that its first stage publishes.
    """
    items = bytes_of(pack(session, 1, PACKET_MS))
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder), PARTITIONS)
        try:
            await rig.start()
            await rig.publish(items)
            plain = await plain_loop(rig, session)
            faust, cpu = await _first_update_to_last_frame(rig)
        finally:
            rig.stop()
    n = session.samples()
    results.add("race worker: samples a second", n / faust, "samples/s")
    results.add("race worker: plain loop, samples a second", n / plain, "samples/s")
    results.add("race worker: of the plain loop's speed", plain / faust, "")
    results.add("race worker: CPU", cpu, "s")


async def _first_update_to_last_frame(rig: Rig) -> tuple[float, float]:
    """Seconds from the first update to the last frame that a worker publishes, and its CPU seconds meanwhile."""
    began: tuple[float, float] | None = None
    consumer = rig.reader(topics.UPDATES, topics.FRAMES)
    await consumer.start()
    starting = asyncio.create_task(rig.worker())
    try:
        while True:
            for messages in (await consumer.getmany(timeout_ms=50)).values():
                process = psutil.Process(rig.workers[0][0].pid)
                now = time.perf_counter(), sum(process.cpu_times()[:2])
                for message in messages:
                    began = began or now
                    if b'"ended":true' in message.value:
                        return now[0] - began[0], now[1] - began[1]
    finally:
        await starting
        await consumer.stop()


def batches_of(messages: Iterable[Any], next_offsets: dict[Partition, int]) -> list[PartitionBatch]:
    """Kafka messages as batches, decoded."""
    batches: dict[Partition, PartitionBatch] = {}
    as_fausts = [
        SimpleNamespace(
            topic=message.topic, partition=message.partition, offset=message.offset, key=message.key,
            value=message.value, headers=message.headers, timestamp=message.timestamp / 1000,  # seconds
        )
        for message in messages
    ]  # fmt: skip
    for record in tables.decode_records(as_fausts, [0] * len(as_fausts)):
        if isinstance(record, BadRecord):
            raise record
        of = Partition(record.origin.topic, record.origin.partition)
        batches.setdefault(of, PartitionBatch(of, 0, next_offsets.get(of, 0), [])).records.append(record)
        next_offsets[of] = record.origin.offset + 1
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
        if len(waiting) >= FLUSH_RECORDS or taken == records:
            batches = batches_of(waiting, next_offsets)
            await asyncio.to_thread(loader.load, batches)
            waiting = []
    await consumer.stop()
    return time.perf_counter() - began


async def archive_worker(results: Results, session: Session) -> None:
    """The archive worker beside a plain loop with the same loader, as at full speed; the worker's start excluded."""
    items = bytes_of(pack(session, 1, packet_ms_for(None)))
    seconds: dict[str, float] = {}
    for kind in ("plain loop", "archive worker"):
        with tempfile.TemporaryDirectory() as folder:
            rig = ArchiveRig(Path(folder), 24)
            del rig._environment["F1STREAM_ARCHIVE_FLUSH_ROWS"]  # as many as by default; the last ones sooner
            try:
                await rig.start()
                if kind == "plain loop":
                    await rig.publish(items)
                    seconds[kind] = await plain_archive(rig, len(items))
                    continue
                process = rig.archive()
                await rig.ready(process)
                process.send_signal(signal.SIGSTOP)
                await rig.publish(items)
                before = sum(psutil.Process(process.pid).cpu_times()[:2])
                process.send_signal(signal.SIGCONT)
                began = time.perf_counter()
                await rig.until_loaded()
                seconds[kind] = time.perf_counter() - began
                cpu = sum(psutil.Process(process.pid).cpu_times()[:2]) - before
                async with aiohttp.ClientSession() as http:
                    answer = await http.get(f"http://127.0.0.1:{rig.archives[0][1]}/metrics")
                    found = await answer.text()
            finally:
                rig.stop()
    n = session.samples()
    results.add("archive worker: rows a second", n / seconds["archive worker"], "rows/s")
    results.add("archive worker: plain loop, rows a second", n / seconds["plain loop"], "rows/s")
    results.add("archive worker: CPU", cpu, "s")
    for name, spent in re.findall(r'^f1stream_archive_phase_seconds\{phase="(\w+)"\} ([\d.]+)', found, re.MULTILINE):
        results.add(f"archive worker: {name}", float(spent), "s")
