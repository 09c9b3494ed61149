"""After each session the scheduler publishes it again, complete, from its archive."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from f1stream import topics
from f1stream.jobs.calendar import PlannedSession
from f1stream.jobs.child import CommandRunner
from f1stream.jobs.scheduler import JobScheduler, on_file
from f1stream.jobs.sessions import REPUBLISH, REPUBLISH_RETRY
from f1stream.jobs.times import FAR_FUTURE, REPUBLISH_AFTER, latest
from f1stream.settings import Settings
from f1stream.sources.fastf1.schedule import starting_at
from f1stream.sources.session import SourceError
from models import SessionEnd, SessionInfo
from tests.support.clock import until
from tests.support.fastf1_server import CIRCUITS, SCHEDULES, FastF1Servers
from tests.support.rig import Rig

MEXICO = "2025/2025-10-26_Mexico_City_Grand_Prix/2025-10-25_Qualifying/"
QUALIFYING = datetime(2025, 10, 25, 21, tzinfo=UTC)
PLANNED = PlannedSession("Mexico City Grand Prix", "Qualifying", (QUALIFYING,))
PENDING = f"{REPUBLISH_RETRY}:2025 Mexico City Grand Prix, Qualifying"


@pytest.fixture
def servers(recordings: Path) -> Iterator[FastF1Servers]:
    with FastF1Servers() as servers:
        calendar = recordings / "livetiming_frozen" / "schedule_2025.json"
        servers.answers[f"{SCHEDULES}schedule_2025.json"] = calendar.read_bytes()
        yield servers


def with_fastf1(settings: Settings, servers: FastF1Servers, folder: Path) -> Settings:
    return settings.model_copy(
        update={
            "fastf1_cache": folder / "cache", "fastf1_url": servers.url, "jolpica_url": f"{servers.url}/jolpica",
            "schedule_live": True,
        }
    )  # fmt: skip


def test_a_session_is_found_by_when_it_starts(servers: FastF1Servers, tmp_path: Path) -> None:
    settings = with_fastf1(Settings(_env_file=None, home=tmp_path), servers, tmp_path)
    for moved in (timedelta(), timedelta(minutes=20), -timedelta(minutes=20)):
        found = starting_at(settings, QUALIFYING + moved)
        assert (found.event, found.name) == ("Mexico City Grand Prix", "Qualifying")
    with pytest.raises(SourceError, match="no session that starts on 2025-10-25 at 23:00 UTC"):
        starting_at(settings, QUALIFYING + timedelta(hours=2))


def test_the_latest_session_that_is_over_is_published() -> None:
    practice = QUALIFYING - timedelta(hours=4)
    starts = [QUALIFYING, practice]
    assert latest(starts, REPUBLISH_AFTER, QUALIFYING) == practice
    assert latest(starts, REPUBLISH_AFTER, QUALIFYING + REPUBLISH_AFTER) == QUALIFYING
    assert latest(starts, REPUBLISH_AFTER, practice) is None


@pytest.mark.system
async def test_a_republished_session_is_in_the_topics_and_a_failure_is_retried_after_a_restart(
    rig: Rig, servers: FastF1Servers, recordings: Path, tmp_path: Path
) -> None:
    """First it is not published yet: an error, and pending. Then it is, and the next scheduler publishes it."""
    settings = with_fastf1(rig.settings, servers, tmp_path)
    jobs = JobScheduler(settings)
    jobs._scheduler.start(paused=True)
    jobs._reschedule([PLANNED], since=datetime.now(UTC))
    await asyncio.to_thread(jobs.sessions.publish)
    assert jobs.counts == {(REPUBLISH, "failed"): 1}
    assert "Mexico City Grand Prix" in jobs.failing()[REPUBLISH]
    pending = jobs._scheduler.get_job(PENDING)
    assert pending.args[1] == 2
    assert pending.args[3] == QUALIFYING
    assert timedelta(minutes=25) < pending.next_run_time - datetime.now(UTC) < timedelta(minutes=35)
    jobs.stop()

    servers.serve_streams(MEXICO, recordings / "mexico2025_qualifying" / "raw", {"4", "27"})
    servers.answers[f"{CIRCUITS}65/2025"] = json.dumps({"rotation": 36.0, "corners": []}).encode()
    jobs = JobScheduler(settings)
    jobs.sessions.live.stop()  # it is not about the feed here
    jobs.start()
    try:
        await asyncio.to_thread(until, "it is published", lambda: REPUBLISH in jobs.last)
        assert jobs.counts[REPUBLISH, "complete"] == 1
        assert REPUBLISH not in jobs.failing()
        assert jobs._scheduler.get_job(PENDING) is None
    finally:
        jobs.stop()
    decoded = []
    async with asyncio.timeout(60), rig.reader(topics.MESSAGES) as reader:
        while not any(isinstance(message, SessionEnd) for message in decoded):
            for batch in (await reader.getmany(timeout_ms=500)).values():
                decoded += [topics.decode_message(each.value) for each in batch]
    infos = [message for message in decoded if isinstance(message, SessionInfo)]
    assert [(info.meeting, info.name) for info in infos] == [("Mexico City Grand Prix", "Qualifying")]


def test_republishing_is_given_up_after_some_attempts_and_off_with_the_live_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CommandRunner, "run", lambda *_: 2)
    monkeypatch.setattr(CommandRunner, "last_words", lambda _: "No Kafka broker answers")
    settings = Settings(_env_file=None, home=tmp_path, broker="127.0.0.1:9")
    jobs = JobScheduler(settings)
    jobs._scheduler.start(paused=True)
    jobs._reschedule([PLANNED], since=datetime.now(UTC))
    jobs.sessions.publish(9)
    assert jobs._scheduler.get_job(PENDING) is not None
    assert "No Kafka broker answers" in jobs.failing()[REPUBLISH]
    jobs.sessions.publish(10, QUALIFYING, PLANNED.event, PLANNED.name)
    pending = jobs._scheduler.get_job(PENDING)
    assert pending.next_run_time > datetime.now(UTC) + FAR_FUTURE / 2, "it is not retried any more"
    jobs.stop()
    assert "No Kafka broker answers" in on_file(settings)[1][REPUBLISH], "and it is still shown"
    jobs = JobScheduler(settings.model_copy(update={"schedule_live": False}))
    jobs._scheduler.start(paused=True)
    jobs._reschedule([PLANNED])
    assert {due.id for due in jobs._scheduler.get_jobs()} == {"session", "calendar"}
    jobs.stop()
