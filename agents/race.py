"""The race worker: joins packets and laps per driver, then cars and messages per session, and publishes frames.

    telemetry, laps ──▶ per_driver ──▶ updates ──▶ per_session ──▶ frames
                                      messages ──▶

The stages are in ``f1stream.race.stages``; the order of a batch's steps is in ``process_batch``.
"""

from __future__ import annotations

from typing import Any

from agents.app import FaustOutputs, create_app, raw_table, raw_topic
from agents.exiting import exit_on_error
from agents.faust_patches.app import PatchedApp
from agents.faust_patches.positions import partition_counts
from agents.health import WorkerHealth, serve_health
from agents.stage import StageRunner
from f1stream import topics
from f1stream.process_health import StallDetector
from f1stream.processing.acks import AckTracker
from f1stream.race.stages.driver_stage import DriverStage
from f1stream.race.stages.session_stage import SessionStage
from f1stream.settings import settings
from f1stream.topic_settings import wrong_partitions

CONSUMER = "race"

app = create_app("f1stream-race", settings(), settings().race_port, PatchedApp)
driver_input = raw_topic(app, topics.TELEMETRY, topics.LAPS)
session_input = raw_topic(app, topics.UPDATES, topics.MESSAGES)
outputs = FaustOutputs(app, topics.UPDATES, topics.FRAMES, topics.DEAD_LETTERS)
cars = raw_table(app, "cars", "session:driver -> how far its packets and laps are joined and published")
races = raw_table(app, "races", "session -> the state of the race as of a frame")
session_headers = raw_table(app, "standing", "session -> its header: info, entries and tracks")
health = WorkerHealth(
    app, StallDetector("received"),
    wrong_topics=lambda: wrong_partitions(partition_counts(app, topics.ALL), settings()),
)  # fmt: skip
serve_health(app, health)


drivers = StageRunner(app, CONSUMER, "driver", DriverStage(cars, AckTracker(health.received)), outputs)
sessions = StageRunner(
    app, CONSUMER, "session", SessionStage(races, session_headers, AckTracker(health.received)), outputs
)


@app.agent(driver_input)
@exit_on_error
async def per_driver(stream: Any) -> None:
    """Join each driver's packets and laps, and publish them as updates of its session."""
    async for batch in drivers.batches(stream):
        await drivers.process(batch)


@app.agent(session_input)
@exit_on_error
async def per_session(stream: Any) -> None:
    """Join each session's cars and messages, and publish its frames."""
    async for batch in sessions.batches(stream):
        await sessions.process(batch)


@app.task
@exit_on_error
async def drivers_due() -> None:
    """Checkpoint the pending records of silent runs."""
    await drivers.process_due()


@app.task
@exit_on_error
async def sessions_due() -> None:
    """Make the frames that one batch could not make, and checkpoint the pending input of silent runs."""
    await sessions.process_due()
