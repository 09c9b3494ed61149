"""The order in which a batch is processed."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import pytest

from f1stream import topics
from f1stream.processing.acks import AckTracker
from f1stream.processing.batch import Batch, process_batch
from f1stream.processing.outputs import Output
from f1stream.topics import BadRecord
from tests.support.harness import MemoryEvent, MemoryRecord, run

EVENT = MemoryEvent(MemoryRecord(topics.LAPS, 0, 7, b"s:4", b"a lap", []))


@dataclass
class Recorder:
    """A stage, a producer and a consumer that record the order of calls."""

    revoked_at: str = ""
    acks: AckTracker = field(default_factory=AckTracker)
    happened: list[str] = field(default_factory=list)

    def note(self, what: str) -> None:
        self.happened.append(what)

    def is_current(self) -> bool:
        return self.revoked_at not in self.happened

    def process(self, batch: Batch) -> list[Output]:
        self.note("process")
        batch.reject(EVENT, BadRecord("of no use"))
        self.acks.take(EVENT).done = True
        return [Output(topics.FRAMES, b"s", b"a frame")]

    def delivered(self, batch: Batch) -> None:
        self.note("delivered")

    async def write_tables(self) -> None:
        self.note("write tables")

    async def send(self, output: Output) -> Any:
        self.note(f"send to {output.topic}")
        return Waits(self, output)

    async def acknowledge(self, event: Any) -> None:
        self.note(f"acknowledge {event.message.offset}")


@dataclass
class Waits:
    """The delivery of a record."""

    recorder: Recorder
    output: Output

    def __await__(self) -> Generator[None, None, None]:
        self.recorder.note(f"{self.output.topic} has it")
        return
        yield


def processed(revoked_at: str = "") -> list[str]:
    recorder = Recorder(revoked_at)
    run(process_batch(recorder, Batch("race", [EVENT], recorder.is_current), recorder, recorder.acknowledge))
    return recorder.happened


DELIVERY = [
    "process", "send to dead-letters", "send to frames", "dead-letters has it", "frames has it", "delivered",
]  # fmt: skip


def test_outputs_are_delivered_before_tables_are_written_and_tables_before_anything_is_acknowledged() -> None:
    assert processed() == [*DELIVERY, "write tables", "acknowledge 7"]


@pytest.mark.parametrize("revoked_at", ["process", "frames has it"])
def test_when_the_partitions_are_revoked_nothing_is_written_and_nothing_acknowledged(revoked_at: str) -> None:
    """The new owner may have read the tables already; a commit would be ahead of what it has read."""
    assert processed(revoked_at) == DELIVERY
