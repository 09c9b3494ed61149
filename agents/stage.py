"""Runs a stage (``f1stream.processing.batch.Stage``) on a Faust stream."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
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
"""Seconds between two checks whether the stage has work without new records."""


async def next_record(partition: tuple[str, int], offset: int) -> int | None:
    """The offset of the first record at or after ``offset``; None if the broker does not answer."""
    try:
        return await kafka.next_record(settings(), *partition, offset)
    except (KafkaError, OSError) as error:
        log.warning("Cannot read %s[%d] from offset %d: %s.", *partition, offset, error)
        return None


class StageRunner:
    """Runs a stage on the batches of a stream, and on empty batches when it has work without new records.

    The lock keeps the two apart: a stage processes one batch at a time.
    """

    def __init__(self, app: PatchedApp, consumer: str, name: str, stage: Stage, outputs: Outputs) -> None:
        """``consumer``: the worker's name in dead letters. ``name``: the stage's label in metrics."""
        self._app, self._consumer, self._name = app, consumer, name
        self._stage, self._outputs = stage, outputs
        self._reads = AssignedReads(lambda: input_positions(app), next_record)
        self._lock = asyncio.Lock()
        self._newest = Batch(consumer, [], is_current=lambda: False)
        self._acknowledge: Any = None
        self._reassigned = False

    def batches(self, stream: Any) -> AsyncIterator[Batch]:
        """The stream in batches, each to be passed to ``process``."""
        self._acknowledge = stream.ack
        return batches(self._app, self._consumer, stream, self._partitions_changed)

    async def process(self, batch: Batch) -> None:
        """Process a batch: see ``process_batch``."""
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
        """Process empty batches whenever the stage has work without new records, until the app stops."""
        while not self._app.should_stop:
            await asyncio.sleep(DUE_EVERY_S)
            async with self._lock:
                if not self._reassigned and self._newest.is_current() and self._stage.is_due:
                    await self._process(Batch(self._consumer, [], is_current=self._newest.is_current))

    def _partitions_changed(self) -> None:
        self._reassigned = True  # not here: the stage may be in the middle of a batch

    async def _process(self, batch: Batch) -> None:
        await process_batch(self._stage, batch, self._outputs, self._acknowledge)
        PENDING_EVENTS.labels(self._name).set(len(self._stage.acks))
