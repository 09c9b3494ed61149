"""Damaged runs beside a good one, on workers that a supervisor restarts; publishing again replaces them."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from f1stream import topics
from f1stream.sources.packing import OutgoingRecord, pack
from f1stream.sources.session import Session
from f1stream.sources.simulator import simulate
from models import DeadLetter, Entries, RaceControl, Weather
from tests.support.harness import frame_bytes
from tests.support.pipeline import run
from tests.support.required import ROOT
from tests.support.rig import PATIENCE_S, Rig, bytes_of

pytestmark = pytest.mark.system

Records = list[tuple[OutgoingRecord, bytes]]
CARS, LAPS, SPEED = 4, 2, 16
GOOD = 1
RUNBOOK = re.search(r"^## RunDamaged\n\n(.*?)(?=^## )", (ROOT / "deploy/RUNBOOKS.md").read_text(), re.M | re.S)


def a_message_was_lost(records: Records) -> Records:
    """In the middle of the run, so that the page has frames of it."""
    of_messages = [n for n, (item, _) in enumerate(records) if item.topic == topics.MESSAGES]
    lost = of_messages[len(of_messages) // 2]
    return records[:lost] + records[lost + 1 :]


def a_car_is_entered_twice(records: Records) -> Records:
    return [
        (item, value.replace(b'"entries":[', b'"entries":[' + json.dumps(entry).encode() + b",", 1))
        if isinstance(item.record, Entries) and (entry := item.record.entries[0].model_dump())
        else (item, value)
        for item, value in records
    ]


def race_control_has_a_number_of_4301_digits(records: Records) -> Records:
    """Replaces a message about the weather with one of a number that the rules must bound."""
    at, (item, _) = next((n, each) for n, each in enumerate(records) if isinstance(each[0].record, Weather))
    text = f"FIA STEWARDS: {'9' * 4_301} SECOND TIME PENALTY FOR CAR 4 (NOR) - SPEEDING IN THE PIT LANE"
    message = RaceControl.model_construct(session_time_ms=item.record.session_time_ms, category="Other", message=text)
    return [*records[:at], (item, topics.encode(message)), *records[at + 1 :]]


BAD: dict[int, Callable[[Records], Records]] = {
    2: a_message_was_lost,
    3: a_car_is_entered_twice,
    4: race_control_has_a_number_of_4301_digits,
}
"""By the simulator's seed, which is also the run id."""
STAND_STILL = {2}
"""Sessions whose run is damaged; in the others one record is refused."""


def session_of(seed: int) -> Session:
    return simulate(seed, cars=CARS, laps=LAPS)


def expected(session: Session) -> dict[int, bytes]:
    """The session's frames by the rules alone."""
    return frame_bytes(run(session).made)


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A broker, two race workers, and a supervisor that restarts them when they exit with code 70."""
    rig = Rig(tmp_path, partitions=3)
    try:
        await rig.start()
        await asyncio.gather(rig.worker(), rig.worker())
        supervisor = asyncio.create_task(restart(rig))
        yield rig
        supervisor.cancel()
        with suppress(asyncio.CancelledError):
            await supervisor
    finally:
        rig.stop()


async def restart(rig: Rig) -> None:
    while True:
        rig.restart_stopped()
        await asyncio.sleep(0.2)


async def dead_letters(rig: Rig, sessions: set[str]) -> dict[str, DeadLetter]:
    """A dead letter of each of these sessions; waits until all have one."""
    found: dict[str, DeadLetter] = {}
    consumer = rig.reader(topics.DEAD_LETTERS)
    await consumer.start()
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not sessions <= found.keys():
                for messages in (await consumer.getmany(timeout_ms=200)).values():
                    for message in messages:
                        dead_letter = topics.decode_dead_letter(message.value)
                        found.setdefault((dead_letter.key or "").split(":")[0], dead_letter)
    finally:
        await consumer.stop()
    return found


async def notices(rig: Rig, sessions: set[str]) -> None:
    """Wait until each session's notice of its damaged run is published."""
    waiting = {key.encode() for key in sessions}
    consumer = rig.reader(topics.FRAMES)
    await consumer.start()
    try:
        async with asyncio.timeout(PATIENCE_S):
            while waiting:
                for messages in (await consumer.getmany(timeout_ms=200)).values():
                    for message in messages:
                        if dict(message.headers).get("kind") == b"damaged":
                            waiting.discard(message.key)
    finally:
        await consumer.stop()


async def damaged_runs(rig: Rig) -> float:
    """The workers' counters; a restarted worker counts from zero."""
    total = 0.0
    async with aiohttp.ClientSession() as http:
        for _, port in rig.workers:
            with suppress(aiohttp.ClientError):
                async with http.get(f"http://127.0.0.1:{port}/metrics") as answer:
                    counted = re.findall(r'f1stream_damaged_runs_total\{by="race"\} (\S+)', await answer.text())
                    total += sum(map(float, counted))
    return total


async def publish_again(rig: Rig, seed: int) -> int:
    """Publish as in the runbook; returns the new run id."""
    assert RUNBOOK is not None and "`f1stream replay" in RUNBOOK[1], "the runbook says to replay"
    counts = rig.home / f"counts-{seed}.jsonl"
    source = f"sim:cars={CARS},laps={LAPS},seed={seed}"
    command = [sys.executable, "-m", "f1stream", "replay", source, "--speed", "max", "--counts", str(counts)]
    process = rig._popen(command, f"replay-{seed}")
    assert await asyncio.to_thread(process.wait, PATIENCE_S) == 0, rig.logs[process.pid].read_text()
    epoch: int = json.loads(counts.read_text())["epoch"]
    return epoch


async def test_a_good_session_among_damaged_runs_loses_no_frame(rig: Rig) -> None:
    sessions = {seed: session_of(seed) for seed in (GOOD, *BAD)}
    keys = {seed: session.session_key for seed, session in sessions.items()}
    sent = {seed: bytes_of(pack(session, seed, 1_000)) for seed, session in sessions.items()}
    bad = {seed: spoil(sent[seed]) for seed, spoil in BAD.items()}
    publishing = [asyncio.create_task(rig.publish(records, speed=SPEED)) for records in (sent[GOOD], *bad.values())]
    assert await rig.frames(GOOD) == expected(sessions[GOOD]), "the good session"
    await asyncio.gather(*publishing)
    await dead_letters(rig, {keys[seed] for seed in BAD})
    await notices(rig, {keys[seed] for seed in STAND_STILL})
    async with asyncio.timeout(PATIENCE_S):
        while await damaged_runs(rig) < len(STAND_STILL):
            await asyncio.sleep(0.2)
    assert rig.sequence_gaps() <= len(STAND_STILL), "a gap exits a worker once"
    for seed, spoil in BAD.items():
        assert await rig.frames(await publish_again(rig, seed)) == expected(sessions[seed]), spoil.__name__


def test_the_runbook_of_a_damaged_run_describes_these_steps() -> None:
    assert RUNBOOK is not None
    text = RUNBOOK[1]
    assert '"This run is damaged: …. Publish the session again."' in text
    assert "`dead-letters`" in text and "race worker's log" in text
    assert "`f1stream replay" in text
