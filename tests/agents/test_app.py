"""Every worker's app: it watches rebalances, takes batches and publishes outputs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError
from faust.transport.drivers.aiokafka import server_list

from agents import app as worker
from agents import exiting
from agents.app import BATCH, FaustOutputs, batches, create_app
from agents.faust_patches.app import PatchedApp
from f1stream import topics
from f1stream.processing.outputs import Output, RecordRefused
from f1stream.settings import Settings


class EndedError(Exception):
    """The process would exit."""


def test_health_and_brokers_may_have_addresses_of_ipv6(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path, web_host="::1", broker="[::1]:9092")
    conf = create_app("x", settings, 6066, PatchedApp).conf
    assert (conf.web_bind, str(conf.canonical_url)) == ("::1", "http://[::1]:6066")
    assert server_list(conf.broker, 9092) == ["[::1]:9092"]


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Watches an app for 300 s of an injected clock; ``every_second`` changes the app."""

    async def run(app: Any, every_second: Callable[[int], None] = lambda _: None) -> None:
        now = 0

        async def sleep(_: float) -> None:
            nonlocal now
            now += 1
            app.should_stop = now == 300
            every_second(now)

        def end_process(reason: str) -> None:
            raise EndedError(reason)

        monkeypatch.setattr(worker, "asyncio", SimpleNamespace(sleep=sleep))
        monkeypatch.setattr(worker, "time", SimpleNamespace(monotonic=lambda: now))
        monkeypatch.setattr(worker, "exit_process", end_process)
        await worker.watch_rebalancing(app)

    return run


def app(rebalancing: bool) -> Any:
    recovery = SimpleNamespace(active_offsets={})
    return SimpleNamespace(
        should_stop=False, rebalancing=rebalancing, rebalancing_count=1, tables=SimpleNamespace(recovery=recovery)
    )


async def test_a_worker_without_a_rebalance_continues(watch: Callable[..., Any]) -> None:
    await watch(app(rebalancing=False))


async def test_rebalance_without_progress_exits_the_worker(watch: Callable[..., Any]) -> None:
    """Also during table recovery: Faust silently gives up after the broker was unavailable for long."""
    with pytest.raises(EndedError, match="has made no progress for 60 s"):
        await watch(app(rebalancing=True))


async def test_a_long_recovery_continues(watch: Callable[..., Any]) -> None:
    recovering = app(rebalancing=True)
    await watch(recovering, lambda now: recovering.tables.recovery.active_offsets.update(changelog=now // 30))


async def test_consecutive_rebalances_are_not_one(watch: Callable[..., Any]) -> None:
    busy = app(rebalancing=True)
    await watch(busy, lambda now: vars(busy).update(rebalancing_count=now // 50))


def event(offset: int, generation: int) -> Any:
    return SimpleNamespace(message=SimpleNamespace(offset=offset, generation_id=generation))


class Stream:
    """A stream of the events in a queue."""

    def __init__(self, *events: Any) -> None:
        self.enable_acks = True
        self.queue: asyncio.Queue[Any] = asyncio.Queue()
        self.put(*events)

    def put(self, *events: Any) -> None:
        for each in events:
            self.queue.put_nowait(each)

    async def events(self) -> AsyncIterator[Any]:
        while True:
            yield await self.queue.get()


async def test_a_batch_has_what_was_received_during_the_one_before_and_waits_for_no_more() -> None:
    app: Any = SimpleNamespace(consumer_generation_id=1)
    stream = Stream(event(0, 1))
    taken = batches(app, "race", stream)
    assert [each.message.offset for each in (await anext(taken)).events] == [0]
    stream.put(*(event(offset, 1) for offset in range(1, BATCH + 2)))
    await asyncio.sleep(0)
    assert [each.message.offset for each in (await anext(taken)).events] == [*range(1, BATCH + 1)]
    assert [each.message.offset for each in (await anext(taken)).events] == [BATCH + 1]
    assert not stream.enable_acks, "Faust acknowledges none of them"
    await taken.aclose()


async def test_events_of_an_earlier_assignment_are_left_out() -> None:
    """A rebalance clears Faust's queues, not the events that were taken from them."""
    app: Any = SimpleNamespace(consumer_generation_id=1)
    stream = Stream(event(7, 1))
    taken = batches(app, "race", stream)
    first = [each.message for each in (await anext(taken)).events]
    app.consumer_generation_id = 2
    stream.put(event(8, 1), event(7, 2))
    second = [each.message for each in (await anext(taken)).events]
    found = [[(message.offset, message.generation_id) for message in batch] for batch in (first, second)]
    assert found == [[(7, 1)], [(7, 2)]]
    await taken.aclose()


async def test_a_stage_is_reset_once_per_assignment_and_before_its_first_batch() -> None:
    app: Any = SimpleNamespace(consumer_generation_id=1)
    done: list[Any] = []
    stream = Stream()
    taken = batches(app, "race", stream, lambda: done.append("reset"))
    for offset, generation in ((1, 1), (2, 1), (1, 2), (2, 2)):
        app.consumer_generation_id = generation
        stream.put(event(offset, generation))
        done.append((await anext(taken)).events[0].message.offset)
    assert done == ["reset", 1, 2, "reset", 1, 2]
    await taken.aclose()


async def test_a_batch_knows_whether_its_assignment_is_current() -> None:
    app: Any = SimpleNamespace(consumer_generation_id=1)
    taken = batches(app, "race", Stream(event(1, 1)))
    batch = await anext(taken)
    assert batch.is_current()
    app.consumer_generation_id = 2
    assert not batch.is_current()
    await taken.aclose()


async def test_the_batches_end_with_the_stream() -> None:
    """Faust ends a stream to stop its agent."""

    class Finite(Stream):
        async def events(self) -> AsyncIterator[Any]:
            while not self.queue.empty():
                yield self.queue.get_nowait()

    app: Any = SimpleNamespace(consumer_generation_id=1)
    async with asyncio.timeout(5):
        taken = [batch async for batch in batches(app, "race", Finite(event(1, 1), event(2, 1)))]
    assert [each.message.offset for batch in taken for each in batch.events] == [1, 2]


async def test_a_stream_that_fails_exits_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    reasons: list[str] = []
    monkeypatch.setattr(exiting, "exit_process", reasons.append)

    class Failing(Stream):
        async def events(self) -> AsyncIterator[Any]:
            yield event(1, 1)
            raise OSError("the queue is broken")

    taken = batches(SimpleNamespace(consumer_generation_id=1), "race", Failing())  # type: ignore[arg-type]
    assert len((await anext(taken)).events) == 1
    await asyncio.sleep(0)
    assert reasons == ["_receive failed: OSError: the queue is broken."]
    await taken.aclose()


@pytest.mark.parametrize("step", ["send", "delivery"])
async def test_a_record_that_is_too_large_is_refused_as_such(
    step: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Other errors of the broker exit the process; this one would occur again after a restart."""
    outputs = FaustOutputs(
        create_app("test", Settings(_env_file=None, home=tmp_path), 6066, PatchedApp), topics.FRAMES
    )

    async def send(**_: Any) -> Any:
        if step == "send":
            raise MessageSizeTooLargeError("2 MB")
        delivery: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        delivery.set_exception(RecordListTooLargeError("2 MB"))
        return delivery

    monkeypatch.setattr(outputs._topics[topics.FRAMES], "send", send)
    with pytest.raises(RecordRefused, match="2 MB"):
        await (await outputs.send(Output(topics.FRAMES, b"9839", b"frame")))


async def test_outputs_are_sent_as_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    app = create_app("test", Settings(_env_file=None, home=tmp_path), 6066, PatchedApp)
    outputs = FaustOutputs(app, topics.FRAMES)
    sent: list[dict[str, Any]] = []

    async def send(**record: Any) -> Any:
        sent.append(record)
        delivery: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        delivery.set_result("delivered")
        return delivery

    monkeypatch.setattr(outputs._topics[topics.FRAMES], "send", send)
    output = Output(topics.FRAMES, b"9839", b"frame", [("seq", b"1")], 3, 1.5)
    await (await outputs.send(output))
    await (
        await outputs.send(Output(topics.FRAMES, b"9839", b"frame", partition=24))
    )  # of 24, and as many by default
    partitions = [each.pop("partition") for each in sent]
    assert partitions == [3, 0]
    assert sent[0] == {"key": b"9839", "value": b"frame", "headers": [("seq", b"1")], "timestamp": 1.5}


async def test_a_workers_app_has_the_settings_that_lose_nothing(tmp_path: Path) -> None:
    """Each was found by a failure: see ``create_app`` and docs/faust.md."""
    conf = create_app("test", Settings(_env_file=None, home=tmp_path), 6066, PatchedApp).conf
    assert conf.consumer_auto_offset_reset == "earliest"
    assert not conf.stream_wait_empty
    assert not (conf.web_tables_enabled or conf.web_router_enabled)
    assert conf.Table is worker.DurableTable
