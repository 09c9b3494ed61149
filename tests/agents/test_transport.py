"""What a consumer delivers around an assignment: from the committed offset on, whatever the client read before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from agents.transport import Consumer, Thread

PARTITION = TP("telemetry", 0)
COMMITTED = 10


@dataclass
class Client:
    """The client of one partition without end, at a position of its own."""

    position: int = COMMITTED

    def assignment(self) -> set[TP]:
        return {PARTITION}

    async def committed(self, _: TP) -> int:
        return COMMITTED

    async def beginning_offsets(self, tps: list[TP]) -> dict[TP, int]:
        return dict.fromkeys(tps, 0)

    def seek(self, _: TP, offset: int) -> None:
        self.position = offset

    def take(self, records: int = 3) -> list[int]:
        """The next records, by offset."""
        self.position += records
        return list(range(self.position - records, self.position))


@dataclass
class App:
    """What a consumer asks of its app."""

    consumer_generation_id: int = 0
    rebalancing: bool = False
    earlier: dict[TP, int] = field(default_factory=dict)

    async def earlier_positions(self, _: Mapping[TP, int | None]) -> dict[TP, int]:
        return self.earlier


@dataclass
class Bench:
    """Our consumer and its thread on that client; the rest of Faust is not there."""

    client: Client
    app: App
    thread: Any
    consumer: Any
    fetched: list[int] = field(default_factory=list)

    async def assign(self) -> None:
        """The partition is assigned, perhaps once more; the client goes to what is committed by itself."""
        self.app.consumer_generation_id += 1
        self.client.position = COMMITTED
        await self.thread.on_partitions_assigned({PARTITION}, self.app.consumer_generation_id)

    async def fetch(self) -> None:
        """Take records from the client."""
        self.fetched = await self.thread._fetch_records()

    async def deliver(self) -> list[int]:
        """What of them reaches the streams."""
        return [message.offset async for _, message in self.consumer.getmany(1.0)]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    app, client = App(), Client()
    thread, consumer = Thread.__new__(Thread), Consumer.__new__(Consumer)
    made = Bench(client, app, thread, consumer)

    async def on_partitions_assigned(*_: Any) -> None:
        pass

    async def fetch_records(*_: Any) -> list[int]:
        return client.take()

    async def call_thread(_: Any, method: Any, *args: Any) -> Any:
        return await method(*args)

    async def getmany(*_: Any) -> AsyncIterator[tuple[TP, Any]]:
        for offset in made.fetched:
            yield PARTITION, SimpleNamespace(offset=offset)

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "on_partitions_assigned", on_partitions_assigned)
    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_fetch_records", fetch_records)
    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "call_thread", call_thread)
    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_ensure_consumer", lambda _: client)
    monkeypatch.setattr(driver.Consumer, "getmany", getmany)
    monkeypatch.setattr(driver.Consumer, "_is_changelog_tp", lambda *_: False)
    vars(thread).update(app=app, consumer=consumer, places={}, places_at_fetch={}, _settings=count())
    vars(consumer).update(app=app, _thread=thread, _read_offset={PARTITION: None}, _committed_offset={})
    return made


async def test_records_wait_for_their_position_to_be_set(bench: Bench) -> None:
    """Faust drops some of what it fetches before: what follows on them must not be delivered either."""
    await bench.assign()
    await bench.fetch()  # dropped
    await bench.fetch()
    assert await bench.deliver() == []
    await bench.consumer.perform_seek()
    await bench.fetch()
    assert await bench.deliver() == [COMMITTED, COMMITTED + 1, COMMITTED + 2]


async def test_records_fetched_before_a_position_was_set_are_not_delivered_after_it(bench: Bench) -> None:
    await bench.assign()
    await bench.consumer.perform_seek()
    await bench.fetch()
    await bench.assign()
    assert await bench.deliver() == []
    await bench.consumer.perform_seek()
    assert await bench.deliver() == []
    await bench.fetch()
    assert await bench.deliver() == [COMMITTED, COMMITTED + 1, COMMITTED + 2]


async def test_a_position_found_for_an_earlier_assignment_is_not_set(bench: Bench) -> None:
    await bench.assign()
    await bench.thread.move({PARTITION: 4}, bench.app.consumer_generation_id - 1)
    await bench.fetch()
    assert await bench.deliver() == []
    assert bench.client.position == COMMITTED + 3


async def test_reading_begins_where_the_app_knows_better(bench: Bench) -> None:
    bench.app.earlier = {PARTITION: 4}
    await bench.assign()
    await bench.consumer.perform_seek()
    await bench.fetch()
    assert await bench.deliver() == [4, 5, 6]


async def test_nothing_is_committed_while_partitions_are_assigned_anew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver.Consumer, "_filter_committable_offsets", lambda *_: {PARTITION: 12})
    bench.app.rebalancing = True
    assert bench.consumer._filter_committable_offsets([PARTITION]) == {}
    bench.app.rebalancing = False
    assert bench.consumer._filter_committable_offsets([PARTITION]) == {PARTITION: 12}
