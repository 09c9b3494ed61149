"""``f1stream demo`` as a newcomer meets it: it runs, adds up, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import psutil
import pytest

from f1stream.embedded.running import embedded_warehouse
from f1stream.settings import Settings
from f1stream.sources.archive_samples import DECIMALS
from f1stream.sources.spec import open_source
from f1stream.warehouse.connection import Warehouse
from models import Lap
from tests.support.demo import DEMO, RunningDemo, environment_in, run_demo
from tests.support.figures import figures
from tests.support.jolpica_server import JolpicaServer, season_of

DELETED_LATER = 7
"""Laps that are published a second time, when race control deletes their time."""
NAMED_BY_RACE_CONTROL = {
    ("22", 47): {"deleted": True, "deleted_reason": "TRACK LIMITS AT TURN 4 LAP 47"},
    ("81", 44): {"deleted": True, "deleted_reason": "TRACK LIMITS AT TURN 12 LAP 44"},
}
"""By car and lap, deletions that FastF1 does not have: of a time (2:33.312) that no lap of its has, and of none."""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return environment_in(tmp_path)


def test_sessions_at_once_are_accounted_for(environment: dict[str, str], tmp_path: Path) -> None:
    """The one whole run of `make test`: every process is started, and all that is published comes to its end."""
    told = tmp_path / "report.json"
    ended = run_demo(
        environment, "--source", "sim:cars=4,laps=1,sessions=2", "--speed", "max", "--exit-when-done",
        "--report", str(told),
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "SIMULATED" in ended.stdout
    assert "Marts built" in ended.stdout
    report = json.loads(told.read_text())
    assert report["session_key"] == "sim-1,sim-2"
    assert report["warehouse"] == {
        "telemetry": report["samples"], "laps": report["laps"], "messages": report["messages"], "dead_letters": 0,
        "duplicates": 0,
    }  # fmt: skip
    assert report["laps"] == 2 * 4
    assert not list(tmp_path.glob("f1stream-*/*")), "nothing is left among the temporary files"


@pytest.mark.system
def test_ctrl_c_ends_the_simulated_race_that_is_shown_without_a_network(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """On a terminal, with all its processes; what else may end it is in tests/test_supervisor.py."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(DEMO[0], DEMO, {**environment, "TERM": "xterm", "COLUMNS": "200"})  # noqa: S606 - no shell is wanted
    try:
        shown = b""
        while b"\x1b[?25l" not in shown.partition(b"Watch it on")[2]:
            shown += os.read(terminal, 65_536)
        assert b"a simulated race instead" in shown
        assert b"SIMULATED" in shown
        children = psutil.Process(pid).children(recursive=True)
        assert len(children) == 7, "broker, race, web, warehouse, archive, scheduler and source"
        os.write(terminal, b"\x03")
        shown += read_to_the_end(terminal)
        assert re.findall(rb"\x1b\[\?25[lh]", shown)[-1] == b"\x1b[?25h"
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert not any(child.is_running() for child in children)
        assert not list(tmp_path.glob("f1stream-*/*")), "nothing is left among the temporary files"
    finally:
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)


def read_to_the_end(terminal: int) -> bytes:
    shown = b""
    while True:
        try:
            shown += os.read(terminal, 65_536)
        except OSError:  # nobody has it open any more
            return shown


@pytest.mark.system
def test_whole_australian_grand_prix_is_accounted_for(
    environment: dict[str, str], archive_path: Path, tmp_path: Path
) -> None:
    told = tmp_path / "report.json"
    ended = run_demo(
        environment,
        "--source",
        f"archive:{archive_path}",
        "--speed",
        "max",
        "--exit-when-done",
        "--report",
        str(told),
        "--keep",
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    report = json.loads(told.read_text())
    assert_telemetry_is_the_archives(environment, archive_path)
    assert_laps_are_the_archives(environment, archive_path)
    expected = json.loads((archive_path / "expected.json").read_text())
    assert report["samples"] == expected["telemetry_rows"]
    assert report["laps"] == expected["lap_rows"] + DELETED_LATER
    assert report["final_order"] == expected["final_order"]
    assert report["dead_letters"] == 0
    assert report["warehouse"] == {
        "telemetry": expected["telemetry_rows"], "laps": report["laps"], "messages": report["messages"],
        "dead_letters": 0, "duplicates": 0,
    }  # fmt: skip
    seconds, rss = report["seconds"], report["peak_rss_mb"]
    figures.append(
        f"whole race through broker, workers, web and warehouse, from nothing started: {seconds['total']:.1f} s"
    )
    figures.append("peak memory, MB: " + ", ".join(f"{name} {size}" for name, size in rss.items()))


SAME = {
    "Driver": "e.tla", "DriverNumber": "o.driver_number", "Date": "o.utc at time zone 'UTC'", "X": "o.x", "Y": "o.y",
    "Z": "o.z", "Speed": "o.speed", "RPM": "o.rpm", "Throttle": "o.throttle", "Brake": "o.brake",
    "DRS": "case when o.drs = 12 then 1 else o.drs end",
    "nGear": "o.gear", "Distance": "o.distance", "RelativeDistance": "o.relative_distance",
    "DriverAhead": "o.driver_ahead", "DistanceToDriverAhead": "o.distance_to_driver_ahead",
}  # fmt: skip
"""The archive's columns and the warehouse's; the other two, Lap and session_time_ms, are what rows are joined by.
Of the feed's codes for DRS this archive has only open and closed."""


def assert_telemetry_is_the_archives(environment: dict[str, str], archive: Path) -> None:
    """Every row of the Parquet file is in RAW.TELEMETRY with the same values, and no other.

    One query over both: the kept warehouse's file, and the Parquet file.
    """
    own = duckdb.connect()
    own.execute(f"attach '{environment['F1STREAM_HOME']}/warehouse/F1STREAM.db' as kept (read_only)")
    own.execute("create view ours as select * from kept.RAW.TELEMETRY")
    ((payload,),) = own.execute("select payload from kept.RAW.MESSAGES where kind = 'entries'").fetchall()
    own.execute("create table entries (number varchar, tla varchar)")
    own.executemany(
        "insert into entries values (?, ?)",
        [(car["driver_number"], car["tla"]) for car in json.loads(payload)["entries"]],
    )
    own.execute(
        "create table archive as select t.*, a.* from read_parquet(?, file_row_number = true) t"
        " positional join read_parquet(?) a",
        [str(archive / "telemetry.parquet"), str(archive / "driver_ahead.parquet")],
    )
    there = {name for (name, *_) in own.execute("describe archive").fetchall()}
    assert there - {"file_row_number"} == {*SAME, "Lap", "session_time_ms"}, "a column is not compared"
    differences = []
    for theirs, mine in SAME.items():
        # The archive has 32-bit floats of decimals; what is published, and loaded, are those decimals.
        archived = f"round(a.{theirs}::double, {DECIMALS[theirs]})" if theirs in DECIMALS else f"a.{theirs}"
        archived = "a.Brake::boolean" if theirs == "Brake" else archived
        differences.append(
            f"count(*) filter (where {archived}::varchar is distinct from ({mine})::varchar) as {theirs}"
        )
    (counted,) = own.execute(
        f"select count(*), count(a.Lap), count(o.lap), {', '.join(differences)} from archive a"
        " full join ours o on o.driver_number = a.DriverNumber and o.lap = a.Lap"
        " and o.session_time_ms = a.session_time_ms left join entries e on e.number = o.driver_number"
    ).fetchall()
    rows, of_archive, of_ours, *wrong = counted
    assert rows == of_archive == of_ours == 751_872
    assert dict(zip(SAME, wrong, strict=True)) == dict.fromkeys(SAME, 0)


def assert_laps_are_the_archives(environment: dict[str, str], archive: Path) -> None:
    """Every lap of laps.jsonl is in RAW.LAPS with the same values, once revisions are applied."""
    settings = Settings(_env_file=None, **{
        name.removeprefix("F1STREAM_").lower(): value
        for name, value in environment.items() if name.startswith("F1STREAM_")
    })  # fmt: skip
    with embedded_warehouse(settings):
        warehouse = Warehouse(settings)
        told = warehouse.rows("select * from RAW.LAPS order by emitted_ms")
        warehouse.close()
    lines = [json.loads(line) for line in (archive / "laps.jsonl").read_text().splitlines()]
    assert len(told) == len(lines) + DELETED_LATER
    rows = {(row["driver_number"], row["lap_number"]): row for row in told}
    assert len(rows) == len(lines)
    for line in lines:
        row = rows[line["DriverNumber"], line["LapNumber"]]
        named = NAMED_BY_RACE_CONTROL.get((line["DriverNumber"], line["LapNumber"]), {})
        for name, field in Lap.model_fields.items():
            told = named.get(name, line[str(field.validation_alias)])
            if name == "start_utc" and told is not None:
                told = datetime.fromisoformat(told).astimezone(UTC).replace(tzinfo=None)
            assert row[name] == told, (name, line)


@pytest.mark.system
def test_result_and_standings_are_on_the_page_after_the_session(
    environment: dict[str, str], jolpica_data: Path
) -> None:
    """From the marts: the order of the simulator's own truth, and the season's standings from a Jolpica beside it."""
    year, source = datetime.now(UTC).year, "sim:laps=3,cars=8"
    with JolpicaServer() as server:
        server.answers = season_of(year, 2, jolpica_data)
        demo = RunningDemo(environment | {"F1STREAM_JOLPICA_URL": server.url}, "--source", source, "--speed", "max")
        try:
            demo.wait_for("Marts built")
            result = demo.get_soon("/api/sessions/sim-1/result")
            season = demo.get_soon(f"/api/seasons/{year}")
        finally:
            demo.process.send_signal(signal.SIGINT)
            assert demo.process.wait(30) == 0
            demo.process.kill()
    truth = open_source(source)[0]().truth
    assert truth is not None
    assert [row["driver_number"] for row in result["rows"]] == truth.order
    assert {row["source"] for row in result["rows"]} == {"stream"}
    for number, told in (each.split("/")[1:] for each in server.answers if each.endswith("driverstandings")):
        if int(number) <= 2:
            (listed,) = server.answers[f"{year}/{number}/{told}"]["StandingsTable"]["StandingsLists"]
            shown = season["rounds"][int(number) - 1]["drivers"]
            assert [(row["code"], row["points"]) for row in shown[:10]] == [
                (row["Driver"]["code"], float(row["points"])) for row in listed["DriverStandings"][:10]
            ]
