"""The race worker: per driver, packets and laps are joined; per session, they become the race and its frames.

    telemetry, laps ──▶ per_driver ──▶ updates ──▶ per_session ──▶ frames
                                      messages ──▶

The stages are in ``f1stream.race.stages``; the order of a batch's steps is in ``process_batch``.
"""

from __future__ import annotations

from typing import Any

from agents.app import FaustOutputs, batches, create_app, raw_table, raw_topic
from agents.exiting import exit_on_error
from agents.faust_patches.app import PatchedApp
from agents.health import Vitals, serve_health
from f1stream import topics
from f1stream.metrics import HELD
from f1stream.processing.acks import AckTracker
from f1stream.processing.batch import process_batch
from f1stream.race.stages.driver_stage import DriverStage
from f1stream.race.stages.session_stage import SessionStage
from f1stream.settings import settings
from f1stream.vitals import Progress

CONSUMER = "race"

app = create_app("f1stream-race", settings(), settings().race_port, PatchedApp)
driver_input = raw_topic(app, topics.TELEMETRY, topics.LAPS)
session_input = raw_topic(app, topics.UPDATES, topics.MESSAGES)
outputs = FaustOutputs(app, topics.UPDATES, topics.FRAMES, topics.DEAD_LETTERS)
cars = raw_table(app, "cars", "session:driver -> how far its packets and laps have been joined and sent")
races = raw_table(app, "races", "session -> the race as of a frame, with all that the rules read")
standing = raw_table(app, "standing", "session -> its header: info, entries and tracks")
vitals = Vitals(app, Progress("received"))
serve_health(app, vitals)


@app.agent(driver_input)
@exit_on_error
async def per_driver(stream: Any) -> None:
    """Join each driver's packets and laps and send them to its session."""
    stage = DriverStage(cars, AckTracker(vitals.received))
    async for batch in batches(app, CONSUMER, stream, stage.reset):
        await process_batch(stage, batch, outputs, stream.ack)
        HELD.labels("driver").set(len(stage.acks))


@app.agent(session_input)
@exit_on_error
async def per_session(stream: Any) -> None:
    """Join each session's cars and messages, and publish its frames."""
    stage = SessionStage(races, standing, AckTracker(vitals.received))
    async for batch in batches(app, CONSUMER, stream, stage.reset):
        await process_batch(stage, batch, outputs, stream.ack)
        HELD.labels("session").set(len(stage.acks))
