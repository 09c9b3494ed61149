"""The delay at 1x from a sample's instant to its frame at a websocket client."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path
from statistics import quantiles

import aiohttp

from f1stream.sources.packing import pack
from f1stream.sources.session import Session
from tests.bench.results import Results
from tests.support.kafka_cluster import Cluster
from tests.support.ports import free_port
from tests.support.rig import Rig, bytes_of, wait_healthy

PACKETS_MS = (250, 100)
LIVE_S = 60
BEGINS_MS = 30_000
"""Session time after the start of the session from which it is live."""
SETTLES_MS = 5_000


async def latency(results: Results, session: Session) -> None:
    """On the embedded broker and on Apache Kafka, with packets of 250 and of 100 ms."""
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder) / "kafka")
        try:
            await cluster.start()
            for broker, environment in (("embedded broker", None), ("Apache Kafka", cluster.environment())):
                for packet_ms in PACKETS_MS:
                    name = f"delay: {broker}, packets of {packet_ms} ms"
                    cuts = quantiles(await _delays(session, packet_ms, environment), n=100)
                    results.add(f"{name}, median", cuts[49], "ms")
                    results.add(f"{name}, p99", cuts[98], "ms")
                    await cluster.reset()
        finally:
            cluster.stop()


async def _delays(session: Session, packet_ms: int, broker: dict[str, str] | None) -> list[float]:
    """In ms, one for each frame."""
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder), broker=broker)
        port = free_port()
        began_ms = session.start_ms + BEGINS_MS
        delays: list[float] = []
        try:
            await rig.start()
            await rig.worker()
            await wait_healthy(port, rig.web(port))
            records = bytes_of(pack(session, 1, packet_ms, began_ms, began_ms + LIVE_S * 1000))
            began = time.monotonic()
            # The first packets are published at began: the session's instant t is at began + t - their until_ms.
            first_ms = records[0][0].headers.emitted_ms
            publishing = asyncio.create_task(rig.publish(records, speed=1.0))
            async with aiohttp.ClientSession() as http, http.ws_connect(f"http://127.0.0.1:{port}/ws") as socket:
                async for message in socket:
                    frame = json.loads(message.data)
                    if frame["kind"] == "delta" and frame["t"] > began_ms + SETTLES_MS:
                        delays.append((time.monotonic() - began) * 1000 - (frame["t"] - first_ms))
                    if frame.get("race", {}).get("ended"):
                        break
            await publishing
        finally:
            rig.stop()
    return delays
