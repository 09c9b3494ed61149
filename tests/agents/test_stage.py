"""A stage on a stream: batches, rebalances, and due work without a record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from agents import app as worker
from agents import stage as runner
from agents.stage import StageRunner
from f1stream import topics
from f1stream.processing.acks import AckTracker
from f1stream.processing.batch import Batch
from f1stream.processing.outputs import Output
from tests.support.harness import MemoryRecord


@dataclass
class Recorder:
    """A stage that records its calls."""

    acks: AckTracker = field(default_factory=AckTracker)
    happened: list[Any] = field(default_factory=list)
    is_due: bool = False
    at_work: asyncio.Event = field(default_factory=asyncio.Event)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)

    def process(self, batch: Batch) -> list[Output]:
        self.happened.append([event.message.offset for event in batch.events])
        return []

    def delivered(self, batch: Batch) -> None: ...

    async def write_tables(self) -> None:
        self.at_work.set()
        await self.may_end.wait()

    def reset(self) -> None:
        self.happened.append("reset")


class Stream:
    """A stream of the events in a queue."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Any] = asyncio.Queue()

    async def ack(self, event: Any) -> None: ...


async def take(app: Any, stream: Stream, most: int) -> list[Any]:
    return [await stream.queue.get()]


def event(offset: int, generation: int) -> Any:
    record = MemoryRecord(topics.LAPS, 0, offset, b"s:4", b"", [])
    message = SimpleNamespace(**{name: getattr(record, name) for name in record.__slots__}, generation_id=generation)
    return SimpleNamespace(message=message)


@pytest.fixture
async def running(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    monkeypatch.setattr(runner, "DUE_EVERY_S", 0.001)
    monkeypatch.setattr(runner, "input_positions", lambda _: {})
    monkeypatch.setattr(worker, "take", take)
    app = SimpleNamespace(consumer_generation_id=1, should_stop=False)
    stage, stream = Recorder(), Stream()
    its = StageRunner(app, "race", "test", stage, SimpleNamespace())  # type: ignore[arg-type]

    async def agent() -> None:
        async for batch in its.batches(stream):
            await its.process(batch)

    tasks = [asyncio.create_task(agent()), asyncio.create_task(its.process_due())]
    yield SimpleNamespace(app=app, stage=stage, stream=stream)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def test_due_work_is_processed_without_a_record(running: Any) -> None:
    running.stage.may_end.set()
    running.stage.is_due = True
    await running.stream.queue.put(event(0, 1))
    await until(lambda: [] in running.stage.happened)
    assert running.stage.happened[:2] == ["reset", [0]]


async def test_a_rebalance_in_the_middle_of_a_batch_resets_the_stage_after_it(running: Any) -> None:
    await running.stream.queue.put(event(0, 1))
    await running.stage.at_work.wait()
    running.app.consumer_generation_id = 2
    await running.stream.queue.put(event(0, 2))
    running.stage.may_end.set()
    await until(lambda: len(running.stage.happened) == 4)
    assert running.stage.happened == ["reset", [0], "reset", [0]]


async def test_nothing_is_due_of_partitions_that_were_revoked(running: Any) -> None:
    running.stage.may_end.set()
    await running.stream.queue.put(event(0, 1))
    await until(lambda: [0] in running.stage.happened)
    running.app.consumer_generation_id = 2
    running.stage.is_due = True
    await running.stream.queue.put(event(1, 2))
    await until(lambda: [] in running.stage.happened)
    assert running.stage.happened[:4] == ["reset", [0], "reset", [1]]
