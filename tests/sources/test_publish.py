"""Sending records: limits of size and of the run id."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agents.app import create_app
from agents.faust_patches.app import PatchedApp
from f1stream import topics
from f1stream.kafka import producer_for
from f1stream.settings import Settings
from f1stream.sources.packing import RecordBuilder
from f1stream.sources.publish import Outbox, RunCounts
from f1stream.sources.session import SourceError
from models import Packet, RaceControl, Track

KAFKAS_DEFAULT_BYTES = 1_048_588


class Producer:
    """A producer that accepts everything; ``stamps`` is 1 for the broker's timestamps, 0 for the source's."""

    def __init__(self, now_ms: int = 0, stamps: int = 1) -> None:
        self.sent: list[bytes] = []
        self.answer = SimpleNamespace(timestamp=now_ms, timestamp_type=stamps)

    async def send(self, _: str, value: bytes, **__: Any) -> asyncio.Future[Any]:
        self.sent.append(value)
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        done.set_result(self.answer)
        return done


def said(size: int) -> RaceControl:
    """A race control message whose record has ``size`` bytes."""
    empty = RaceControl(session_time_ms=1, category="Other", message="")
    return empty.model_copy(update={"message": "x" * (size - len(topics.encode(empty)))})


async def test_a_record_that_is_too_large_ends_the_run_and_is_named() -> None:
    producer, counts = Producer(), RunCounts("9693", 1)
    outbox, builder = Outbox(producer, counts), RecordBuilder("9693", 1, 0, "test")  # type: ignore[arg-type]
    await outbox.put(builder.fact(1, said(topics.MAX_VALUE_BYTES)))
    with pytest.raises(
        SourceError, match=r"A record of 9693 in messages \(race_control, at session time 1 ms\) has 1,0"
    ):
        await outbox.put(builder.fact(1, said(topics.MAX_VALUE_BYTES + 1)))
    outline = [(float(n), 0.123456789) for n in range(70_000)]
    with pytest.raises(SourceError, match=r"messages \(track, at session time 2 ms\).*Look at it in the source"):
        await outbox.put(builder.fact(2, Track.model_construct(session_time_ms=2, outline=outline)))
    n = 30_000
    columns = dict.fromkeys(("x", "y", "z", "speed", "rpm", "throttle"), [1.5] * n)
    packet = Packet.model_construct(
        driver_number="4", until_ms=n, session_time_ms=list(range(n)), brake=[False] * n, gear=[1] * n, **columns
    )
    with pytest.raises(SourceError, match=r"9693:4 in telemetry \(packet,.*shorter packets \(--packet-ms\)"):
        await outbox.put(builder.packet(packet))
    assert (len(producer.sent), counts.records) == (1, 1)


async def test_a_run_id_ahead_of_the_broker_ends_the_run() -> None:
    now_ms = 1_764_500_000_000
    ahead = now_ms + topics.MAX_AHEAD_MS

    async def publish_at(epoch: int, stamps: int) -> None:
        outbox = Outbox(Producer(now_ms, stamps), RunCounts("9693", epoch))  # type: ignore[arg-type]
        await outbox.put(RecordBuilder("9693", epoch, 0, "test").fact(1, said(100)))
        await outbox.empty()

    await publish_at(ahead, 1)
    with pytest.raises(SourceError, match=r"Run 1764503600001 of session 9693 lies 1.0 h after the broker's time"):
        await publish_at(ahead + 1, 1)
    await publish_at(ahead + 1, 0)  # a timestamp from the source's own clock proves nothing


async def test_no_producer_sends_a_record_that_kafkas_default_refuses(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path)
    producer = producer_for(settings)
    app = create_app("test", settings, 6066, PatchedApp)
    assert producer._max_request_size == app.conf.producer_max_request_size == topics.MAX_RECORD_BYTES
    assert topics.MAX_VALUE_BYTES < topics.MAX_RECORD_BYTES < KAFKAS_DEFAULT_BYTES
    await producer.stop()
