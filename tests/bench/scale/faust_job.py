"""The job on the project's own Faust: a packet in, an update out, or (SCALE_BATCHED) a batch at a time, as we do it.

Run by ``agents.run.run_worker("tests.bench.scale.faust_job")``.
"""

from __future__ import annotations

import os
from typing import Any

from agents.app import batches, create_app, raw_table, raw_topic
from agents.exiting import exit_on_error
from agents.faust_patches.app import PatchedApp
from f1stream import topics
from f1stream.processing.acks import AckTracker
from f1stream.settings import settings
from models import CarUpdate
from tests.bench.scale.job import GROUP, OUTPUT, Car, encoded

BATCHED = bool(os.environ.get("SCALE_BATCHED"))

app = create_app(GROUP, settings(), settings().race_port, PatchedApp)
output = raw_topic(app, OUTPUT)
table = raw_table(app, "cars", "session:driver -> its car")


@app.agent(raw_topic(app, topics.TELEMETRY))
@exit_on_error
async def cars(stream: Any) -> None:
    """Outputs, then state, then acknowledgement, as in ``agents.race``."""
    acks = AckTracker()
    known: dict[bytes, Car] = {}

    def forget() -> None:
        acks.reset()
        known.clear()

    async for batch in batches(app, "scale", stream, forget):
        touched: dict[bytes, Car] = {}
        sends = []
        for event in batch.events:
            acks.take(event).done = True
            message = event.message
            car = known.get(message.key)
            if car is None:
                car = known[message.key] = Car.restore(message.key, table.read(message.key))
            touched[message.key] = car
            car.take(message.headers, message.value)
            if not BATCHED and (update := car.hand_on()) is not None:
                value = encoded(update)
                sends.append(await output.send(key=message.key, value=value, headers=message.headers))
        if BATCHED:
            sends = await send_sessions(touched)
        for send in sends:
            await send
        if not batch.is_current():
            continue
        for key, car in touched.items():
            epoch, packet = car.progress
            table.write(key, epoch, 1 + packet, car.dump())
        await table.flush()
        await acks.acknowledge(stream.ack)


async def send_sessions(touched: dict[bytes, Car]) -> list[Any]:
    """All that a batch made of a session, in one record."""
    sessions: dict[str, list[CarUpdate]] = {}
    for key, car in touched.items():
        if (update := car.hand_on()) is not None:
            sessions.setdefault(topics.session_of(key)[0], []).append(update)
    return [await output.send(key=key.encode(), value=encoded(*updates)) for key, updates in sessions.items()]
