"""Sessions that are moved, and machines that sleep: no session is lost, neither live nor its publication."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from time_machine import Traveller

from f1stream.jobs import calendar, scheduler
from f1stream.jobs.calendar import PlannedSession, merged
from f1stream.jobs.child import CommandRunner
from f1stream.jobs.live import LiveClient
from f1stream.jobs.runs import Ended
from f1stream.jobs.scheduler import JobScheduler
from f1stream.jobs.sessions import ATTEMPTS, LIVE, REPUBLISH, REPUBLISH_RETRY
from f1stream.jobs.times import FAR_FUTURE, LIVE_BEFORE, REPUBLISH_AFTER, AtSessions
from f1stream.jobs.work import JobResult
from f1stream.jolpica.models import JolpicaRace
from f1stream.jolpica.plan import CalendarEvent
from f1stream.settings import Settings
from f1stream.sources.fastf1.season_index import WEEKEND, parse
from f1stream.sources.session import SourceError
from tests.support.clock import FakedTime, until
from tests.support.season_index import index, session

FP1, RACE = datetime(2026, 5, 1, 16, 30, tzinfo=UTC), datetime(2026, 5, 3, 20, tzinfo=UTC)
"""As the calendar has them."""
FP1_MOVED, RACE_MOVED = FP1 - timedelta(minutes=30), RACE - timedelta(hours=3)
"""As they were held."""
SATURDAY, SUNDAY = datetime(2024, 11, 2, 18, tzinfo=UTC), datetime(2024, 11, 3, 10, 30, tzinfo=UTC)
"""When the qualifying of São Paulo was to be held, and when it was."""


def event() -> CalendarEvent:
    """Miami, as the Jolpica API has it."""
    race = {
        "season": "2026", "round": "6", "raceName": "Miami Grand Prix", "date": "2026-05-03", "time": "20:00:00Z",
        "Circuit": {"circuitId": "miami", "circuitName": "M", "Location": {"locality": "M", "country": "USA"}},
        "FirstPractice": {"date": "2026-05-01", "time": "16:30:00Z"},
    }  # fmt: skip
    return CalendarEvent(JolpicaRace.model_validate(race), FP1)


def feeds_index() -> bytes:
    return index(
        Pre_Season_Testing=[session("Day 1", FP1 - timedelta(days=80), 3)],
        Miami_Grand_Prix=[session("Practice 1", FP1_MOVED, -4), session("Race", RACE_MOVED, -4)],
    )


def test_a_session_has_the_times_of_both_sources() -> None:
    planned = [
        PlannedSession("Miami Grand Prix", "Practice 1", (FP1_MOVED, FP1)),
        PlannedSession("Miami Grand Prix", "Race", (RACE_MOVED, RACE)),
    ]
    assert merged([event()], parse(feeds_index())) == planned
    assert [each.title for each in planned] == ["2026 Miami Grand Prix, Practice 1", "2026 Miami Grand Prix, Race"]


def test_each_source_is_enough() -> None:
    assert [each.starts for each in merged([event()], [])] == [(FP1,), (RACE,)]
    alone = merged([], parse(feeds_index()))
    assert [(each.name, each.starts) for each in alone] == [("Practice 1", (FP1_MOVED,)), ("Race", (RACE_MOVED,))]


def test_without_the_index_the_times_are_the_calendars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object) -> None:
        raise SourceError("The feed's index of 2026 cannot be had.")

    monkeypatch.setattr(calendar, "season_index", silent)
    settings = Settings(_env_file=None, home=tmp_path)
    assert [each.starts for each in calendar.season(settings, [event()], [2026])] == [(FP1,), (RACE,)]


@dataclass
class Weekend:
    """A scheduler with a faked clock; what it does at the times of sessions is noted, and ends as the test says."""

    jobs: JobScheduler
    clock: Traveller
    planned: list[PlannedSession]
    """What the next look at the calendars finds."""
    held: dict[str, datetime]
    """When each session was really held: followed before its end, it is followed to its end."""
    followed: list[datetime] = field(default_factory=list)
    published: list[tuple[datetime, str]] = field(default_factory=list)

    def follow(self, live: LiveClient, on: Callable[[], datetime | None]) -> Ended:
        live.start = on()
        self.followed.append(datetime.now(UTC))
        for each in self.planned:
            held = self.held[each.name]
            if live.start in each.starts and held - LIVE_BEFORE <= datetime.now(UTC) < held + timedelta(hours=1):
                return Ended.COMPLETE
        return Ended.INCOMPLETE

    def publish(self, *arguments: str) -> int:
        """It can be had three hours after it was held."""
        now, name = datetime.now(UTC), arguments[-1]
        self.published.append((now, name))
        return 0 if now >= self.held[name] + timedelta(hours=3) else 1

    def until(self, end: datetime) -> None:
        FakedTime(self.jobs, self.clock).until(end)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, home=tmp_path)


@pytest.fixture
def begins(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Weekend]]:
    """A scheduler that starts at a time, with what the calendars have then and when sessions are really held."""
    with time_machine.travel(FP1, tick=False) as clock:
        running: list[Weekend] = []

        def begin(at: datetime, planned: list[PlannedSession], held: dict[str, datetime]) -> Weekend:
            clock.move_to(at, tick=False)
            running.append(weekend := Weekend(JobScheduler(settings), clock, planned, held))
            monkeypatch.setattr(LiveClient, "follow", lambda live, on: weekend.follow(live, on))  # noqa: PLW0108
            monkeypatch.setattr(CommandRunner, "run", lambda _, *arguments: weekend.publish(*arguments))
            monkeypatch.setattr(CommandRunner, "last_words", lambda _: "it is not to be had yet")
            monkeypatch.setattr("f1stream.jobs.sessions.has_broker", lambda _: True)
            monkeypatch.setattr(scheduler, "run_job", lambda *_, **__: JobResult(sessions=weekend.planned))
            weekend.jobs.start()
            return weekend

        yield begin
        for weekend in running:
            weekend.jobs.stop()


def test_a_session_that_was_moved_earlier_is_followed_when_it_is_held_and_published_once(
    begins: Callable[..., Weekend],
) -> None:
    """Miami 2026: FP1 half an hour and the race three hours earlier. Here only the feed's index knows."""
    planned = merged([event()], parse(feeds_index()))
    weekend = begins(FP1 - timedelta(days=1), planned, {"Practice 1": FP1_MOVED, "Race": RACE_MOVED})
    weekend.until(RACE + timedelta(days=1))
    assert weekend.followed == [FP1_MOVED - LIVE_BEFORE, RACE_MOVED - LIVE_BEFORE]
    assert weekend.published == [(FP1 + REPUBLISH_AFTER, "Practice 1"), (RACE + REPUBLISH_AFTER, "Race")]


def test_a_session_that_moves_while_the_calendar_is_looked_at_every_hour_is_followed(
    begins: Callable[..., Weekend],
) -> None:
    """What is due at once, because the session has begun meanwhile, is done at once."""
    weekend = begins(FP1 - timedelta(hours=4, minutes=5), merged([event()], []), {"Practice 1": FP1_MOVED})
    weekend.until(FP1 - timedelta(hours=3, minutes=50))
    weekend.planned = [PlannedSession("Miami Grand Prix", "Practice 1", (FP1 - timedelta(hours=4), FP1))]
    weekend.held = {"Practice 1": FP1 - timedelta(hours=4)}
    weekend.until(FP1)
    assert weekend.followed == [FP1.replace(minute=0) - timedelta(hours=3)], "at the next full hour"


def test_a_session_that_is_put_off_to_the_next_day_is_followed_and_published_then(
    begins: Callable[..., Weekend],
) -> None:
    """São Paulo 2024: after Saturday's start the index has it on Sunday, and the calendar still on Saturday."""
    stale = PlannedSession("São Paulo Grand Prix", "Qualifying", (SATURDAY,))
    moved = PlannedSession("São Paulo Grand Prix", "Qualifying", (SATURDAY, SUNDAY))
    weekend = begins(SATURDAY - timedelta(hours=6), [stale], {"Qualifying": SUNDAY})
    weekend.until(SATURDAY + timedelta(hours=1))
    weekend.planned = [moved]
    weekend.until(SUNDAY + timedelta(days=2))
    assert weekend.followed == [SATURDAY - LIVE_BEFORE, SUNDAY - LIVE_BEFORE]
    assert weekend.published[-1] == (SUNDAY + REPUBLISH_AFTER, "Qualifying")
    assert REPUBLISH not in weekend.jobs.failing()


def test_a_publication_is_not_given_up_while_the_weekend_lasts(begins: Callable[..., Weekend]) -> None:
    """No calendar ever learns that the session was put off by a day and a half."""
    held = SATURDAY + timedelta(hours=40)
    planned = [PlannedSession("São Paulo Grand Prix", "Qualifying", (SATURDAY,))]
    weekend = begins(SATURDAY - timedelta(hours=6), planned, {"Qualifying": held})
    weekend.until(SATURDAY + WEEKEND)
    attempts = len(weekend.published)
    assert attempts > ATTEMPTS
    assert held + timedelta(hours=3) <= weekend.published[-1][0] <= held + timedelta(hours=9)
    weekend.until(SATURDAY + 2 * WEEKEND)
    assert len(weekend.published) == attempts, "it is published once"


def test_a_publication_that_is_never_to_be_had_is_given_up_after_the_weekend(begins: Callable[..., Weekend]) -> None:
    planned = [PlannedSession("São Paulo Grand Prix", "Qualifying", (SATURDAY,))]
    weekend = begins(SATURDAY - timedelta(hours=6), planned, {"Qualifying": SATURDAY + timedelta(days=99)})
    weekend.until(SATURDAY + timedelta(days=20))
    last = weekend.published[-1][0]
    assert SATURDAY + WEEKEND <= last <= SATURDAY + WEEKEND + timedelta(hours=6)
    assert weekend.jobs.failing()[REPUBLISH] == "it is not to be had yet"


def test_a_session_that_is_owed_is_not_forgotten_for_the_next_one(begins: Callable[..., Weekend]) -> None:
    """The streams of FP1 come late, after those of the race."""
    planned = merged([event()], [])
    weekend = begins(FP1 - timedelta(hours=1), planned, {"Practice 1": RACE, "Race": RACE})
    weekend.until(RACE + timedelta(days=2))
    assert {name for at, name in weekend.published if at >= RACE + timedelta(hours=3)} == {"Practice 1", "Race"}
    assert REPUBLISH not in weekend.jobs.failing()


def test_every_session_that_came_due_in_a_sleep_is_published(begins: Callable[..., Weekend]) -> None:
    """And none of weeks ago, nor one twice."""
    starts = {"Practice 1": FP1, "Practice 2": FP1 + timedelta(hours=3), "Qualifying": FP1 + timedelta(hours=24)}
    planned = [
        PlannedSession("Bahrain Grand Prix", "Race", (FP1 - timedelta(days=20),)),
        *(PlannedSession("Miami Grand Prix", name, (at,)) for name, at in starts.items()),
    ]
    weekend = begins(FP1 - timedelta(days=21), planned, starts | {"Race": FP1 - timedelta(days=20)})
    until("the calendar is known", lambda: "first" in weekend.jobs.last and not weekend.jobs.running())
    weekend.clock.move_to(FP1 + timedelta(hours=29), tick=False)
    weekend.jobs._scheduler.wakeup()
    until("all are published", lambda: len(weekend.published) == 3)
    weekend.until(FP1 + timedelta(days=3))
    assert [name for _, name in weekend.published] == ["Qualifying", "Practice 2", "Practice 1"]


def test_what_an_older_version_kept_on_file_is_read(settings: Settings, begins: Callable[..., Weekend]) -> None:
    """Triggers had no names of sessions, and what was owed had one place."""
    weekend = begins(FP1 - timedelta(days=1), [], {f"{FP1:%Y-%m-%dT%H:%M:%S}": FP1 - timedelta(days=2)})
    until("the calendar is known", lambda: "first" in weekend.jobs.last and not weekend.jobs.running())
    old = weekend.jobs._scheduler.get_job(LIVE)
    trigger = AtSessions([RACE], FP1 - timedelta(days=1), -LIVE_BEFORE)
    for name in ("sessions", "done"):
        vars(trigger).pop(name)
    weekend.planned = [PlannedSession("Miami Grand Prix", "Race", (RACE,))]
    old.reschedule(trigger)
    weekend.jobs._scheduler.add_job(
        "f1stream.jobs.sessions:_publish", "date", [REPUBLISH, 3, "no car data", FP1], id=REPUBLISH_RETRY,
        executor=REPUBLISH, run_date=RACE + FAR_FUTURE,
    )  # fmt: skip
    assert weekend.jobs.failing() == {REPUBLISH: "no car data"}
    weekend.jobs.sessions.start()
    assert weekend.jobs._scheduler.get_job(LIVE).trigger.starts == [RACE]
    until("it is published", lambda: weekend.published and REPUBLISH not in weekend.jobs.failing())


def test_after_a_sleep_across_the_start_the_live_client_starts_at_once(
    begins: Callable[..., Weekend], monkeypatch: pytest.MonkeyPatch
) -> None:
    """APScheduler waits for the start on a clock that stops in the sleep; nothing but the wall clock shows it."""
    monkeypatch.setattr(scheduler, "MAX_WAIT_S", 0.02)
    planned = [PlannedSession("Miami Grand Prix", "Race", (RACE,))]
    weekend = begins(RACE - timedelta(hours=5), planned, {"Race": RACE})
    until("the calendar is known", lambda: "first" in weekend.jobs.last and not weekend.jobs.running())
    assert not weekend.followed
    wakes = RACE + timedelta(minutes=20)
    weekend.clock.move_to(wakes, tick=False)
    until("the live client has started", lambda: weekend.followed)
    assert weekend.followed[0] == wakes
