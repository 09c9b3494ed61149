"""Events are taken from a stream's channel in batches, and tracked for Faust's commits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from mode.utils.queues import ThrowableQueue

from agents.faust_patches.flow_control import PatchedFlowControl
from agents.faust_patches.stream import take


def event(offset: int, generation: int = 1, *, tracked: bool = False) -> Any:
    return SimpleNamespace(message=SimpleNamespace(offset=offset, generation_id=generation, tracked=tracked))


class Worker:
    """A stream, its app, and the offsets that are tracked."""

    def __init__(self, *events: Any) -> None:
        self.tracked: list[int] = []
        self.flow_control = PatchedFlowControl()
        self.flow_control.resume()
        self.consumer_generation_id = 1
        self.consumer = SimpleNamespace(track_message=lambda message: self.tracked.append(message.offset))
        self.channel = SimpleNamespace(queue=ThrowableQueue(flow_control=self.flow_control))
        self.starts = 0
        for each in events:
            self.channel.queue.put_nowait(each)

    async def maybe_start(self) -> None:
        self.starts += 1

    async def taken(self, most: int = 500) -> list[int] | None:
        events = await take(self, self, most)
        return None if events is None else [each.message.offset for each in events]


async def test_what_is_there_is_taken_up_to_a_number_and_tracked_once() -> None:
    worker = Worker(event(0), event(1, tracked=True), event(2), event(3))
    assert await worker.taken(3) == [0, 1, 2]
    assert worker.starts == 1, "Faust starts the stream when it is first read"
    assert await worker.taken() == [3]
    assert worker.tracked == [0, 2, 3]


async def test_events_of_an_earlier_assignment_are_neither_taken_nor_tracked() -> None:
    worker = Worker(event(8, 1), event(7, 2))
    worker.consumer_generation_id = 2
    assert await worker.taken() == [7]
    assert worker.tracked == [7]


async def test_nothing_is_taken_while_partitions_are_being_revoked() -> None:
    worker = Worker(event(0))
    worker.flow_control.suspend()
    assert await worker.taken() == []
    assert worker.tracked == []


@pytest.mark.parametrize("events", [[], [event(0)]])
async def test_the_stream_ends_when_faust_stops_its_agent(events: list[Any]) -> None:
    worker = Worker(*events)
    worker.channel.queue._throw(StopAsyncIteration())
    assert await worker.taken() is None


async def test_an_error_of_the_channel_is_raised() -> None:
    worker = Worker()
    worker.channel.queue._throw(OSError("broken"))
    with pytest.raises(OSError, match="broken"):
        await worker.taken()
