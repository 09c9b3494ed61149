"""Every worker's app: it watches rebalances, takes batches and publishes outputs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError
from faust.transport.drivers.aiokafka import server_list

from agents import app as worker
from agents.app import FaustOutputs, batches, create_app
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


class Deliveries:
    """Batches of events as ``take`` returns them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *deliveries: list[Any]) -> None:
        self.left = list(deliveries)
        monkeypatch.setattr(worker, "take", self.take)

    async def take(self, app: Any, stream: Any, most: int) -> list[Any] | None:
        if not self.left:
            return None
        events = self.left.pop(0)
        app.consumer_generation_id = events[0].message.generation_id
        return events


async def test_a_stage_is_reset_once_per_assignment_and_before_its_first_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Deliveries(monkeypatch, [event(1, 1)], [event(2, 1)], [event(1, 2)], [event(2, 2)])
    app: Any = SimpleNamespace(consumer_generation_id=0)
    done: list[Any] = []
    async for batch in batches(app, "race", None, lambda: done.append("reset")):
        done.append(batch.events[0].message.offset)
    assert done == ["reset", 1, 2, "reset", 1, 2]


async def test_a_batch_knows_whether_its_assignment_is_current(monkeypatch: pytest.MonkeyPatch) -> None:
    Deliveries(monkeypatch, [event(1, 1)])
    app: Any = SimpleNamespace(consumer_generation_id=1)
    taken = [batch async for batch in batches(app, "race", None)]
    assert taken[0].is_current()
    app.consumer_generation_id = 2
    assert not taken[0].is_current()


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
