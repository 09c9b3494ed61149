"""A season from the API into the warehouse."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyrate_limiter import Rate
from snowflake.connector.cursor import SnowflakeCursor
from snowflake.connector.errors import OperationalError

from f1stream.embedded.running import embedded_warehouse
from f1stream.jolpica.client import ApiAnswer, JolpicaClient, Unreachable, open_jolpica
from f1stream.jolpica.landing import Landing, RowChanges
from f1stream.jolpica.resources import ALL, Query
from f1stream.jolpica.sync import Sync
from f1stream.settings import Settings
from f1stream.warehouse.connection import Warehouse
from f1stream.warehouse.errors import WarehouseError
from f1stream.warehouse.schema import create
from tests.support.figures import figures
from tests.support.jolpica_server import JolpicaServer, body, season_2024, status
from tests.support.ports import free_port

pytestmark = pytest.mark.system
AFTER_THE_SEASON = datetime(2024, 12, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def season(jolpica_data: Path) -> dict[str, Any]:
    return season_2024(jolpica_data)


@pytest.fixture
def server(season: dict[str, Any]) -> Iterator[JolpicaServer]:
    with JolpicaServer() as server:
        server.answers = json.loads(json.dumps(season))
        yield server


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    settings = Settings(_env_file=None, home=tmp_path_factory.mktemp("home"), embedded_warehouse_port=free_port())
    with embedded_warehouse(settings):
        with closing(Warehouse(settings)) as warehouse:
            list(create(warehouse, "F1STREAM"))
        yield settings


@pytest.fixture
def warehouse(embedded: Settings) -> Iterator[Warehouse]:
    warehouse = Warehouse(embedded)
    tables = ["RAW.JOLPICA_HISTORY", "RAW.JOLPICA_QUARANTINE", "OPS.JOLPICA_ANSWERS"]
    for table in tables + [resource.table for resource in ALL]:
        warehouse.execute(f"delete from {table}")
    yield warehouse
    warehouse.close()


@pytest.fixture
def until_belgium(server: JolpicaServer) -> JolpicaServer:
    """A season with only rounds 13 and 14."""
    table = server.answers["2024/races"]["RaceTable"]
    table["Races"] = [race for race in table["Races"] if race["round"] in {"13", "14"}]
    return server


@pytest.fixture
def syncing(server: JolpicaServer, embedded: Settings, warehouse: Warehouse) -> Callable[..., Any]:
    """A run at a given time, without rate limits, which other tests cover."""

    @asynccontextmanager
    async def open_sync(now: datetime = AFTER_THE_SEASON) -> AsyncIterator[Sync]:
        settings = embedded.model_copy(update={"jolpica_url": server.url, "jolpica_retry_seconds": 0.05})
        async with open_jolpica(settings, (Rate(100_000, 1_000),)) as api:
            yield Sync(api, Landing(warehouse), now=lambda: now)

    return open_sync


def landed(warehouse: Warehouse, name: str) -> list[dict[str, Any]]:
    rows = warehouse.rows(
        f"select season, round, entity, payload, first_seen, last_seen, gone_at from RAW.JOLPICA_{name}"
        " order by round, entity"
    )
    return [row | {"payload": json.loads(row["payload"])} for row in rows]


async def test_a_whole_season_is_stored_as_sent(
    server: JolpicaServer, warehouse: Warehouse, syncing: Any, season: dict[str, Any]
) -> None:
    async with syncing() as sync:
        outcome = await sync.backfill([2024])
    assert outcome.waiting == ["2024/24/laps"], "no laps are in the files; those of the last race can still come"
    for kind, rows in (("driverstandings", "DriverStandings"), ("constructorstandings", "ConstructorStandings")):
        for number in range(1, 25):
            table = season[f"2024/{number}/{kind}"]["StandingsTable"]["StandingsLists"][0][rows]
            found = [row["payload"] for row in landed(warehouse, kind.upper()) if row["round"] == number]
            assert sorted(found, key=str) == sorted(table, key=str)
    for kind, rows in (("results", "Results"), ("qualifying", "QualifyingResults"), ("pitstops", "PitStops")):
        sent = [row for n in range(1, 25) for row in season[f"2024/{n}/{kind}"]["RaceTable"]["Races"][0][rows]]
        found = [{k: v for k, v in row["payload"].items() if k != "Race"} for row in landed(warehouse, kind.upper())]
        assert sorted(found, key=str) == sorted(sent, key=str)
    assert Counter(row["round"] for row in landed(warehouse, "SPRINT")) == dict.fromkeys([5, 6, 11, 19, 21, 23], 20)

    points: dict[str, Decimal] = Counter()  # type: ignore[assignment]
    for name in ("RESULTS", "SPRINT"):
        for row in landed(warehouse, name):
            points[row["payload"]["Driver"]["driverId"]] += Decimal(row["payload"]["points"])
    final = [row["payload"] for row in landed(warehouse, "DRIVERSTANDINGS") if row["round"] == 24]
    assert {row["Driver"]["driverId"]: Decimal(row["points"]) for row in final} == points
    assert points["max_verstappen"] == 437


async def test_answered_queries_are_not_repeated(server: JolpicaServer, syncing: Any) -> None:
    async with syncing() as sync:
        await sync.backfill([2024], {5, 24})
    assert server.asked() == 5 + 7 + 6
    server.requests.clear()
    async with syncing() as sync:
        await sync.backfill([2024], {5, 24})
    # The calendar of the active season, and the empty answers.
    assert Counter(path for _, path, _ in server.requests) == Counter(["2024/races", "2024/24/laps"])


async def test_a_correction_replaces_the_row_and_its_history_is_kept(
    until_belgium: JolpicaServer, warehouse: Warehouse, syncing: Any
) -> None:
    async with syncing() as sync:
        await sync.backfill([2024])
    belgium = until_belgium.answers["2024/14/results"]["RaceTable"]["Races"][0]["Results"]
    russell = next(row for row in belgium if row["Driver"]["driverId"] == "russell")
    before = dict(russell)
    russell |= {"positionText": "W", "points": "1"}
    removed = belgium.pop(0)
    later = AFTER_THE_SEASON + timedelta(days=7)
    async with syncing(later) as sync:
        outcome = await sync.sync([2024], whole_season=True)
    assert (outcome.landed.changed, outcome.landed.gone) == (1, 1), outcome
    rows = {row["entity"]: row for row in landed(warehouse, "RESULTS") if row["round"] == 14}
    assert len(rows) == 20
    assert rows["russell"]["payload"]["positionText"] == "W"
    assert rows["russell"]["first_seen"] == rows["russell"]["last_seen"] == later.replace(tzinfo=None)
    assert rows["piastri"]["first_seen"] == AFTER_THE_SEASON.replace(tzinfo=None)
    assert rows["piastri"]["last_seen"] == later.replace(tzinfo=None)
    assert rows[removed["Driver"]["driverId"]]["gone_at"] == later.replace(tzinfo=None)
    history = warehouse.rows("select entity, payload, first_seen, last_seen from RAW.JOLPICA_HISTORY")
    assert {row["entity"] for row in history} == {"russell", removed["Driver"]["driverId"]}
    kept = next(row for row in history if row["entity"] == "russell")
    assert {k: v for k, v in json.loads(kept["payload"]).items() if k != "Race"} == before
    assert kept["first_seen"] == kept["last_seen"] == AFTER_THE_SEASON.replace(tzinfo=None)

    belgium.append(removed)
    async with syncing(later + timedelta(days=7)) as sync:
        await sync.sync([2024], whole_season=True)
    back = [row for row in landed(warehouse, "RESULTS") if row["entity"] == removed["Driver"]["driverId"]]
    assert [row["gone_at"] for row in back if row["round"] == 14] == [None]


def noting(statements: list[str]) -> Callable[..., Any]:
    """``SnowflakeCursor.execute``, which adds each statement to a list."""
    execute = SnowflakeCursor.execute

    def noted(self: Any, command: str, *arguments: Any, **options: Any) -> Any:
        statements.append(command)
        return execute(self, command, *arguments, **options)

    return noted


async def test_unchanged_answers_are_read_once_and_recorded_together(
    server: JolpicaServer, warehouse: Warehouse, syncing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One read for each table that has rows; at the end one statement for each and one for all answers."""
    rounds = set(range(1, 9))
    async with syncing() as sync:
        await sync.backfill([2024], rounds)
    statements: list[str] = []
    monkeypatch.setattr(SnowflakeCursor, "execute", noting(statements))
    server.requests.clear()
    later = AFTER_THE_SEASON + timedelta(days=7)
    async with syncing(later) as sync:
        outcome = await sync.backfill([2024], rounds, again=True)
    monkeypatch.undo()
    assert (outcome.landed.new, outcome.landed.changed, outcome.landed.gone) == (0, 0, 0)
    answers = outcome.answered + len(outcome.waiting)
    kinds = Counter(statement.split()[0] for statement in statements)
    figures.append(f"{len(statements)} statements for {answers} unchanged answers of Jolpica: {dict(kinds)}")
    changing = {"insert", "update", "delete", "merge"}
    assert sum(kinds[kind] for kind in changing) <= len(ALL) + 1
    assert kinds["select"] <= len(ALL) + 1, "and one for the calendar"
    seen = warehouse.rows("select distinct last_seen from RAW.JOLPICA_RESULTS where gone_at is null")
    assert [row["last_seen"] for row in seen] == [later.replace(tzinfo=None)]
    assert {answer.answered_at for answer in Landing(warehouse).answers().values()} == {later}


def test_an_answer_is_compared_with_the_one_before_without_reading_it_again(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stops(*durations: str) -> list[dict[str, Any]]:
        return [{"driverId": "piastri", "stop": str(n), "duration": value} for n, value in enumerate(durations)]

    def land(season: int, rows: list[dict[str, Any]], **options: Any) -> tuple[int, ...]:
        changes = landing.land(Query(season, 3, "pitstops"), rows, AFTER_THE_SEASON, **options)
        return changes.new, changes.changed, changes.gone, changes.same

    statements: list[str] = []
    monkeypatch.setattr(SnowflakeCursor, "execute", noting(statements))
    landing = Landing(warehouse)
    assert land(2024, stops("22.1", "23.4")) == (2, 0, 0, 0)
    assert land(2024, stops("22.1", "23.5")) == (0, 1, 0, 1)
    assert land(2024, stops("22.1"), complete=False) == (0, 0, 0, 1), "the second stop stays"
    assert land(2024, stops("22.1", "23.5", "24")) == (1, 0, 0, 2)
    assert land(2024, stops("22.2")) == (0, 1, 2, 0)
    assert land(2024, stops("22.2", "23.5")) == (1, 0, 0, 1)
    assert [each for each in statements if each.startswith("select")] == statements[:1]
    statements.clear()
    assert land(2024, stops("22.2", "23.5")) == (0, 0, 0, 2)
    assert statements == []

    assert land(2023, stops("22.2")) == (1, 0, 0, 0)
    assert land(2024, stops("22.2", "23.5")) == (0, 0, 0, 2)
    assert len([each for each in statements if each.startswith("select")]) == 2, "one season is in memory"

    execute = SnowflakeCursor.execute

    def lost(self: Any, command: str, *arguments: Any, **options: Any) -> Any:
        execute(self, command, *arguments, **options)
        if command == "commit":
            raise OperationalError("The connection was lost.")
        return self

    with monkeypatch.context() as patch:
        patch.setattr(SnowflakeCursor, "execute", lost)
        with pytest.raises(OperationalError):
            land(2024, stops("22.2", "23.5", "24"))
    assert land(2024, stops("22.2", "23.5", "24")) == (0, 0, 0, 3), "it had been committed"


async def test_a_run_that_fails_records_the_unchanged_answers_and_counts_what_it_stored(
    until_belgium: JolpicaServer, warehouse: Warehouse, syncing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with syncing() as sync:
        await sync.backfill([2024])
    until_belgium.answers["2024/13/results"]["RaceTable"]["Races"][0]["Results"].pop()
    later = AFTER_THE_SEASON + timedelta(days=7)
    land = Landing.land

    def fails_at_the_end(self: Landing, query: Query, *arguments: Any, **options: Any) -> RowChanges:
        if query == Query(2024, 14, "pitstops"):
            raise OperationalError("The warehouse is suspended.")
        return land(self, query, *arguments, **options)

    monkeypatch.setattr(Landing, "land", fails_at_the_end)
    async with syncing(later) as sync:
        with pytest.raises(WarehouseError, match="The warehouse is suspended"):
            await sync.backfill([2024], again=True)
    assert sync.outcome.landed.gone == 1
    assert sync.outcome.requests > 0
    answered = {query for query, answer in Landing(warehouse).answers().items() if answer.answered_at == later}
    assert {Query(2024, None, "races"), Query(2024, 13, "qualifying"), Query(2024, 13, "results")} <= answered
    assert Query(2024, 14, "pitstops") not in answered


async def test_an_answer_that_is_being_stored_when_its_run_fails_is_stored_and_counted(
    syncing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, released, order = threading.Event(), threading.Event(), list[str]()
    land, record, read = Landing.land, Landing.record_unchanged, JolpicaClient.read

    def slow(*arguments: Any, **options: Any) -> RowChanges:
        begun.set()
        released.wait(10)
        changes = land(*arguments, **options)
        order.append("stored")
        return changes

    def recorded(self: Landing) -> None:
        order.append("recorded")
        record(self)

    async def without_2023(self: JolpicaClient, query: Query) -> ApiAnswer:
        if query.season == 2024:
            return await read(self, query)
        await asyncio.to_thread(begun.wait, 10)
        asyncio.get_running_loop().call_later(0.1, released.set)
        raise Unreachable("2023/races: no answer.")

    monkeypatch.setattr(Landing, "land", slow)
    monkeypatch.setattr(Landing, "record_unchanged", recorded)
    monkeypatch.setattr(JolpicaClient, "read", without_2023)
    async with syncing() as sync:
        with pytest.raises(Unreachable):
            await sync.sync([2024, 2023])
    assert order == ["stored", "recorded"]
    assert sync.outcome.landed.new == 24


async def test_an_empty_answer_where_one_is_due_is_repeated_and_deletes_nothing(
    until_belgium: JolpicaServer, warehouse: Warehouse, syncing: Any
) -> None:
    server = until_belgium
    race_day = datetime(2024, 7, 28, 18, tzinfo=UTC)
    answer = server.answers.pop("2024/14/results")
    async with syncing(race_day) as sync:
        outcome = await sync.sync()
    assert "2024/14/results" in outcome.waiting
    assert not outcome.complete
    server.answers["2024/14/results"] = answer
    async with syncing(race_day + timedelta(hours=1)) as sync:
        outcome = await sync.sync()
    assert "2024/14/results" not in outcome.waiting
    del server.answers["2024/14/results"]
    async with syncing(race_day + timedelta(hours=2)) as sync:
        outcome = await sync.sync()
    assert "2024/14/results" in outcome.waiting
    assert len([row for row in landed(warehouse, "RESULTS") if row["round"] == 14 and not row["gone_at"]]) == 20


async def test_an_answer_of_unexpected_shape_is_quarantined_and_the_rest_continues(
    server: JolpicaServer, warehouse: Warehouse, syncing: Any
) -> None:
    winner = server.answers["2024/3/results"]["RaceTable"]["Races"][0]["Results"][0]["Driver"]
    name, winner["driverId"] = winner["driverId"], ""
    server.answers["2024/3/pitstops"]["RaceTable"]["Races"][0]["PitStops"][0]["duration"] = ""
    server.faults["2024/4/qualifying"] = [body("<html>maintenance</html>", "text/html")] * 6
    server.faults["2024/5/pitstops"] = [status(500)] * 6
    async with syncing() as sync:
        outcome = await sync.backfill([2024], {3, 4, 5})
    assert sorted(outcome.quarantined) == ["2024/3/results", "2024/4/qualifying"]
    assert len(outcome.unanswered) == 1
    assert "2024/5/pitstops" in outcome.unanswered[0]
    quarantine = warehouse.rows("select url, reason, body from RAW.JOLPICA_QUARANTINE order by url")
    assert "duration ''" in quarantine[0]["reason"]
    assert (
        "Driver.driverId '' (String should have at least 1 character): its row is left out" in quarantine[1]["reason"]
    )
    assert "2024/3/results.json?limit=100&offset=0" in quarantine[1]["url"]
    assert quarantine[2]["reason"].startswith("no JSON")
    assert quarantine[2]["body"] == "<html>maintenance</html>"
    assert len(landed(warehouse, "RESULTS")) == 18 + 2 * 20, "the rest is stored"
    assert any("duration" not in row["payload"] for row in landed(warehouse, "PITSTOPS"))
    assert len(outcome.flaws) == 2
    assert {row["round"] for row in landed(warehouse, "DRIVERSTANDINGS")} == {3, 4, 5}

    async with syncing() as sync:  # once they are valid, nothing is missing and only they are queried
        winner["driverId"] = name
        server.requests.clear()
        await sync.backfill([2024], {3, 4, 5})
    asked = {path for _, path, _ in server.requests} - {"2024/races"}
    assert asked == {"2024/3/results", "2024/4/qualifying", "2024/5/pitstops"}
    assert len([row for row in landed(warehouse, "RESULTS") if row["round"] == 3]) == 19


async def test_a_row_that_is_left_out_deletes_no_stored_row(
    server: JolpicaServer, warehouse: Warehouse, syncing: Any, until_belgium: JolpicaServer
) -> None:
    async with syncing() as sync:
        await sync.backfill([2024])
    server.answers["2024/14/results"]["RaceTable"]["Races"][0]["Results"][5]["Driver"]["driverId"] = ""
    server.answers["2024/14/results"]["RaceTable"]["Races"][0]["Results"][6]["points"] = "several"
    async with syncing() as sync:
        outcome = await sync.backfill([2024], again=True)
    assert outcome.quarantined == ["2024/14/results"]
    rows = [row for row in landed(warehouse, "RESULTS") if row["round"] == 14]
    assert [row["gone_at"] for row in rows] == [None] * 20
    assert len([row for row in rows if "points" not in row["payload"]]) == 1


async def test_faults_of_every_kind_lose_nothing(
    server: JolpicaServer, warehouse: Warehouse, syncing: Any, season: dict[str, Any]
) -> None:
    kinds = [status(429, Retry_After="0"), status(500), body("{"), body("<html>"), status(503)]
    for n, path in enumerate(season):
        server.faults[path] = [kinds[n % 5], kinds[(n + 2) % 5]]
    async with syncing() as sync:
        outcome = await sync.backfill([2024], set(range(1, 9)))
    assert not outcome.quarantined
    assert not outcome.unanswered
    sent = [len(season[f"2024/{n}/results"]["RaceTable"]["Races"][0]["Results"]) for n in range(1, 9)]
    assert [len([row for row in landed(warehouse, "RESULTS") if row["round"] == n]) for n in range(1, 9)] == sent


async def test_when_the_api_goes_down_the_rest_is_left_for_the_next_run(server: JolpicaServer, syncing: Any) -> None:
    async with syncing() as sync:
        server.faults["*"] = []
        for n in range(8, 25):
            for resource in ALL:
                server.faults[f"2024/{n}/{resource.name}"] = [status(500)] * 6
        outcome = await sync.backfill([2024])
    assert len(outcome.unanswered) <= 6
    assert outcome.not_asked > 50
    assert any("Run the command again" in sentence for sentence in outcome.sentences())


async def test_without_an_api_nothing_is_stored(syncing: Any, server: JolpicaServer) -> None:
    server.faults["*"] = [status(500)] * 6
    async with syncing() as sync:
        with pytest.raises(Unreachable):
            await sync.sync()


def test_a_killed_backfill_continues(
    server: JolpicaServer, warehouse: Warehouse, embedded: Settings, season: dict[str, Any]
) -> None:
    environment = {
        **os.environ, "F1STREAM_HOME": str(embedded.home), "F1STREAM_JOLPICA_URL": server.url,
        "F1STREAM_EMBEDDED_WAREHOUSE_PORT": str(embedded.embedded_warehouse_port),
    }  # fmt: skip
    command = [sys.executable, "-m", "f1stream", "jolpica", "backfill", "--from", "2024", "--to", "2024"]
    command += ["--rounds", "1-5"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 60
    while server.asked() < 15 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    done = {str(query) for query in Landing(warehouse).answers()}
    assert len(done) >= 8
    server.requests.clear()
    second = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert second.returncode == 0, second.stderr
    assert "rows new" in second.stdout
    asked = {path for _, path, _ in server.requests}
    assert not (asked & done)
    answers = Landing(warehouse).answers()
    assert {Query(2024, n, "results") for n in range(1, 6)} <= set(answers)
    for number in range(1, 6):
        rows = [row for row in landed(warehouse, "RESULTS") if row["round"] == number]
        assert len(rows) == len(season[f"2024/{number}/results"]["RaceTable"]["Races"][0]["Results"])
