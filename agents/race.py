"""The race worker: per driver, packets and laps are joined; per session, they become the race and its frames.

    telemetry, laps ──▶ per_driver ──▶ updates ──▶ per_session ──▶ frames
                                      messages ──▶

For each batch: compute, send the outputs and wait for their delivery, write the tables, acknowledge. A worker
that dies in between makes the same outputs again, and readers drop repeats by their numbers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, TypeVar

from agents.health import Vitals, serve_health
from agents.metrics import FRAMES, GAP_ERROR, HELD, LATENESS, MEASURED, SAMPLES, SESSION_TIME, UPDATES
from agents.worker import (
    Batch,
    Receipt,
    Receipts,
    WorkerApp,
    batches,
    bury,
    create_app,
    or_end,
    raw_table,
    raw_topic,
    send_all,
)
from f1stream import topics
from f1stream.logs import about
from f1stream.race.driver import Driver
from f1stream.race.session import SessionRace
from f1stream.settings import settings
from f1stream.topics import BadRecord, Stamp
from f1stream.vitals import Progress
from models import CarUpdate, Frame, Head, Lap, Packet, Updates

log = logging.getLogger("f1stream")

FENCED = 0
"""Known by: for records of a run that a newer one has replaced. They are done with the newer run's first
checkpoint; acknowledged before, a crash would find the rest of the old run without its beginning."""
OfDriver = TypeVar("OfDriver", Packet, Lap)
CONSUMER = "race"
UPDATE_SAMPLES = 10_000
"""Samples in one record of ``updates``: some 400 kB, well under what a broker takes."""
FRAMES_A_RECORD = 50
SILENT_S = 60.0
"""What waits of a run of which nothing came for so long goes into the tables: the source may have been killed, and
nothing that comes after it in its partition could be acknowledged."""
ASIDE_BYTES = 2_000_000
"""What is larger stays in Kafka."""
CHECKPOINT_S = 1.0
"""Wall time between two checkpoints; what lies after the last one is read again after a crash."""

app = create_app("f1stream-race", settings(), settings().race_port, WorkerApp)
driver_input = raw_topic(app, topics.TELEMETRY, topics.LAPS)
session_input = raw_topic(app, topics.UPDATES, topics.MESSAGES)
updates_topic = raw_topic(app, topics.UPDATES)
frames_topic = raw_topic(app, topics.FRAMES)
dead_letters_topic = raw_topic(app, topics.DEAD_LETTERS)
cars = raw_table(app, "cars", "session:driver -> how far its packets and laps have been handed on")
races = raw_table(app, "races", "session -> the race as of a frame, with all that the rules read")
standing = raw_table(app, "standing", "session -> info, entries and track, which stand for the whole run")
vitals = Vitals(app, Progress("taken"))
serve_health(app, vitals)


# -- per driver ------------------------------------------------------------------------------------------------


@app.agent(driver_input)
@or_end
async def per_driver(stream: Any) -> None:
    """Join each driver's packets and laps and hand them on to its session."""
    receipts = Receipts(vitals.taken)
    drivers: dict[bytes, Driver] = {}
    heard_at: dict[bytes, float] = {}

    def forget() -> None:
        receipts.forget()
        drivers.clear()
        heard_at.clear()

    async for batch in batches(app, CONSUMER, stream, forget):
        touched: dict[bytes, Driver] = {}
        for event in batch.events:
            receipt = receipts.take(event)
            try:
                take_driver_event(batch, event, receipt, drivers, touched)
            except BadRecord as error:  # without a readable key and stamp nothing can name it
                batch.refuse(event, error)
                receipt.settled = True
        runs, settled = [], []
        for key, driver in touched.items():
            run, done = driver.hand_on()
            settled += done
            if run is not None:
                runs.append((topics.session_of(key)[0], run))
        await bury(dead_letters_topic, batch.letters)
        await send_updates(runs, batch.published_s)
        if not batch.is_current():
            continue
        heard_at |= dict.fromkeys(touched, time.monotonic())
        for key in [key for key, at in heard_at.items() if time.monotonic() - at > SILENT_S]:
            del heard_at[key]
            settled += drivers[key].put_aside()
            touched[key] = drivers[key]
        for key, driver in touched.items():
            cars.keep(key, driver.cursor.epoch, driver.progress, driver.dump())
        await cars.delivered()
        for receipt in settled:
            receipt.settled = True
        await receipts.acknowledge(stream)
        HELD.labels("driver").set(len(receipts))


def take_driver_event(
    batch: Batch, event: Any, receipt: Receipt, drivers: dict[bytes, Driver], touched: dict[bytes, Driver]
) -> None:
    """Give one packet or lap to its driver. Raises BadRecord when it cannot be told whose it is."""
    message, key = event.message, event.message.key
    stamp = Stamp.read(message.headers)
    _, number = topics.session_of(key)
    driver = drivers.get(key)
    if driver is None:
        driver = drivers[key] = Driver.restore(number, cars.kept(key))
    touched[key] = driver
    if not driver.begins(stamp.epoch, receipt):
        return
    if message.topic == topics.LAPS:
        lap = decoded(batch, event, topics.decode_lap, number)
        driver.take_lap(stamp.seq, stamp.emitted_ms, lap, receipt)
    else:
        packet = decoded(batch, event, topics.decode_packet, number)
        driver.take_packet(stamp.seq, stamp.emitted_ms, stamp.laps, stamp.messages, packet, receipt)


def decoded(batch: Batch, event: Any, decode: Callable[[bytes | None], OfDriver], number: str) -> OfDriver | None:
    """The event's record; None when it is unusable: its place in the run is known all the same, and is kept."""
    try:
        record = decode(event.message.value)
        if record.driver_number != number:
            raise BadRecord(f"driver_number is {record.driver_number}, the key says {number}")
    except BadRecord as error:
        batch.refuse(event, error)
        return None
    return record


async def send_updates(runs: list[tuple[str, CarUpdate]], published_s: float | None) -> None:
    """Send a batch's runs, all of a session in one record unless that gets too large; wait for delivery.

    They are as old as what they were made of: that tells how late frames are.
    """
    sends = []
    for session_key, own in groupby(sorted(runs, key=lambda run: run[0]), key=lambda run: run[0]):
        parts: list[list[CarUpdate]] = [[]]
        samples = 0
        for _, run in own:
            if samples + len(run.t) > UPDATE_SAMPLES and parts[-1]:
                parts.append([])
                samples = 0
            parts[-1].append(run)
            samples += len(run.t)
        for entries in parts:
            value = topics.encode(Updates.model_construct(entries=entries))
            sends.append(await updates_topic.send(key=session_key.encode(), value=value, timestamp=published_s))
            UPDATES.inc()
    await send_all(sends)


# -- per session -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Live:
    """A session in memory, and what its events wait for."""

    session: SessionRace
    checkpoint_ms: int = -1
    kept_at: float = 0.0
    """Monotonic clock at the last checkpoint."""
    counted: int = 0
    """Samples that are in the metrics."""
    waiting: list[tuple[int, Receipt]] = field(default_factory=list)
    """(everything in the event is known by, receipt)."""
    heard_at: float = field(default_factory=time.monotonic)


@app.agent(session_input)
@or_end
async def per_session(stream: Any) -> None:
    """Join each session's cars and messages, and publish its frames."""
    receipts = Receipts(vitals.taken)
    sessions: dict[bytes, Live] = {}

    def forget() -> None:
        receipts.forget()
        sessions.clear()

    async for batch in batches(app, CONSUMER, stream, forget):
        touched: dict[bytes, Live] = {}
        for event in batch.events:
            receipt = receipts.take(event)
            try:
                if event.message.topic == topics.MESSAGES:
                    take_message(batch, event, receipt, sessions, touched)
                else:
                    take_updates(event, receipt, sessions, touched)
            except BadRecord as error:
                batch.refuse(event, error)
                receipt.settled = True
        sends: list[Any] = []
        for key, live in touched.items():
            sends += await send_frames(key, live.session, live.session.advance())
        await bury(dead_letters_topic, batch.letters)
        await send_all(sends)
        if sends and batch.published_s is not None:
            LATENESS.observe(max(time.time() - batch.published_s, 0.0))
        if not batch.is_current():
            continue
        await keep(touched)
        await put_aside(sessions)
        for key, live in touched.items():
            settle(live)
            if live.session.ended and not live.waiting:
                del sessions[key]  # its table has it, should anything more come
        await receipts.acknowledge(stream)
        HELD.labels("session").set(len(receipts))


def live_session(key: bytes, epoch: int, sessions: dict[bytes, Live]) -> Live:
    """The session that a record of ``epoch`` goes to: that run, or the newer one that has replaced it."""
    live = sessions.get(key)
    if live is None:
        kept, still = races.kept(key), standing.kept(key)
        session = SessionRace(key.decode(), epoch)
        if kept is not None and still is not None:
            session = SessionRace.restore(key.decode(), kept, still)
        live = sessions[key] = Live(session, -1 if session.t is None else session.t, counted=session.tally.samples)
        log.info(
            "Run %d is followed from session time %d ms on.", session.epoch, live.checkpoint_ms, extra=about(key)
        )
    if epoch > live.session.epoch:
        log.info("Run %d takes the place of run %d.", epoch, live.session.epoch, extra=about(key))
        fenced = [(FENCED, receipt) for _, receipt in live.waiting]
        live = sessions[key] = Live(SessionRace(key.decode(), epoch), waiting=fenced)
    live.heard_at = time.monotonic()
    return live


def take_message(
    batch: Batch, event: Any, receipt: Receipt, sessions: dict[bytes, Live], touched: dict[bytes, Live]
) -> None:
    """Give one message to its session. Raises BadRecord when it cannot be told whose it is."""
    stamp = Stamp.read(event.message.headers)
    key = event.message.key
    topics.session_key_of(key)
    live = touched[key] = live_session(key, stamp.epoch, sessions)
    if stamp.epoch < live.session.epoch:
        live.waiting.append((FENCED, receipt))
        return
    message = None
    try:
        message = topics.decode_message(event.message.value)
        live.session.admit(message)
    except BadRecord as error:
        message = None
        batch.refuse(event, error)
    live.session.take_message(stamp.seq, stamp.emitted_ms, message)
    live.waiting.append((stamp.emitted_ms, receipt))


def take_updates(event: Any, receipt: Receipt, sessions: dict[bytes, Live], touched: dict[bytes, Live]) -> None:
    """Give a record of runs to its session."""
    key = event.message.key
    topics.session_key_of(key)
    until = FENCED
    entries = topics.decode_updates(event.message.value).entries
    if not entries:
        raise BadRecord("there are no entries in it")
    for update in entries:
        live = touched[key] = live_session(key, update.epoch, sessions)
        if update.epoch == live.session.epoch:
            live.session.take_update(update)
            until = max(until, update.until_ms)
    touched[key].waiting.append((until, receipt))


async def send_frames(key: bytes, session: SessionRace, made: list[Head | Frame]) -> list[Any]:
    """Hand frames to the producer, consecutive ones together; returns the deliveries to wait for."""
    sends = []
    run: list[Frame] = []
    for frame in [*made, None]:
        if run and (not isinstance(frame, Frame) or len(run) == FRAMES_A_RECORD):
            sends.append(await frames_topic.send(
                key=key, value=topics.encode_frames(run), headers=topics.frame_headers(session.epoch, run)
            ))  # fmt: skip
            run = []
        if isinstance(frame, Head):
            sends.append(await frames_topic.send(
                key=key, value=topics.encode_frames([frame]), headers=topics.head_headers(session.epoch, frame)
            ))  # fmt: skip
        elif frame is not None:
            run.append(frame)
            FRAMES.inc()
    return sends


async def keep(touched: dict[bytes, Live]) -> None:
    """Write the checkpoints of the sessions that have gone on far enough, and wait until they are safe."""
    due = {}
    now = time.monotonic()
    for key, live in touched.items():
        session = live.session
        if session.t is None or session.t == live.checkpoint_ms:
            continue
        if session.ended or now - live.kept_at >= CHECKPOINT_S:
            due[key] = live
            live.kept_at = now
            measure(key, live)
    await write(due)


async def put_aside(sessions: dict[bytes, Live]) -> None:
    """Be done with the events of the runs that have fallen silent: their checkpoints hold all that waits."""
    silent = {}
    now = time.monotonic()
    for key, live in sessions.items():
        if live.waiting and now - live.heard_at > SILENT_S:
            live.heard_at = now
            if live.session.put_aside(ASIDE_BYTES):
                silent[key] = live
    await write(silent)
    for key, live in silent.items():
        for _, receipt in live.waiting:
            receipt.settled = True
        live.waiting = []
        log.warning("Run %d is silent, with no end. What was told beyond session time %d ms is put aside.",
                    live.session.epoch, live.checkpoint_ms, extra=about(key))  # fmt: skip


async def write(due: dict[bytes, Live]) -> None:
    """Write checkpoints, and wait until they are safe."""
    for key, live in due.items():
        session = live.session
        if session.standing_changed:
            standing.keep(key, session.epoch, session.progress, session.dump_standing())
            session.standing_changed = False
    await standing.delivered()  # first: a checkpoint is read together with what stands
    for key, live in due.items():
        session = live.session
        kept = session.checkpoint()
        if kept is None:
            continue
        races.keep(key, session.epoch, session.progress, kept)
        if session.t is not None:
            live.checkpoint_ms = session.t
        if session.ended:
            log.info("Run %d has ended at session time %d ms.", session.epoch, session.t, extra=about(key))
    await races.delivered()


def measure(key: bytes, live: Live) -> None:
    """Metrics since the last checkpoint."""
    session = live.session
    SAMPLES.inc(session.tally.samples - live.counted)
    live.counted = session.tally.samples
    SESSION_TIME.labels(key.decode()).set((session.t or 0) / 1000)
    if session.race is not None:
        for place in session.race.compared:
            MEASURED.observe(abs(place.official_ms - place.measured_ms) / 1000)
        session.race.compared.clear()
        for error_ms in session.race.gap_errors:
            GAP_ERROR.observe(abs(error_ms) / 1000)
        session.race.gap_errors.clear()


def settle(live: Live) -> None:
    """Events that lie wholly at or before the checkpoint are done."""
    rest = []
    for until, receipt in live.waiting:
        receipt.settled = until <= live.checkpoint_ms
        if not receipt.settled:
            rest.append((until, receipt))
    live.waiting = rest
