"""``f1stream demo`` as a newcomer meets it: it runs, adds up, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pytest

from f1stream.embedded.running import embedded_warehouse
from f1stream.settings import Settings
from f1stream.sources.archive import DECIMALS
from f1stream.sources.spec import open_source
from f1stream.warehouse.connection import Warehouse
from models import Lap
from tests.support.figures import figures
from tests.support.jolpica_server import JolpicaServer, season_of
from tests.support.rig import free_port

STOPS_WITHIN_S = 5
DELETED_LATER = 6
"""Laps that are told a second time, when race control deletes their time."""
DEMO = [sys.executable, "-m", "f1stream", "demo"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "F1STREAM_HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "F1STREAM_BROKER": "",
        "F1STREAM_EMBEDDED_BROKER_PORT": str(free_port()),
        "F1STREAM_WEB_PORT": str(free_port()),
        "F1STREAM_RACE_PORT": str(free_port()),
        "F1STREAM_ARCHIVE_PORT": str(free_port()),
        "F1STREAM_SCHEDULE_PORT": str(free_port()),
        "F1STREAM_EMBEDDED_WAREHOUSE_PORT": str(free_port()),
    }


@pytest.fixture(autouse=True)
def hanging_up_is_not_ignored() -> Iterator[None]:
    """Under nohup the demo would inherit that it is; a handler of ours it does not."""
    before = signal.signal(signal.SIGHUP, lambda *_: None)
    yield
    signal.signal(signal.SIGHUP, before)


class RunningDemo:
    """A demo that is told to stop, or not."""

    def __init__(self, environment: dict[str, str], *options: str) -> None:
        self.environment = environment
        self.process = subprocess.Popen(
            [*DEMO, *options], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.told = ""

    def wait_for(self, text: str) -> None:
        assert self.process.stdout is not None
        while text not in self.told:
            line = self.process.stdout.readline()
            assert line, f"it ended and said: {self.told}"
            self.told += line

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def get(self, path: str) -> Any:
        port = self.environment["F1STREAM_WEB_PORT"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
            return json.load(answer)

    def get_soon(self, path: str) -> Any:
        """What the page is just being told."""
        deadline = time.monotonic() + 10
        while True:
            try:
                return self.get(path)
            except urllib.error.HTTPError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


@pytest.fixture
def running(environment: dict[str, str]) -> Iterator[RunningDemo]:
    demo = RunningDemo(environment, "--source", "sim:laps=5,cars=8", "--speed", "5")
    try:
        demo.wait_for("Watch it on")
        yield demo
    finally:
        if demo.process.poll() is None:
            demo.process.kill()


def gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=1)
    return not alive


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_everything(running: RunningDemo, number: signal.Signals, tmp_path: Path) -> None:
    deadline = time.monotonic() + 30
    while len(running.children()) < 7 and time.monotonic() < deadline:
        time.sleep(0.1)
    children = running.children()
    assert len(children) == 7, "broker, race, web, warehouse, archive, scheduler and source"
    began = time.monotonic()
    running.process.send_signal(number)
    assert running.process.wait(20) == 0
    assert time.monotonic() - began < STOPS_WITHIN_S, "the issue promises it"
    assert gone(children)
    assert not list(tmp_path.glob("f1stream-warehouse-*"))


@pytest.mark.parametrize("closed", [False, True], ids=["Ctrl-C", "terminal closed"])
def test_a_terminal_gets_its_cursor_back_and_may_be_closed(
    environment: dict[str, str], tmp_path: Path, closed: bool
) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        command = [*DEMO, "--source", "sim:laps=5,cars=8"]
        os.execve(command[0], command, {**environment, "TERM": "xterm"})  # noqa: S606 - no shell is wanted
    try:
        told = b""
        while b"\x1b[?25l" not in told.partition(b"Watch it on")[2]:
            told += os.read(terminal, 65_536)
        children = psutil.Process(pid).children(recursive=True)
        if closed:
            os.close(terminal)
        else:
            os.write(terminal, b"\x03")
            told += read_to_the_end(terminal)
            assert re.findall(rb"\x1b\[\?25[lh]", told)[-1] == b"\x1b[?25h"
        psutil.Process(pid).wait(20)
        assert gone(children)
        assert not list(tmp_path.glob("f1stream-warehouse-*"))
    finally:
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)


def read_to_the_end(terminal: int) -> bytes:
    told = b""
    while True:
        try:
            told += os.read(terminal, 65_536)
        except OSError:  # nobody has it open any more
            return told


def test_failing_child_stops_everything(running: RunningDemo) -> None:
    children = running.children()
    race = next(child for child in children if child.cmdline()[-1] == "race")
    race.kill()
    assert running.process.wait(20) == 1
    assert running.process.stdout is not None
    assert "race ended with code -9" in running.process.stdout.read()
    assert gone(children)


def test_killed_demo_leaves_no_orphan(running: RunningDemo) -> None:
    children = running.children()
    running.process.kill()
    running.process.wait()
    _, alive = psutil.wait_procs(children, timeout=15)
    assert not alive


def run_demo(environment: dict[str, str], *options: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DEMO, *options], env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )


def test_taken_port_is_told_with_its_setting(environment: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(environment["F1STREAM_WEB_PORT"])))
        taken.listen()
        ended = run_demo(environment)
    assert ended.returncode == 2
    assert environment["F1STREAM_WEB_PORT"] in ended.stderr
    assert "F1STREAM_WEB_PORT" in ended.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--source", "nothing:1"], "is not a source"),
        (["--source", "archive:/nowhere"], "/nowhere"),
        (["--source", "sim:wheels=4"], "wheels"),
    ],
)
def test_impossible_source_is_one_sentence_and_exit_code_2(
    environment: dict[str, str], options: list[str], said: str
) -> None:
    ended = run_demo(environment, *options)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_a_network_a_race_is_simulated(environment: dict[str, str]) -> None:
    demo = RunningDemo(environment)
    try:
        demo.wait_for("Watch it on")
        assert "a simulated race instead" in " ".join(demo.told.split())
        assert "SIMULATED" in demo.told
        demo.process.send_signal(signal.SIGINT)
        assert demo.process.wait(30) == 0
    finally:
        demo.process.kill()


def test_unreachable_broker_is_one_sentence_and_exit_code_2(environment: dict[str, str]) -> None:
    for command in ("race", "topics"):
        ended = subprocess.run(
            [sys.executable, "-m", "f1stream", command],
            env={**environment, "F1STREAM_BROKER": f"127.0.0.1:{free_port()}"},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert ended.returncode == 2
        assert "No Kafka broker answers" in ended.stderr
        assert "Traceback" not in ended.stderr


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
        for name, field in Lap.model_fields.items():
            told = line[str(field.validation_alias)]
            if name == "start_utc" and told is not None:
                told = datetime.fromisoformat(told).astimezone(UTC).replace(tzinfo=None)
            assert row[name] == told, (name, line)


def test_five_sessions_at_once_are_accounted_for(environment: dict[str, str], tmp_path: Path) -> None:
    told = tmp_path / "report.json"
    ended = run_demo(
        environment, "--source", "sim:cars=6,laps=3,sessions=5", "--speed", "max", "--exit-when-done",
        "--report", str(told),
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert json.loads(told.read_text())["session_key"] == "sim-1,sim-2,sim-3,sim-4,sim-5"


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
