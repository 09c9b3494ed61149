"""``Consumer.wait_first`` has the contract of mode's, with and without a task."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from mode import Service
from mode.services import WaitResult, WaitResults

from agents.faust_patches.app import PatchedApp
from agents.faust_patches.consumer import Consumer

WaitFirst = Callable[..., Awaitable[WaitResults]]


@pytest.fixture
async def consumer(app: PatchedApp) -> Any:
    return app.transport.create_consumer(
        callback=lambda _: None, on_partitions_revoked=None, on_partitions_assigned=None
    )


@pytest.fixture(params=[Service.wait_first, Consumer.wait_first], ids=["mode", "ours"])
async def wait_first(request: pytest.FixtureRequest, consumer: Any) -> WaitFirst:
    """Mode's own and ours; mode's behaviour is the contract."""

    async def wait(*waitables: Any, **options: Any) -> WaitResults:
        results: WaitResults = await request.param(consumer, *waitables, **options)
        return results

    return wait


async def at_once(value: int) -> int:
    return value


async def later(value: int) -> int:
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return value


async def fails(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("work", [at_once, later])
async def test_result_names_the_coroutine_and_its_value(wait_first: WaitFirst, consumer: Any, work: Any) -> None:
    coroutine = work(7)
    results = await wait_first(coroutine, consumer.suspend_flow.wait())
    assert results == WaitResults([coroutine], [7], False)


@pytest.mark.parametrize("work", [at_once, later])
async def test_wait_for_one_coroutine(consumer: Any, work: Any) -> None:
    """Every ``wait`` of a service goes through ``wait_first``."""
    assert await consumer.wait(work(7)) == WaitResult(7, False)


async def test_event_that_is_set_first_wins(wait_first: WaitFirst, consumer: Any) -> None:
    suspended = consumer.suspend_flow.wait()
    asyncio.get_running_loop().call_soon(consumer.suspend_flow.set)
    assert await wait_first(asyncio.Event().wait(), suspended) == WaitResults([suspended], [True], False)


async def test_both_are_done_while_the_flow_is_suspended(wait_first: WaitFirst, consumer: Any) -> None:
    consumer.suspend_flow.set()
    coroutine, suspended = at_once(7), consumer.suspend_flow.wait()
    assert await wait_first(coroutine, suspended) == WaitResults([coroutine, suspended], [7, True], False)


@pytest.mark.parametrize("flag", ["_stopped", "_crashed"])
async def test_stopped_service_has_no_results(wait_first: WaitFirst, consumer: Any, flag: str) -> None:
    getattr(consumer, flag).set()
    assert await wait_first(at_once(7), consumer.suspend_flow.wait()) == WaitResults([], [], True)


async def test_error_of_the_coroutine_is_raised(wait_first: WaitFirst, consumer: Any) -> None:
    with pytest.raises(KeyError, match="cause"):
        await wait_first(fails(KeyError("cause")), consumer.suspend_flow.wait())


async def test_events_and_futures_are_waited_for(wait_first: WaitFirst) -> None:
    event, future = asyncio.Event(), asyncio.get_running_loop().create_future()
    event.set()
    assert await wait_first(event, future) == WaitResults([event], [True], False)
    assert future.cancelled(), "what has not won is cancelled"
    future = asyncio.get_running_loop().create_future()
    assert (await wait_first(at_once(7), asyncio.Event(), future)).results == [7]
    assert future.cancelled()


async def test_timeout_cancels_the_coroutine(wait_first: WaitFirst, consumer: Any) -> None:
    cancelled: list[bool] = []

    async def hangs() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    assert await wait_first(hangs(), consumer.suspend_flow.wait(), timeout=0.001) == WaitResults([], [], True)
    await asyncio.sleep(0)
    assert cancelled == [True]


async def test_coroutine_that_survives_its_cancellation_returns(consumer: Any) -> None:
    """The awaited future is cancelled; the coroutine continues and returns."""
    future = asyncio.get_running_loop().create_future()

    async def stubborn() -> int:
        try:
            await future
        except asyncio.CancelledError:
            return 8
        return 0

    asyncio.get_running_loop().call_soon(future.cancel)
    assert (await consumer.wait_first(stubborn(), consumer.suspend_flow.wait())).results == [8]


async def test_queue_with_room_needs_no_task(consumer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """This is why it is patched: Faust waits like this for every message."""

    async def starts_tasks(*_: Any, **__: Any) -> None:
        raise AssertionError("a task was started")

    monkeypatch.setattr(Service, "wait_first", starts_tasks)
    queue: asyncio.Queue[int] = asyncio.Queue(1)
    await consumer.wait_first(queue.put(1), consumer.suspend_flow.wait())
    assert queue.full()
