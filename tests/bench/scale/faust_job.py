"""The job on the project's own Faust: a packet in, an update out, or (SCALE_BATCHED) a batch at a time, as we do it.

Run by ``agents.run.run_worker("tests.bench.scale.faust_job")``.
"""

from __future__ import annotations

import math
import os
import time
from typing import Any

from agents.app import FaustOutputs, create_app, raw_table, raw_topic
from agents.exiting import exit_on_error
from agents.faust_patches.app import PatchedApp
from agents.stage import StageRunner
from f1stream import topics
from f1stream.processing.acks import AckTracker, PendingAck
from f1stream.processing.batch import Batch
from f1stream.processing.outputs import Output
from f1stream.processing.tables import KeyValueStore
from f1stream.settings import settings
from models import CarUpdate
from tests.bench.scale.job import COMMIT_S, GROUP, OUTPUT, Car, encoded

BATCHED = bool(os.environ.get("SCALE_BATCHED"))


class CarStage:
    """The cars of this worker's partitions (see ``Stage``), stored every ``COMMIT_S``, as Quix Streams does."""

    def __init__(self, table: KeyValueStore) -> None:
        self.acks = AckTracker()
        self._table = table
        self._cars: dict[bytes, Car] = {}
        self._unstored: dict[bytes, Car] = {}
        self._done: list[PendingAck] = []
        self._stored_at = -math.inf

    def reset(self) -> None:
        self.acks.reset()
        self._cars.clear()
        self._unstored.clear()
        self._done.clear()

    @property
    def is_due(self) -> bool:
        return bool(self._unstored) and time.monotonic() - self._stored_at >= COMMIT_S

    def process(self, batch: Batch) -> list[Output]:
        outputs = []
        touched: dict[bytes, Car] = {}
        for event in batch.events:
            self._done.append(self.acks.take(event))
            message = event.message
            key, headers = message.key or b"", message.headers or ()
            car = self._cars.get(key)
            if car is None:
                car = self._cars[key] = Car.restore(key, self._table.read(key))
            touched[key] = car
            car.take(headers, message.value)
            if not BATCHED and (update := car.hand_on()) is not None:
                outputs.append(Output(OUTPUT, key, encoded(update), headers))
        self._unstored |= touched
        return _by_session(touched) if BATCHED else outputs

    def delivered(self, batch: Batch) -> None:
        pass

    async def write_tables(self) -> None:
        if not self.is_due:
            return
        self._stored_at = time.monotonic()
        for key, car in self._unstored.items():
            run_id, packet = car.progress
            self._table.write(key, run_id, 1 + packet, car.dump())
        await self._table.flush()
        for pending in self._done:
            pending.done = True
        self._unstored.clear()
        self._done.clear()


def _by_session(cars: dict[bytes, Car]) -> list[Output]:
    """All that a batch made of a session, in one record."""
    sessions: dict[str, list[CarUpdate]] = {}
    for key, car in cars.items():
        if (update := car.hand_on()) is not None:
            sessions.setdefault(topics.session_of(key)[0], []).append(update)
    return [Output(OUTPUT, key.encode(), encoded(*updates)) for key, updates in sessions.items()]


app = create_app(GROUP, settings(), settings().race_port, PatchedApp)
runner = StageRunner(app, "scale", "car", CarStage(raw_table(app, "cars", "session:driver -> its car")),
                     FaustOutputs(app, OUTPUT))  # fmt: skip


@app.agent(raw_topic(app, topics.TELEMETRY))
@exit_on_error
async def cars(stream: Any) -> None:
    """Outputs, then state, then acknowledgement, as in ``agents.race``."""
    async for batch in runner.batches(stream):
        await runner.process(batch)


@app.task
@exit_on_error
async def cars_due() -> None:
    """Store the cars when no more packets come."""
    await runner.process_due()
