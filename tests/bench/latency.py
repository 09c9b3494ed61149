"""The delay at 1x from a sample's instant to its frame at a websocket client."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median, quantiles

import aiohttp

from agents.faust_patches.embedded import BUSY_MS
from f1stream import topics
from f1stream.sources.packing import pack
from f1stream.sources.session import Session
from f1stream.topics import RecordHeaders
from models.frame import FRAME_MS
from tests.bench.results import Results
from tests.bench.workers import PARTITIONS
from tests.support.kafka_cluster import Cluster
from tests.support.ports import free_port
from tests.support.rig import Rig, bytes_of, wait_healthy

PACKETS_MS = (250, 100)
LIVE_S = 60
BEGINS_MS = 30_000
"""Session time after the start of the session from which it is live."""
SETTLES_MS = 5_000
LONGEST_MS = 1_000
"""ms. No packet is longer: frames further back were complete before."""


PARTS = ("packet published", "update read", "frame read", "frame at the client")
"""Instants of a frame on its way; each part of the delay ends at one. Reading a record includes its fetch."""

Instants = dict[int, float]
"""Unix ms by a frame's session time."""


async def latency(results: Results, session: Session) -> None:
    """On the embedded broker and on Apache Kafka, with packets of 250 and of 100 ms; then the parts of the delay.

    The parts are measured in a run of their own, because reading all topics for them costs time too.
    """
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder) / "kafka")
        try:
            await cluster.start()
            for broker, environment in (("embedded broker", None), ("Apache Kafka", cluster.environment())):
                for packet_ms in PACKETS_MS:
                    name = f"delay: {broker}, packets of {packet_ms} ms"
                    delays, _ = await _delays(session, packet_ms, environment)
                    cuts = quantiles(delays, n=100)
                    results.add(f"{name}, median", cuts[49], "ms")
                    results.add(f"{name}, p99", cuts[98], "ms")
                    await cluster.reset()
                _, parts = await _delays(session, PACKETS_MS[0], environment, watched=True)
                for part, spent in parts.items():
                    results.add(f"delay: {broker}, until {part}", spent, "ms")
                await cluster.reset()
        finally:
            cluster.stop()


async def _delays(
    session: Session, packet_ms: int, broker: dict[str, str] | None, *, watched: bool = False
) -> tuple[list[float], dict[str, float]]:
    """The delay of each frame (ms); and if ``watched``, the median of each of its parts."""
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder), PARTITIONS if broker is None else 24, broker=broker)
        port = free_port()
        began_ms = session.start_ms + BEGINS_MS
        at_client: Instants = {}
        seen: tuple[Instants, Instants, Instants] = ({}, {}, {})
        try:
            await rig.start()
            await rig.worker()
            await wait_healthy(port, rig.web(port))
            watching = asyncio.create_task(_watch(rig, len(session.telemetry), *seen)) if watched else None
            records = bytes_of(pack(session, 1, packet_ms, began_ms, began_ms + LIVE_S * 1000))
            # The first packets are published at once: the session's instant t is t - their until_ms later.
            zero_ms = time.time() * 1000 - records[0][0].headers.emitted_ms
            publishing = asyncio.create_task(rig.publish(records, speed=1.0))
            async with aiohttp.ClientSession() as http, http.ws_connect(f"http://127.0.0.1:{port}/ws") as socket:
                async for message in socket:
                    frame = json.loads(message.data)
                    if frame["kind"] == "delta" and frame["t"] > began_ms + SETTLES_MS:
                        at_client[frame["t"]] = time.time() * 1000
                    if frame.get("race", {}).get("ended"):
                        break
            await publishing
            if watching is not None:
                watching.cancel()
                with suppress(asyncio.CancelledError):
                    await watching
        finally:
            rig.stop()
    delays = [at - zero_ms - t for t, at in at_client.items()]
    parts: dict[str, float] = {}
    before: Instants = {t: zero_ms + t for t in at_client}
    for name, instants in zip(PARTS, (*seen, at_client), strict=True):
        if known := instants.keys() & before.keys():
            parts[name] = median(instants[t] - before[t] for t in known)
            before = instants
    return delays, parts


async def _watch(rig: Rig, cars: int, published: Instants, updates: Instants, frames: Instants) -> None:
    """Note when each frame's last packet was published, when its last update could be read, and the frame itself."""
    packets: dict[str, tuple[int, float]] = {}
    joined: dict[str, tuple[int, float]] = {}
    consumer = rig.reader(topics.TELEMETRY, topics.UPDATES, topics.FRAMES, wait_ms=BUSY_MS)
    await consumer.start()
    try:
        async for message in consumer:
            now = time.time() * 1000
            if message.topic == topics.TELEMETRY:
                headers = RecordHeaders.decode(message.headers, message.timestamp / 1000)
                packets[message.key] = headers.emitted_ms, message.timestamp
                _complete(packets, cars, published)
            elif message.topic == topics.UPDATES:
                for update in topics.decode_updates(message.value).entries:
                    joined[update.driver_number] = update.until_ms, now
                _complete(joined, cars, updates)
            elif dict(message.headers)["kind"] == b"frames":
                for line in message.value.splitlines():
                    frames.setdefault(json.loads(line)["t"], now)
    finally:
        await consumer.stop()


def _complete(known: dict[str, tuple[int, float]], cars: int, instants: Instants) -> None:
    """Add the frames that are complete now: every car is known up to them."""
    if len(known) == cars:
        until, at = min(until for until, _ in known.values()), max(at for _, at in known.values())
        t = until // FRAME_MS * FRAME_MS
        while t not in instants and t > until - LONGEST_MS:
            instants[t] = at
            t -= FRAME_MS
