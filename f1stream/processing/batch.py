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
    """Events that are processed together, and the dead letters of the unusable ones."""

    consumer: str
    """Name of the worker, for dead letters and metrics."""
    events: Sequence[KafkaEvent]
    is_current: Callable[[], bool] = lambda: True
    """Whether the partitions are still assigned to this worker."""
    is_reread: Callable[[KafkaRecord], bool] = lambda _: False
    """Whether a gap before the record is in the log (see ``AssignedReads``)."""
    dead_letters: list[Output] = field(default_factory=list)

    def reject(self, event: KafkaEvent, error: BadRecord) -> None:
        """Add a dead letter for an unusable record."""
        self.dead_letters.append(reject(self.consumer, event.message, str(error)))

    @property
    def published_s(self) -> float | None:
        """When the newest record was published, Unix seconds; None for an empty batch.

        At most an hour in the future, in case a source's clock is wrong.
        """
        newest = max((event.message.timestamp for event in self.events), default=None)
        return newest if newest is None else min(max(newest, 0.0), time.time() + topics.MAX_AHEAD_MS / 1000)


class Stage(Protocol):
    """Turns events into outputs and keeps its state in tables."""

    acks: AckTracker

    def reset(self) -> None:
        """Drop all state in memory after a rebalance: it is read again from the tables and partitions."""

    def process(self, batch: Batch) -> list[Output]:
        """Receive the events, reject unusable ones, and return the outputs.

        Raises SequenceGap if a record is missing that may be in the log. Every other error is limited to one record
        or one run.
        """

    @property
    def is_due(self) -> bool:
        """Whether there is work without new events: then ``process`` an empty batch."""

    def delivered(self, batch: Batch) -> None:
        """Called when the broker has stored the outputs of ``batch``."""

    async def write_tables(self) -> None:
        """Write changed state, wait until it is stored, and mark the events it covers as done."""


async def process_batch(stage: Stage, batch: Batch, outputs: Outputs, acknowledge: Acknowledge) -> None:
    """Process one batch so that a crash between any two steps loses nothing.

    1. Compute: the stage receives every event and returns its outputs. Nothing has left the process yet.
    2. Deliver the dead letters and the outputs, and wait until the broker has stored them. A crash after this step
       publishes them again on redelivery; they are numbered, and readers drop duplicates.
    3. Stop if the partitions were revoked meanwhile. Their new owner starts from the tables and repeats the batch;
       anything this worker wrote or acknowledged now would be ahead of what the new owner has read.
    4. Write the tables and wait until they are stored. If they were written before step 2, a crash in between would
       lose the outputs: on redelivery the events would look like duplicates.
    5. Acknowledge, for each partition, the contiguous prefix of the events that the tables cover. If they were
       acknowledged before step 4, a crash in between would lose the events.
    """
    records = stage.process(batch)
    await deliver(outputs, [*batch.dead_letters, *records])
    stage.delivered(batch)
    if not batch.is_current():
        return
    await stage.write_tables()
    await stage.acks.acknowledge(acknowledge)
