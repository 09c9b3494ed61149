"""Runs a stage (``f1stream.processing.batch.Stage``) on a Faust stream."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiokafka.errors import KafkaError

from agents.app import batches
from agents.faust_patches.app import PatchedApp
from agents.faust_patches.positions import input_positions
from f1stream import kafka
from f1stream.metrics import PENDING_EVENTS
from f1stream.processing.batch import Batch, Stage, process_batch
from f1stream.processing.outputs import Outputs
from f1stream.processing.reads import AssignedReads
from f1stream.settings import settings

log = logging.getLogger("f1stream")

DUE_EVERY_S = 0.05
"""How often a stage is asked whether it has something to do without a record."""


async def next_record(partition: tuple[str, int], offset: int) -> int | None:
    """The offset of the first record that a log has at or after ``offset``; None when the broker does not say."""
    try:
        return await kafka.next_record(settings(), *partition, offset)
    except (KafkaError, OSError) as error:
        log.warning("%s[%d] cannot be read from %d on: %s.", *partition, offset, error)
        return None


class StageRunner:
    """Gives a stage the batches of its stream, and empty ones when it has something to do without a record."""

    def __init__(self, app: PatchedApp, consumer: str, name: str, stage: Stage, outputs: Outputs) -> None:
        """``consumer``: who refuses records, in dead letters. ``name``: the stage's label in metrics."""
        self._app, self._consumer, self._name = app, consumer, name
        self._stage, self._outputs = stage, outputs
        self._reads = AssignedReads(lambda: input_positions(app), next_record)
        self._lock = asyncio.Lock()
        self._newest = Batch(consumer, [], is_current=lambda: False)
        self._acknowledge: Any = None
        self._reassigned = False

    async def consume(self, stream: Any) -> None:
        """Process every batch of the stream."""
        self._acknowledge = stream.ack
        async for batch in batches(self._app, self._consumer, stream, self._partitions_changed):
            async with self._lock:
                if self._reassigned:
                    self._reassigned = False
                    self._stage.reset()
                    self._reads.reset()
                for event in batch.events:
                    await self._reads.add(event.message)
                batch.is_reread = self._reads.is_reread
                self._newest = batch
                await self._process(batch)

    async def process_due(self) -> None:
        """Process what is due without a record, until the app stops."""
        while not self._app.should_stop:
            await asyncio.sleep(DUE_EVERY_S)
            async with self._lock:
                if not self._reassigned and self._newest.is_current() and self._stage.is_due:
                    await self._process(Batch(self._consumer, [], is_current=self._newest.is_current))

    def _partitions_changed(self) -> None:
        self._reassigned = True  # the stage may be in the middle of a batch

    async def _process(self, batch: Batch) -> None:
        await process_batch(self._stage, batch, self._outputs, self._acknowledge)
        PENDING_EVENTS.labels(self._name).set(len(self._stage.acks))
