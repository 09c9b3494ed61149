"""``f1stream schedule`` as a process: killed in a run, started again, and what is then in the warehouse."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from f1stream.embedded.running import embedded_warehouse
from f1stream.marts.publish import read
from f1stream.settings import Settings
from f1stream.warehouse.connection import Warehouse
from models import Season
from tests.support.jolpica_server import JolpicaServer, season_of
from tests.support.ports import free_port

pytestmark = pytest.mark.system
PATIENCE_S = 300.0


@pytest.fixture(scope="module")
def server(jolpica_data: Path) -> Iterator[JolpicaServer]:
    """A running season of which two rounds have been held."""
    with JolpicaServer() as server:
        # of this year, which is what the scheduler follows; their dates are old ones, so both have been held
        server.answers = season_of(datetime.now(UTC).year, 2, jolpica_data)
        yield server


def settings_in(home: Path, server: JolpicaServer) -> Settings:
    return Settings(
        _env_file=None, home=home, embedded_warehouse_port=free_port(), embedded_broker_port=free_port(),
        schedule_port=free_port(), jolpica_url=server.url,
    )  # fmt: skip


@contextmanager
def scheduler(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """``f1stream schedule``; whatever it started is gone afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", "f1stream", "schedule"], env={**os.environ, **settings.environment()},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(what: str, holds: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert process.poll() is None, f"the scheduler ended with {process.returncode} before {what}"
        assert time.monotonic() < deadline, f"not within {PATIENCE_S:.0f} s: {what}"
        time.sleep(0.1)


def health(settings: Settings) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{settings.schedule_port}/health", timeout=5) as answer:
            state: dict[str, Any] = json.loads(answer.read())
            return state
    except OSError:
        return {"status": "not there yet", "running": [], "last": {}}


def runs(settings: Settings) -> list[tuple[str, int, str | None]]:
    with closing(Warehouse(settings)) as warehouse:
        rows = warehouse.rows("select job, attempt, outcome from OPS.JOB_RUNS order by started_at, run_id")
    return [(row["job"], row["attempt"], row["outcome"]) for row in rows]


WHEN = {"valid_since", "last_seen_at", "first_seen", "last_seen"}


def marts(settings: Settings) -> dict[str, list[str]]:
    """Every row of every mart and raw table of the season, as sorted text, but for when it was seen."""
    with closing(Warehouse(settings)) as warehouse:
        names = warehouse.rows(
            "select table_schema || '.' || table_name as t from information_schema.tables"
            " where table_schema = 'MARTS' or (table_schema = 'RAW' and table_name like 'JOLPICA_%')"
        )
        return {
            row["t"]: sorted(
                json.dumps(
                    {name: value for name, value in each.items() if name not in WHEN}, default=str, sort_keys=True
                )
                for each in warehouse.rows(f"select * from {row['t']}")
            )
            for row in names
        }


def test_killed_during_requests_and_during_a_build_no_answer_is_half_loaded(
    server: JolpicaServer, tmp_path: Path
) -> None:
    undisturbed, disturbed = settings_in(tmp_path / "a", server), settings_in(tmp_path / "b", server)
    with embedded_warehouse(undisturbed):
        with scheduler(undisturbed) as process:
            until("the first run is complete", lambda: health(undisturbed)["last"].get("first"), process)
        assert runs(undisturbed) == [("first", 1, "complete")]
        expected = marts(undisturbed)
    assert len(expected["MARTS.FACT_DRIVER_STANDINGS"]) > 40

    with embedded_warehouse(disturbed):
        server.requests.clear()
        with scheduler(disturbed) as process:
            until("half of the season is asked for", lambda: server.asked() >= 12, process)
            process.send_signal(signal.SIGKILL)
            process.wait()
        first_asked = server.asked()
        with scheduler(disturbed) as process:
            built = disturbed.home / "dbt" / "target" / "run_results.json"
            log = disturbed.home / "logs" / "dbt.log"
            until("dbt is at its marts", lambda: log.is_file() and b"fact_events" in log.read_bytes(), process)
            children = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGKILL)
            process.wait()
            _, alive = psutil.wait_procs(children, timeout=20)
            assert children and not alive, "dbt outlives the scheduler"
            assert not built.exists()
        assert runs(disturbed) == [("first", 1, "interrupted"), ("first", 2, None)]
        with scheduler(disturbed) as process:
            until("the run is complete", lambda: health(disturbed)["last"].get("first"), process)
            state = health(disturbed)
            assert (state["status"], state["failing"], state["running"]) == ("ok", {}, [])
            listed = subprocess.run(
                [sys.executable, "-m", "f1stream", "jobs"], capture_output=True, text=True, check=True,
                env={**os.environ, **disturbed.environment(), "COLUMNS": "200"},
            ).stdout  # fmt: skip
        assert runs(disturbed) == [("first", 1, "interrupted"), ("first", 2, "interrupted"), ("first", 3, "complete")]
        assert marts(disturbed) == expected
        assert [
            word in listed for word in ("interrupted", "complete", "on odd days of the month at midnight UTC")
        ] == [True] * 3
        assert server.asked() < 2 * first_asked + 25, "what had been answered was asked for again"
        with closing(Warehouse(disturbed)) as warehouse:
            (season,) = read(warehouse, "MARTS")
        assert isinstance(season, Season)
        assert [(each.round, each.status, len(each.drivers)) for each in season.rounds] == [
            (1, "held", 20),
            (2, "held", 21),
        ]
