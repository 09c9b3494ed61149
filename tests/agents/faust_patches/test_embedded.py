"""Workarounds for the embedded broker."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from agents.faust_patches import embedded
from agents.faust_patches.app import PatchedApp
from agents.faust_patches.consumer_thread import ConsumerThread
from agents.faust_patches.embedded import EmbeddedConsumerThread
from f1stream.fetch_wait import QUIET_AFTER_S, QUIET_MS, FetchWait

PARTITION = TP("cars-changelog", 0)


@pytest.fixture
def thread() -> Any:
    return EmbeddedConsumerThread.__new__(EmbeddedConsumerThread)


@pytest.mark.parametrize(
    ("kind", "wait_ms", "least_bytes"), [(ConsumerThread, 20, 1), (EmbeddedConsumerThread, 10, 65536)]
)
def test_fetches_return_soon(
    kind: type[ConsumerThread], wait_ms: int, least_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread: Any = kind.__new__(kind)
    client = SimpleNamespace(_fetch_max_wait_ms=1500, _fetch_min_bytes=1)
    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_create_worker_consumer", lambda *_: client)
    assert thread._create_worker_consumer(None) is client
    assert (client._fetch_max_wait_ms, client._fetch_min_bytes) == (wait_ms, least_bytes)


async def test_what_was_fetched_sets_how_long_the_next_fetch_may_take(
    thread: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fetch(_: Any, client: Any, records: dict[TP, Any]) -> dict[TP, Any]:
        return records

    now = 0.0
    thread.position_versions = {}
    thread._fetch_wait = FetchWait(embedded.BUSY_MS, lambda: now)
    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_fetch_records", fetch)
    client = SimpleNamespace(_fetcher=SimpleNamespace(_fetch_max_wait_ms=embedded.BUSY_MS))
    now = QUIET_AFTER_S
    assert await thread._fetch_records(client, {}) == {}
    assert client._fetcher._fetch_max_wait_ms == QUIET_MS
    assert await thread._fetch_records(client, {PARTITION: [1]}) == {PARTITION: [1]}
    assert client._fetcher._fetch_max_wait_ms == embedded.BUSY_MS


async def test_tables_are_recovered_to_the_real_end(thread: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker reports 1 for a log that ends with one batch of five records."""

    async def end_offsets(_: Any, partitions: list[TP]) -> dict[TP, int]:
        return dict.fromkeys(partitions, 5)

    async def highwaters(_: Any, partitions: list[TP]) -> dict[TP, int]:
        return dict.fromkeys(partitions, 1)

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_highwaters", highwaters)
    monkeypatch.setattr(embedded, "end_offsets", end_offsets)
    assert await thread._highwaters([PARTITION]) == {PARTITION: 5}


async def test_consumer_reads_by_this_thread() -> None:
    app = PatchedApp("test", broker=f"{embedded.SCHEME}://127.0.0.1:1", store="memory://")
    consumer: Any = app.transport.create_consumer(
        callback=lambda _: None, on_partitions_revoked=None, on_partitions_assigned=None
    )
    assert type(consumer._thread) is EmbeddedConsumerThread
