"""After an assignment a consumer delivers from the committed offset on, whatever the client fetched before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from agents.faust_patches import consumer as patched
from agents.faust_patches.app import PatchedApp
from agents.faust_patches.consumer import FULL_S, Consumer
from agents.faust_patches.consumer_thread import ConsumerThread

PARTITION, OTHER = TP("telemetry", 0), TP("telemetry", 1)
COMMITTED = 10


@dataclass
class Client:
    """A client of one endless partition, with its own position."""

    position: int = COMMITTED
    known: int | None = COMMITTED

    def assignment(self) -> set[TP]:
        return {PARTITION}

    async def committed(self, _: TP) -> int | None:
        return self.known

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
    """The parts of an app that a consumer uses."""

    in_recovery: bool = False
    earlier: dict[TP, int] = field(default_factory=dict)
    tables: Any = field(default_factory=lambda: SimpleNamespace(recovery=SimpleNamespace(_generation_id=0)))

    async def earlier_positions(self, _: Mapping[TP, int | None]) -> dict[TP, int]:
        return self.earlier


@dataclass
class Bench:
    """Our consumer and its thread with that client; the rest of Faust is replaced."""

    client: Client
    app: App
    thread: Any
    consumer: Any
    fetched: list[int] = field(default_factory=list)

    async def assign(self) -> None:
        """The partition is assigned, perhaps again; the client goes to the committed offset by itself."""
        recovery = self.app.tables.recovery
        recovery._generation_id += 1
        self.client.position = COMMITTED
        await self.thread.on_partitions_assigned({PARTITION}, recovery._generation_id)

    async def fetch(self) -> None:
        """Fetch records from the client."""
        self.fetched = await self.thread._fetch_records(self.client)

    async def deliver(self) -> list[int]:
        """The offsets that are delivered to the streams."""
        return [message.offset async for _, message in self.consumer.getmany(1.0)]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    app, client = App(), Client()
    thread, consumer = ConsumerThread.__new__(ConsumerThread), Consumer.__new__(Consumer)
    made = Bench(client, app, thread, consumer)

    async def nothing(*_: Any) -> None:
        pass

    async def fetch_records(*_: Any) -> list[int]:
        return client.take()

    async def seek_wait(_: Any, client: Client, positions: Mapping[TP, int]) -> None:
        for tp, offset in positions.items():
            client.seek(tp, offset)

    async def call_thread(_: Any, method: Any, *args: Any) -> Any:
        return await method(*args)

    async def getmany(*_: Any) -> AsyncIterator[tuple[TP, Any]]:
        for offset in made.fetched:
            yield PARTITION, SimpleNamespace(offset=offset)

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "on_partitions_assigned", nothing)
    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "on_partitions_revoked", nothing)
    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_seek_wait", seek_wait)
    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_fetch_records", fetch_records)
    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "call_thread", call_thread)
    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_ensure_consumer", lambda _: client)
    monkeypatch.setattr(driver.Consumer, "getmany", getmany)
    monkeypatch.setattr(driver.Consumer, "_is_changelog_tp", lambda *_: False)
    vars(thread).update(app=app, consumer=consumer, position_versions={}, fetched_versions={}, _next_version=count())
    thread._fetch_wait = SimpleNamespace(update=lambda *_: None)
    vars(consumer).update(app=app, _thread=thread, _read_offset={PARTITION: None}, _committed_offset={})
    consumer._buffered_partitions = set()
    return made


async def test_records_wait_for_their_position_to_be_set(bench: Bench) -> None:
    """Faust drops some records fetched before; the records after them must not be delivered either."""
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


@pytest.mark.parametrize("again", ["revoked", "assigned"])
async def test_a_position_found_for_an_earlier_assignment_is_not_set(bench: Bench, again: str) -> None:
    await bench.assign()
    if again == "revoked":
        await bench.thread.on_partitions_revoked({PARTITION})
    else:
        await bench.thread.on_partitions_assigned({PARTITION}, 2)  # the main thread does not know of it yet
    with pytest.raises(IllegalStateError):
        await bench.consumer.perform_seek()
    await bench.fetch()
    assert await bench.deliver() == []
    assert bench.consumer._read_offset == {PARTITION: None}


async def test_a_partition_without_a_commit_is_read_from_its_beginning(bench: Bench) -> None:
    bench.client.known = None
    await bench.assign()
    await bench.consumer.perform_seek()
    await bench.fetch()
    assert await bench.deliver() == [0, 1, 2]


async def test_a_tables_partition_is_delivered_once_its_position_is_set(bench: Bench) -> None:
    await bench.assign()
    await bench.thread._seek_wait(bench.client, {PARTITION: 7})
    await bench.fetch()
    assert await bench.deliver() == [7, 8, 9]


async def test_reading_begins_at_an_earlier_position_of_the_app(bench: Bench) -> None:
    bench.app.earlier = {PARTITION: 4}
    await bench.assign()
    await bench.consumer.perform_seek()
    await bench.fetch()
    assert await bench.deliver() == [4, 5, 6]


async def test_nothing_is_committed_while_partitions_are_being_assigned(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver.Consumer, "_filter_committable_offsets", lambda _, tps: dict.fromkeys(tps, 12))
    await bench.assign()
    assert bench.consumer._filter_committable_offsets([PARTITION]) == {}
    await bench.consumer.perform_seek()
    assert bench.consumer._filter_committable_offsets([PARTITION]) == {PARTITION: 12}
    await bench.thread.on_partitions_revoked({PARTITION})
    assert bench.consumer._filter_committable_offsets([PARTITION]) == {}


async def test_nothing_is_read_while_the_flow_is_stopped(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust would set positions then, even of partitions whose tables are not recovered yet."""

    async def wait_next_records(*_: Any) -> Any:
        return [1], {PARTITION}

    monkeypatch.setattr(driver.Consumer, "_wait_next_records", wait_next_records)
    bench.consumer.flow_active = True
    assert await bench.consumer._wait_next_records(1.0) == ([1], {PARTITION})
    bench.consumer.flow_active = False
    assert await bench.consumer._wait_next_records(1.0) == (None, {PARTITION})


@pytest.mark.parametrize(("full", "timeouts"), [(set(), [1.0]), ({OTHER}, [FULL_S]), ({OTHER, PARTITION}, [])])
async def test_partitions_whose_queues_were_full_are_read_on_soon(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, full: set[TP], timeouts: list[float]
) -> None:
    asked: list[float] = []
    slept: list[float] = []

    async def wait_next_records(_: Any, timeout: float) -> Any:
        asked.append(timeout)
        return [1], {PARTITION}

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(driver.Consumer, "_wait_next_records", wait_next_records)
    bench.consumer._active_partitions = {PARTITION, OTHER}
    bench.consumer.flow_active = True
    bench.consumer.sleep = sleep
    for partition in full:
        bench.consumer.on_buffer_full(partition)
    records, _ = await bench.consumer._wait_next_records(1.0)
    assert records == ([1] if timeouts else None)
    assert (asked, slept) == (timeouts, [] if timeouts else [FULL_S])


async def test_worker_exits_when_a_topic_was_recreated(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    reasons: list[str] = []
    monkeypatch.setattr(patched, "exit_process", reasons.append)
    await bench.assign()
    await bench.consumer.perform_seek()
    bench.client.position = 4
    await bench.fetch()
    await bench.deliver()
    assert reasons[0] == ("telemetry[0] was read to 10 and continues at 4: the topic was deleted and created again.")


async def test_only_input_partitions_are_set_to_committed_offsets(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver.Consumer, "_is_changelog_tp", lambda *_: True)
    assert await bench.thread.committed_offsets() == {}


def test_faust_does_not_check_for_stuck_partitions(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check fails while a position is being set, because the client has none then."""

    def fails(*_: Any) -> None:
        raise AssertionError("the thread was asked")

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "verify_event_path", fails)
    bench.consumer.verify_event_path(0.0, PARTITION)


async def test_thread_begins_without_positions(app: PatchedApp) -> None:
    consumer: Any = app.transport.create_consumer(
        callback=lambda _: None, on_partitions_revoked=None, on_partitions_assigned=None
    )
    thread = consumer._thread
    assert type(thread) is ConsumerThread
    assert (thread.position_versions, thread.fetched_versions, thread._generation) == ({}, {}, None)
