"""Jobs as they run, with a Jolpica beside them, a warehouse and dbt: a season with a cancelled race, and failures.

When they run is in test_scheduler.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from pyrate_limiter import Rate
from snowflake.connector.errors import OperationalError

from f1stream.embedded.running import embedded_warehouse
from f1stream.jobs import work
from f1stream.jobs.runs import Ended
from f1stream.jobs.scheduler import on_file
from f1stream.jobs.serve import health
from f1stream.jobs.work import JOBS, run_job
from f1stream.jolpica import client
from f1stream.jolpica.landing import Landing
from f1stream.marts.build import Build, BuildFailed
from f1stream.settings import Settings
from f1stream.warehouse.connection import Warehouse
from tests.support.clock import FakedTime
from tests.support.jolpica_server import JolpicaServer, laps_answer, season_2024
from tests.support.ports import free_port

pytestmark = pytest.mark.system
AFTER_MIAMI = datetime(2024, 5, 6, 12, tzinfo=UTC)
AFTER = datetime(2024, 12, 20, 12, tzinfo=UTC)
IMOLA = 7


@pytest.fixture(scope="module")
def season(jolpica_data: Path) -> dict[str, Any]:
    return season_2024(jolpica_data)


@pytest.fixture
def server(season: dict[str, Any]) -> Iterator[JolpicaServer]:
    """It publishes results two hours after a race has begun, by the faked clock."""
    with JolpicaServer() as server:
        server.answers = json.loads(json.dumps(season))

        for number in range(1, 25):  # the files have no laps
            (race,) = [race for race in races(server) if race["round"] == str(number)]
            server.answers[f"2024/{number}/laps"] = laps_answer(race, [(1, "max_verstappen", 1, "1:30.000")])

        def hidden(path: str) -> bool:
            number, what = [*path.split("/"), ""][1:3]
            if not number.isdigit():
                return False
            race = next(race for race in races(server) if race["round"] == number)
            of = {"qualifying": "Qualifying", "sprint": "Sprint"}.get(what)
            return datetime.now(UTC) < start_of(race.get(of, race)) + timedelta(hours=2)

        server.hides = hidden
        yield server


def races(server: JolpicaServer) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.answers["2024/races"]["RaceTable"]["Races"]
    return found


def start_of(session: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(f"{session['date']}T{session['time']}")


@pytest.fixture
def settings(tmp_path: Path, server: JolpicaServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """With a warehouse, and without the API's limits: those have tests of their own."""
    settings = Settings(
        _env_file=None, home=tmp_path, embedded_warehouse_port=free_port(), embedded_broker_port=free_port(),
        jolpica_url=server.url, jolpica_retry_seconds=0.01, schedule_live=False,
    )  # fmt: skip
    unlimited = client.shared_bucket
    monkeypatch.setattr(client, "shared_bucket", lambda home, _: unlimited(home, (Rate(100_000, 1_000),)))
    with embedded_warehouse(settings):
        yield settings


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """When dbt was called, without calling it."""
    called: list[datetime] = []

    def build(_: Settings) -> Build:
        called.append(datetime.now(UTC))
        return Build(0, 0, [], 0.0)

    monkeypatch.setattr(work, "build", build)
    monkeypatch.setattr(work, "read", lambda *_: [])
    return called


def runs(settings: Settings) -> list[dict[str, Any]]:
    warehouse = Warehouse(settings)
    try:
        return warehouse.rows("select * from OPS.JOB_RUNS order by started_at, run_id")
    finally:
        warehouse.close()


def without_imola(server: JolpicaServer) -> None:
    """The race is cancelled: those after it move up a round, answers and all."""
    kept = {path: answer for path, answer in server.answers.items() if f"2024/{IMOLA}/" not in path}
    moved: dict[str, Any] = {}
    for path, answer in kept.items():
        number = path.split("/")[1]
        if number.isdigit() and int(number) > IMOLA:
            path = path.replace(f"/{number}/", f"/{int(number) - 1}/")  # noqa: PLW2901
            for table in answer.get("StandingsTable", {}).get("StandingsLists", []):
                table["round"] = str(int(number) - 1)
        moved[path] = answer
    table = moved["2024/races"]["RaceTable"]
    table["Races"] = [race for race in table["Races"] if race["round"] != str(IMOLA)]
    for number, race in enumerate(table["Races"], 1):
        race["round"] = str(number)
    server.answers = moved


def test_a_cancelled_race_and_those_renumbered_after_it_keep_their_keys(
    settings: Settings, server: JolpicaServer
) -> None:
    """The first run in May, and the next at the year's end, each with a build of the marts."""
    with time_machine.travel(AFTER_MIAMI, tick=False):
        run_job(JOBS["first"], settings)
    before = events(settings)
    without_imola(server)
    with time_machine.travel(AFTER, tick=False):
        assert run_job(JOBS["season"], settings).ended is Ended.COMPLETE
    after = events(settings)
    assert len(after) == len(before) == 24
    assert {name: key for name, (key, *_) in after.items()} == {name: key for name, (key, *_) in before.items()}
    assert after["Emilia Romagna Grand Prix"][2] == "cancelled"
    assert before["Monaco Grand Prix"][1] == IMOLA + 1
    assert after["Monaco Grand Prix"][1] == IMOLA
    assert [state for *_, state in after.values()].count("held") == 23
    compare_with_files(settings, server)


def test_a_failed_job_is_retried_with_growing_pauses_and_shown_until_it_is_complete(
    starting: Callable[[datetime], FakedTime], server: JolpicaServer, settings: Settings, builds: list[datetime],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    begin = datetime(2024, 3, 20, 12, tzinfo=UTC)
    answers, server.answers = server.answers, {"2024/races": {"RaceTable": {"Races": [{"season": "2024"}]}}}
    jobs = starting(begin)
    jobs.settle()
    assert "first" in jobs.jobs.failing()
    assert health(jobs.jobs)["status"] == "failing"
    assert builds == [], "nothing came"
    assert on_file(settings)[0]["first"] == begin + timedelta(minutes=30)
    jobs.until(begin + timedelta(hours=2))
    assert [run["attempt"] for run in runs(settings)] == [1, 2, 3]
    assert {run["outcome"] for run in runs(settings)} == {"incomplete"}
    server.answers = answers
    again = starting(begin + timedelta(hours=2))  # a restart does not wait
    again.settle()
    assert again.jobs.failing() == {}
    assert health(again.jobs)["status"] == "ok"
    assert runs(settings)[-1]["outcome"] == "complete"
    assert len(builds) == 1
    again.until(begin + timedelta(hours=9))
    assert runs(settings)[-1]["attempt"] == 4, "nothing more is pending"

    def fails(_: Settings) -> Build:
        raise BuildFailed("dbt build ended with code 1; failed: fact_laps.")

    monkeypatch.setattr(work, "build", fails)
    again.until(datetime(2024, 3, 21, 0, 1, tzinfo=UTC))
    assert again.jobs.failing() == {"season": "dbt build ended with code 1; failed: fact_laps."}
    assert [run["outcome"] for run in runs(settings) if run["job"] == "season"] == ["failed"]


def test_rows_that_were_stored_before_a_load_failed_are_built(
    settings: Settings, builds: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retry would find them unchanged, and job ``first`` builds only what changed."""

    def fails(_: Landing) -> None:
        raise OperationalError("The warehouse is suspended.")

    with time_machine.travel(datetime(2024, 3, 5, 12, tzinfo=UTC), tick=False):
        with monkeypatch.context() as patch:
            patch.setattr(Landing, "record_unchanged", fails)
            result = run_job(JOBS["first"], settings)
        assert (result.ended, result.errors, len(builds)) == (Ended.FAILED, ["The warehouse is suspended."], 1)
        again = run_job(JOBS["first"], settings, 2, build_pending=result.build_pending)
    assert (again.ended, again.rows, len(builds)) == (Ended.COMPLETE, 0, 1)
    assert {run["attempt"]: run["row_count"] for run in runs(settings)} == {1: result.rows, 2: 0}
    assert result.rows > 100


def events(settings: Settings) -> dict[str, tuple[str, int, str]]:
    """By name: key, round, status."""
    warehouse = Warehouse(settings)
    rows = warehouse.rows(
        "select event_name, event_key, round, event_status from MARTS.FACT_EVENTS order by race_date"
    )
    warehouse.close()
    return {row["event_name"]: (row["event_key"], row["round"], row["event_status"]) for row in rows}


def compare_with_files(settings: Settings, server: JolpicaServer) -> None:
    """The marts' standings after every round are what the server says now."""
    expected = set()
    for path, answer in server.answers.items():
        if path.endswith("/driverstandings"):
            number = int(path.split("/")[1])
            for row in answer["StandingsTable"]["StandingsLists"][0]["DriverStandings"]:
                expected.add((number, row["Driver"]["driverId"], float(row["points"])))
    warehouse = Warehouse(settings)
    rows = warehouse.rows("select round, driver_id, points from MARTS.FACT_DRIVER_STANDINGS")
    warehouse.close()
    assert {(row["round"], row["driver_id"], float(row["points"])) for row in rows} == expected
    assert len(rows) == len(expected)
