"""A batch of events, and the order in which a stage processes it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from f1stream import topics
from f1stream.processing.acks import Acknowledge, AckTracker
from f1stream.processing.dead_letters import reject
from f1stream.processing.outputs import Output, Outputs, deliver
from f1stream.processing.records import KafkaEvent, KafkaRecord
from f1stream.topics import BadRecord


@dataclass(slots=True)
class Batch:
    """Events that were delivered together, and the dead letters of those that cannot be used."""

    consumer: str
    """Who refuses records, in dead letters."""
    events: Sequence[KafkaEvent]
    is_current: Callable[[], bool] = lambda: True
    """Whether the partitions they were read from are still ours."""
    is_reread: Callable[[KafkaRecord], bool] = lambda _: False
    """Whether a gap before the record is in the log (see ``AssignedReads``)."""
    dead_letters: list[Output] = field(default_factory=list)

    def reject(self, event: KafkaEvent, error: BadRecord) -> None:
        """A record that cannot be used becomes a dead letter."""
        self.dead_letters.append(reject(self.consumer, event.message, str(error)))

    @property
    def published_s(self) -> float | None:
        """When the newest record was published, Unix seconds; None for an empty batch.

        A timestamp that a source's wrong clock made is at most an hour ahead.
        """
        newest = max((event.message.timestamp for event in self.events), default=None)
        return newest if newest is None else min(max(newest, 0.0), time.time() + topics.MAX_AHEAD_MS / 1000)


class Stage(Protocol):
    """Turns events into outputs and keeps its state in tables."""

    acks: AckTracker

    def reset(self) -> None:
        """After a rebalance: drop everything that is in memory; it is read again from the tables and partitions."""

    def process(self, batch: Batch) -> list[Output]:
        """Receive the events, reject what cannot be used, and return the outputs.

        Raises SequenceGap for a gap that may be a fault of our reading; whatever else is wrong with a record or a run
        costs that record or run alone.
        """

    @property
    def is_due(self) -> bool:
        """Whether there is something to do without another event: ``process`` an empty batch."""

    def delivered(self, batch: Batch) -> None:
        """The broker has the outputs of ``batch``."""

    async def write_tables(self) -> None:
        """Write what has changed, wait until it is stored, and mark the events that it covers as done."""


async def process_batch(stage: Stage, batch: Batch, outputs: Outputs, acknowledge: Acknowledge) -> None:
    """Process one batch so that a crash between any two steps loses nothing.

    1. Compute: the stage receives every event and returns its outputs. Nothing has left the process yet.
    2. Deliver the dead letters and the outputs, and wait until the broker has all of them. A crash after this step
       repeats them when the events are delivered again; they are numbered, and readers drop repetitions.
    3. Stop if the partitions were revoked meanwhile. Their new owner starts from the tables and repeats the batch;
       what this worker wrote or acknowledged from here on would be ahead of what the new owner has read.
    4. Write the tables and wait until they are stored. Written before the outputs are delivered, a crash in between
       would lose the outputs: on redelivery the events would be taken for repetitions.
    5. Acknowledge, for each partition, the contiguous prefix of the events that the tables cover. Acknowledged before
       the tables are stored, a crash in between would lose the events.
    """
    records = stage.process(batch)
    await deliver(outputs, [*batch.dead_letters, *records])
    stage.delivered(batch)
    if not batch.is_current():
        return
    await stage.write_tables()
    await stage.acks.acknowledge(acknowledge)
