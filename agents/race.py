"""The race worker: per driver, packets and laps are joined; per session, they become the race and its frames.

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
cars = raw_table(app, "cars", "session:driver -> how far its packets and laps have been joined and sent")
races = raw_table(app, "races", "session -> the race as of a frame, with all that the rules read")
standing = raw_table(app, "standing", "session -> its header: info, entries and tracks")
health = WorkerHealth(
    app, StallDetector("received"),
    wrong_topics=lambda: wrong_partitions(partition_counts(app, topics.ALL), settings()),
)  # fmt: skip
serve_health(app, health)


drivers = StageRunner(app, CONSUMER, "driver", DriverStage(cars, AckTracker(health.received)), outputs)
sessions = StageRunner(app, CONSUMER, "session", SessionStage(races, standing, AckTracker(health.received)), outputs)


@app.agent(driver_input)
@exit_on_error
async def per_driver(stream: Any) -> None:
    """Join each driver's packets and laps and send them to its session."""
    await drivers.consume(stream)


@app.agent(session_input)
@exit_on_error
async def per_session(stream: Any) -> None:
    """Join each session's cars and messages, and publish its frames."""
    await sessions.consume(stream)


@app.task
@exit_on_error
async def drivers_due() -> None:
    """Store what a run that has gone silent has pending."""
    await drivers.process_due()


@app.task
@exit_on_error
async def sessions_due() -> None:
    """Make the frames that one batch could not, and store what a run that has gone silent has pending."""
    await sessions.process_due()
