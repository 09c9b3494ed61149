"""When the scheduler runs its jobs: through a whole season with its clock faked, and through failures.

What a job does is not its business: here a run only knows the calendar. Real runs are in test_season.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from f1stream.jobs import scheduler
from f1stream.jobs.calendar import PlannedSession
from f1stream.jobs.runs import Ended
from f1stream.jobs.scheduler import on_file
from f1stream.jobs.serve import health
from f1stream.jobs.work import Job, JobResult
from f1stream.jolpica.plan import PUBLISHED_AFTER
from f1stream.lock import Busy
from f1stream.settings import Settings
from tests.jobs.conftest import BEFORE
from tests.support.clock import FakedTime
from tests.support.jolpica_server import season_2024

AFTER_JEDDAH = datetime(2024, 3, 10, 12, tzinfo=UTC)
AFTER_MIAMI = datetime(2024, 5, 6, 12, tzinfo=UTC)
AFTER_MONACO = datetime(2024, 6, 1, 12, tzinfo=UTC)
AFTER = datetime(2024, 12, 20, 12, tzinfo=UTC)
IMOLA = 7


@dataclass
class Runs:
    """Replaces the jobs' work: every run is recorded and finds the calendar; it ends as the test says."""

    calendar: dict[str, list[datetime]]
    """The starts of a race's sessions."""
    ends: Callable[[], JobResult] = JobResult
    done: list[tuple[str, int, datetime]] = field(default_factory=list)
    """Job, attempt, when."""
    build_pending: list[bool] = field(default_factory=list)
    """For each run, whether a build was pending."""

    def __call__(self, job: Job, _: Settings, attempt: int = 1, *, build_pending: bool = True) -> JobResult:
        self.done.append((job.name, attempt, datetime.now(UTC)))
        self.build_pending.append(build_pending)
        done = self.ends()
        done.sessions = [
            PlannedSession(race, f"Session {number}", (start,))
            for race, starts in self.calendar.items()
            for number, start in enumerate(starts)
        ]
        return done

    def by_job(self) -> dict[str, list[datetime]]:
        """When each job ran, without later attempts."""
        ran: dict[str, list[datetime]] = {}
        for name, attempt, at in self.done:
            if attempt == 1:
                ran.setdefault(name, []).append(at)
        return ran


@pytest.fixture
def runs(jolpica_data: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    races = season_2024(jolpica_data)["2024/races"]["RaceTable"]["Races"]
    runs = Runs({race["raceName"]: sessions_of(race) for race in races})
    assert len(runs.calendar) == 24
    monkeypatch.setattr(scheduler, "run_job", runs)
    return runs


def sessions_of(race: dict[str, Any]) -> list[datetime]:
    every = [race, *(of for of in race.values() if isinstance(of, dict) and "date" in of)]
    return [datetime.fromisoformat(f"{each['date']}T{each['time']}") for each in every]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, home=tmp_path, schedule_live=False)


def test_a_season_is_followed_session_by_session(starting: Callable[[datetime], FakedTime], runs: Runs) -> None:
    """Each run does what is due, once, also when a race is cancelled.

    The scheduler is away twice: from the second race to the sixth, and from Monaco to the year's end.
    """
    once = {"first": 0, "session": 1, "season": 1, "weekly": 1, "calendar": 1}
    races = list(runs.calendar.items())
    year = starting(BEFORE)
    year.settle()
    year.until(AFTER_JEDDAH)
    spring = runs.by_job()
    year = starting(AFTER_MIAMI)
    year.settle()
    back = runs.by_job()
    assert more(spring, back) == once, "what was missed runs once"
    del runs.calendar["Emilia Romagna Grand Prix"]
    year.until(AFTER_MONACO)
    summer = runs.by_job()
    year = starting(AFTER)
    year.settle()
    year.until(AFTER + timedelta(minutes=1))
    assert more(summer, runs.by_job()) == once, "what was missed runs once"
    assert year.jobs.failing() == {}

    followed = {name: spring[name] + summer[name][len(back[name]) :] for name in summer}
    seen = [
        starts
        for name, starts in races
        if (starts[0] < AFTER_JEDDAH or AFTER_MIAMI < starts[0] < AFTER_MONACO) and name in runs.calendar
    ]
    assert len(seen) == 3
    due = sorted({start + PUBLISHED_AFTER for starts in seen for start in starts})
    assert followed["first"] == [BEFORE]
    assert followed["session"] == due, "one run after each session, none twice, none of the cancelled race"
    assert all(at.hour == 0 and at.day % 2 == 1 for at in followed["season"])
    assert len(followed["season"]) == 21, "February 2, March 5, May 13, June 1"
    assert all(at.weekday() == 0 and at.hour == 4 for at in followed["weekly"])
    assert len(followed["weekly"]) == 5, "February 26, March 4, May 13, 20 and 27"
    days = {start.date() for starts in seen for start in starts}
    looked = Counter(at.date() for at in followed["calendar"])
    assert {looked[day] for day in days} == {24}, "hourly on race days"


def more(before: dict[str, list[datetime]], after: dict[str, list[datetime]]) -> dict[str, int]:
    """By job, how many runs came on top."""
    return {name: len(ran) - len(before[name]) for name, ran in after.items()}


def test_a_failed_job_is_retried_with_growing_pauses_and_shown_until_it_is_complete(
    starting: Callable[[datetime], FakedTime], runs: Runs, settings: Settings
) -> None:
    begin = datetime(2024, 3, 20, 12, tzinfo=UTC)
    runs.ends = lambda: JobResult(Ended.INCOMPLETE, errors=["Round 3 is not there."])
    jobs = starting(begin)
    jobs.settle()
    assert jobs.jobs.failing() == {"first": "Round 3 is not there."}
    assert health(jobs.jobs)["status"] == "failing"
    assert on_file(settings)[0]["first"] == begin + timedelta(minutes=30)
    jobs.until(begin + timedelta(hours=2))
    assert [attempt for _, attempt, _ in runs.done] == [1, 2, 3]
    assert runs.build_pending == [True, False, False], "a retry does what the run before left undone"

    runs.ends = JobResult
    again = starting(begin + timedelta(hours=2))  # a restart does not wait
    again.settle()
    assert again.jobs.failing() == {}
    assert health(again.jobs)["status"] == "ok"
    again.until(begin + timedelta(hours=9))
    assert runs.done[-1] == ("first", 4, begin + timedelta(hours=2)), "nothing more is pending"

    runs.ends = lambda: JobResult(Ended.FAILED, errors=["fact_laps failed."], build_pending=True)
    again.until(datetime(2024, 3, 21, 0, 2, 30, tzinfo=UTC))
    assert again.jobs.failing() == {"season": "fact_laps failed."}
    assert [(name, attempt, at.minute) for name, attempt, at in runs.done[-2:]] == [
        ("season", 1, 0),
        ("season", 2, 1),
    ]
    assert runs.build_pending[-1], "the build"


@pytest.mark.parametrize(
    ("error", "reason"), [(Busy("A backfill is on."), "A backfill is on."), (ValueError("odd"), "ValueError: odd")]
)
def test_a_run_that_raises_has_failed_and_is_retried_with_a_build(
    starting: Callable[[datetime], FakedTime], runs: Runs, error: Exception, reason: str
) -> None:
    def raises() -> JobResult:
        raise error

    runs.ends = raises
    jobs = starting(BEFORE)
    jobs.settle()
    assert jobs.jobs.failing() == {"first": reason}
    assert jobs.jobs.next_runs()["first"] == BEFORE + timedelta(minutes=1)
    runs.ends = lambda: JobResult(Ended.FAILED, errors=["No answer."])
    jobs.until(BEFORE + timedelta(minutes=2))
    runs.ends = raises
    jobs.until(BEFORE + timedelta(minutes=15))
    assert runs.build_pending == [True, True, False, True], "rows may have been stored before it raised"
