"""The scheduler starts the live client before each session of the calendar, and ends it with the session."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
import time_machine
from pyrate_limiter import Rate

from f1stream import topics
from f1stream.embedded.running import embedded_warehouse
from f1stream.jobs import child, scheduler, work
from f1stream.jobs.calendar import NAMES, PlannedSession
from f1stream.jobs.child import CommandRunner
from f1stream.jobs.live import LiveClient
from f1stream.jobs.runs import Ended
from f1stream.jobs.scheduler import JobScheduler
from f1stream.jobs.serve import health
from f1stream.jobs.times import LIVE_AT_MOST, LIVE_BEFORE, REPUBLISH_AFTER, session_on
from f1stream.jobs.work import JobResult
from f1stream.jolpica import client
from f1stream.jolpica.plan import SESSIONS
from f1stream.marts.build import Build
from f1stream.settings import Settings
from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.recording.reader import open_recording
from models import SessionEnd
from tests.support.clock import PATIENCE_S, FakedTime, until
from tests.support.jolpica_server import JolpicaServer, season_2024, season_of
from tests.support.livetiming_server import LiveTimingServer, ending_at
from tests.support.ports import free_port
from tests.support.rig import Rig

UNTIL_MS = 1_000_000
"""The feed's state before Q1 and its first minutes."""


@pytest.fixture(scope="module")
def stretch(mexico_feed: list[FeedMessage]) -> list[FeedMessage]:
    return ending_at(mexico_feed, UNTIL_MS)


@pytest.fixture
def nothing_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """No dbt, and no limit of the API: those have tests of their own."""
    unlimited = client.shared_bucket
    monkeypatch.setattr(client, "shared_bucket", lambda home, _: unlimited(home, (Rate(100_000, 1_000),)))
    monkeypatch.setattr(work, "build", lambda _: Build(0, 0, [], 0.0))
    monkeypatch.setattr(work, "read", lambda *_: [])


def with_a_race_at(start: datetime, data: Path) -> dict[str, dict[str, object]]:
    """A season of which one race is left."""
    answers = season_of(start.year, 2, data)
    races = answers[f"{start.year}/races"]["RaceTable"]["Races"]
    races[1] |= {"date": f"{start:%Y-%m-%d}", "time": f"{start:%H:%M:%SZ}"}
    return answers


def following(rig: Rig, server: LiveTimingServer, **more: object) -> Settings:
    return rig.settings.model_copy(
        update={"live_url": server.url, "live_port": free_port(), "live_retry_seconds": 0.2, **more}
    )


@pytest.mark.system
async def test_a_session_of_the_calendar_is_followed_and_recorded_until_the_feed_ends_it(
    rig: Rig, stretch: list[FeedMessage], jolpica_data: Path, nothing_built: None
) -> None:
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=10)
    with JolpicaServer() as jolpica, LiveTimingServer(stretch, speed=300) as feed:
        jolpica.answers = with_a_race_at(start, jolpica_data)
        settings = following(rig, feed, jolpica_url=jolpica.url)
        with embedded_warehouse(settings):
            jobs = JobScheduler(settings)
            try:
                jobs.start()
                await asyncio.to_thread(until, "the live client runs", lambda: "live" in jobs.running())
                await asyncio.to_thread(until, "the live client has ended", lambda: "live" in jobs.last)
                state = await asyncio.to_thread(health, jobs)
            finally:
                jobs.stop()
    assert state["last"]["live"]["outcome"] == "complete"
    assert "live" not in state["failing"]
    recording = settings.home / "recordings" / f"{start:%Y-%m-%dT%H%MZ}.jsonl"
    said = [(message.topic, message.data) for message in open_recording(recording) if not message.snapshot]
    assert len(said) > 500
    assert said == [(message.topic, message.data) for message in stretch][-len(said) :], "nothing is missing"

    async with asyncio.timeout(60), rig.reader(topics.MESSAGES) as reader:
        ends = 0
        while not ends:
            for batch in (await reader.getmany(timeout_ms=500)).values():
                ends += sum(isinstance(topics.decode_message(each.value), SessionEnd) for each in batch)


@pytest.mark.system
async def test_a_killed_client_is_restarted_and_appends_to_the_recording(
    rig: Rig, stretch: list[FeedMessage]
) -> None:

    start = datetime.now(UTC)
    with LiveTimingServer(stretch, speed=100) as feed:
        followed = LiveClient(following(rig, feed))
        ended: list[Ended] = []
        thread = threading.Thread(target=lambda: ended.append(followed.follow(lambda: start)))
        thread.start()
        recording = followed._settings.home / "recordings" / f"{start:%Y-%m-%dT%H%MZ}.jsonl"
        await asyncio.to_thread(
            until, "something is recorded", lambda: recording.exists() and recording.stat().st_size > 50_000
        )
        (killed,) = [each for each in psutil.Process().children() if "f1stream.child" in each.cmdline()]
        killed.kill()
        await asyncio.to_thread(thread.join, PATIENCE_S)
    assert ended == [Ended.COMPLETE]
    assert followed.error == ""
    recorded = [(message.topic, message.snapshot) for message in open_recording(recording)]
    assert ("SessionInfo", True) in recorded[10:], "the second client received the state in the middle"


class Runs:
    """In place of the child: it ends with the next of the codes, and ``arguments`` has what each run was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, codes: list[int | None], last_words: str = "") -> None:
        self.arguments: list[tuple[str, ...]] = []
        left = iter(codes)

        def run(_: CommandRunner, *arguments: str, goes_on: Callable[[], bool] = lambda: True) -> int | None:
            self.arguments.append(arguments)
            return next(left)

        monkeypatch.setattr(CommandRunner, "run", run)
        monkeypatch.setattr(CommandRunner, "last_words", lambda _: last_words)


def offline(home: Path) -> Settings:
    return Settings(_env_file=None, home=home, embedded_broker_port=free_port(), live_retry_seconds=0.001)


def test_a_failed_client_is_restarted_with_the_same_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, start = Runs(monkeypatch, [-9, 2, 0]), datetime(2024, 3, 1, 11, 30, tzinfo=UTC)
    followed = LiveClient(offline(tmp_path))
    assert followed.follow(lambda: start) is Ended.COMPLETE
    recording = str(tmp_path / "recordings" / "2024-03-01T1130Z.jsonl")
    assert runs.arguments == [("live", "--record", recording, "--append")] * 3
    assert followed.error == ""


def test_without_a_broker_the_reason_is_shown_and_it_is_retried_until_the_session_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs(monkeypatch, [2] * 3, "No Kafka broker answers")
    tries = iter([datetime.now(UTC)] * 3)
    followed = LiveClient(offline(tmp_path))
    assert followed.follow(lambda: next(tries, None)) is Ended.FAILED
    assert followed.error == "f1stream live: No Kafka broker answers"
    assert not followed.on
    assert len(runs.arguments) == 3


def test_with_no_broker_configured_nothing_is_followed(tmp_path: Path) -> None:
    """Facts and marts are kept without one too: that is no failure."""
    jobs = JobScheduler(Settings(_env_file=None, home=tmp_path, embedded_broker_port=free_port()))
    jobs._scheduler.start(paused=True)
    jobs._reschedule([PlannedSession("Bahrain Grand Prix", "Race", (datetime.now(UTC),))], since=datetime.now(UTC))
    jobs.sessions.follow()
    jobs.sessions.publish()
    jobs.stop()
    assert (jobs.counts, jobs.failing()) == ({}, {})


def test_no_process_is_left_after_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "COMMAND", ["/bin/sh", "-c", "echo begun; exec sleep 600"])
    followed, ended = LiveClient(offline(tmp_path)), list[Ended]()
    thread = threading.Thread(target=lambda: ended.append(followed.follow(lambda: datetime.now(UTC))))
    thread.start()
    until("it runs", followed._child.last_words)
    assert followed.on
    followed.stop()
    thread.join(30)
    assert ended == [Ended.INTERRUPTED]
    assert not followed.on


def test_every_session_of_a_season_is_followed_once_and_one_that_is_on_at_a_start_too(
    tmp_path: Path, jolpica_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first race week, with a faked clock; the scheduler is stopped in a session, and started again in it."""
    called: list[datetime] = []
    published: list[tuple[datetime, tuple[str, ...]]] = []

    def publish(_: CommandRunner, *arguments: str) -> int:
        published.append((datetime.now(UTC), arguments))
        return 0

    ends = [Ended.COMPLETE]

    def follow(live: LiveClient, session: Callable[[], datetime | None]) -> Ended:
        live.start = session()
        assert live.start is not None
        called.append(datetime.now(UTC))
        return ends[-1]

    planned = [
        PlannedSession(race["raceName"], NAMES[name], (datetime.fromisoformat(f"{each['date']}T{each['time']}"),))
        for race in season_2024(jolpica_data)["2024/races"]["RaceTable"]["Races"]
        for name, each in [("Race", race), *((name, race[name]) for name in SESSIONS if name in race)]
    ]
    starts = [each.starts[0] for each in planned]
    monkeypatch.setattr(LiveClient, "follow", follow)
    monkeypatch.setattr(CommandRunner, "run", publish)
    monkeypatch.setattr("f1stream.jobs.sessions.has_broker", lambda _: True)
    monkeypatch.setattr(CommandRunner, "last_words", lambda _: "")
    monkeypatch.setattr(scheduler, "run_job", lambda *_, **__: JobResult(sessions=planned))
    begins, end = datetime(2024, 2, 25, 12, tzinfo=UTC), datetime(2024, 3, 3, tzinfo=UTC)
    with time_machine.travel(begins, tick=False) as clock:
        wanted = sorted(start - LIVE_BEFORE for start in starts if begins < start < end)
        settings = Settings(_env_file=None, home=tmp_path)
        jobs = JobScheduler(settings)
        jobs.start()
        time = FakedTime(jobs, clock)
        time.until(wanted[-1])
        ends.append(Ended.INTERRUPTED)
        time.until(end)
        jobs.stop()
        assert called == wanted
        assert len(wanted) == 5
        begun = [at + LIVE_BEFORE for at in wanted]
        assert [(at, arguments[1]) for at, arguments in published] == [
            (start + REPUBLISH_AFTER, f"{start:%Y-%m-%dT%H:%M:%S}") for start in begun
        ]
        assert published[-1][1][2:] == ("--event", "Bahrain Grand Prix", "--session", "Race")
        clock.move_to(wanted[-1] + timedelta(hours=1), tick=False)
        assert session_on(starts, datetime.now(UTC)) == wanted[-1] + LIVE_BEFORE
        jobs = JobScheduler(settings)
        jobs.start()
        until("the session that is on is followed", lambda: len(called) == len(wanted) + 1)
        until("nothing runs any more", lambda: not jobs.running())
        assert called[-1] == datetime.now(UTC)
        jobs.stop()
    assert LIVE_BEFORE < LIVE_AT_MOST
