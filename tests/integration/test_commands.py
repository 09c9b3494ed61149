"""The README's commands as they are typed, with nothing but a shell: broker, warehouse, workers, and a session."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from f1stream.ports import listens
from f1stream.sources.spec import open_source
from tests.support.jolpica_server import JolpicaServer, season_of
from tests.support.ports import free_port
from tests.support.rig import PATIENCE_S, Rig

pytestmark = pytest.mark.system
SOURCE = "sim:cars=4,laps=2,seed=5"


class Shell:
    """Runs commands in one environment."""

    def __init__(self, rig: Rig, **more: str) -> None:
        self.rig = rig
        self.environment = {**os.environ, **rig.environment(), **more, "COLUMNS": "200"}

    def run(self, *words: str) -> str:
        """What ``f1stream WORDS`` printed; fails unless it succeeds."""
        done = subprocess.run(
            [sys.executable, "-m", "f1stream", *words], env=self.environment, cwd=self.rig.home,
            capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{words}: {done.stdout[-1000:]}{done.stderr[-2000:]}"
        return done.stdout

    @contextmanager
    def started(self, *commands: str) -> Iterator[list[Path]]:
        """Commands that stay, with their logs; Ctrl-C ends them well."""
        logs = [self.rig.home / f"{command.split()[-1]}-{n}.txt" for n, command in enumerate(commands)]
        processes = []
        try:
            for command, log in zip(commands, logs, strict=True):
                with log.open("wb") as file:
                    processes.append(
                        subprocess.Popen(
                            [sys.executable, "-m", *command.split()], env=self.environment, cwd=self.rig.home,
                            stdout=file, stderr=file, start_new_session=True,
                        )
                    )  # fmt: skip
            yield logs
            for process in processes:
                process.send_signal(signal.SIGINT)
            ended = [process.wait(30) for process in processes]
            assert set(ended) <= {0, 130, -signal.SIGINT}, [log.read_text()[-2000:] for log in logs]
        finally:
            for process in processes:
                process.kill()
                process.wait()


def until(what: str, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < deadline, f"not within {PATIENCE_S} s: {what}"
        time.sleep(0.2)


def test_a_session_goes_from_the_shell_into_the_warehouse(tmp_path: Path, jolpica_data: Path) -> None:
    rig, year = Rig(tmp_path / "home", partitions=3), datetime.now(UTC).year
    ports = {f"F1STREAM_{name}_PORT": str(free_port()) for name in ("RACE", "ARCHIVE", "SCHEDULE")}
    (session,) = (make() for make in open_source(SOURCE))
    first, last = session.start_ms, session.start_ms + 60_000
    with JolpicaServer() as jolpica, ThreadPoolExecutor() as together:
        jolpica.answers = season_of(year, 1, jolpica_data)
        shell = Shell(rig, **ports, F1STREAM_JOLPICA_URL=jolpica.url, F1STREAM_ARCHIVE_FLUSH_SECONDS="1")

        def behind() -> set[str]:
            rows = [line.strip("│ ").split("│") for line in shell.run("warehouse", "status").splitlines()]
            return {row[-1].strip() for row in rows if row[0].startswith("RAW.")}

        with shell.started("f1stream broker", "f1stream warehouse serve"):
            until("the broker listens", lambda: listens(rig.settings.embedded_broker_port))
            until("the warehouse listens", lambda: listens(rig.settings.embedded_warehouse_port))
            made = [together.submit(shell.run, *words) for words in (("topics",), ("warehouse", "init"))]
            assert "Created telemetry, laps" in made[0].result()
            assert "Table TELEMETRY successfully created" in made[1].result()
            with shell.started("faust -A agents.race worker", "faust -A agents.archive worker"):
                truth = rig.home / "truth.json"
                published = together.submit(
                    shell.run, "replay", SOURCE, "--speed", "max", "--packet-ms", "500", "--from", str(first),
                    "--to", str(last), "--truth", str(truth),
                )  # fmt: skip
                assert "calendar: complete." in shell.run("jobs", "run", "calendar")
                synced = together.submit(shell.run, "jolpica", "sync")
                assert "fact_race_results" in shell.run("dbt", "--quiet", "ls", "--resource-type", "model")
                samples = int(published.result().split(": ")[1].split(" samples")[0].replace(",", ""))
                assert samples > 500
                assert json.loads(truth.read_text()).keys() == {"sim-5"}
                assert "rows new" in synced.result()
                until("everything is loaded", lambda: behind() == {"0"})
        count = (
            "select (select count(*) from RAW.TELEMETRY) as samples,"
            f" (select count(*) from RAW.JOLPICA_RESULTS where season = {year}) as results,"
            " (select count(*) from RAW.DEAD_LETTERS) as letters"
        )
        assert shell.run("warehouse", "sql", count, "--format", "csv").split() == [
            "samples,results,letters", f"{samples},20,0",
        ]  # fmt: skip
