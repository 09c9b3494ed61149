"""The marts of a recorded race and two seasons, built once per test run: dbt takes a minute and a half."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock

from f1stream.embedded.running import embedded_warehouse
from f1stream.settings import Settings
from f1stream.sources.session import Session
from f1stream.warehouse.connection import Warehouse
from f1stream.warehouse.schema import create
from tests.support.figures import figures
from tests.support.jolpica_server import JolpicaServer, laps_answer, season_2024, season_2025
from tests.support.marts_rig import MartsRig
from tests.support.ports import free_port

STATEFUL = ("config.materialized:incremental",)
"""Nodes that read the result of an earlier build, with their tests; others are the same in a second build."""
LAPS = [(1, "max_verstappen", 1, "1:37.284"), (1, "perez", 3, "1:39.000"), (2, "max_verstappen", 1, "1:36.296")]
"""Laps of Bahrain 2024, which was not streamed: lap, driver, position and time."""
NOW = datetime(2025, 12, 20, tzinfo=UTC)


@pytest.fixture(scope="session")
def recorded_laps(archive_path: Path) -> pd.DataFrame:
    """The laps of the recorded race, from the file."""
    return pd.read_json(archive_path / "laps.jsonl", lines=True, dtype={"DriverNumber": str})


@pytest.fixture(scope="session")
def built_home(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str, jolpica_data: Path, aus_session: Session
) -> Path:
    """F1STREAM_HOME with the built marts, without a running warehouse. Workers of pytest-xdist share it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "built-marts"
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            made = base / "marts"
            build(made, jolpica_data, aus_session)
            made.rename(folder)
    return folder


def build(home: Path, jolpica_data: Path, session: Session) -> None:
    """Build on empty tables, then on the race and two seasons; each time build the stateful nodes a second time."""
    settings = Settings(_env_file=None, home=home, embedded_warehouse_port=free_port())
    with embedded_warehouse(settings), JolpicaServer() as server, closing(Warehouse(settings)) as warehouse:
        server.answers = season_2024(jolpica_data) | season_2025(jolpica_data)
        race = server.answers["2024/1/results"]["RaceTable"]["Races"][0]
        server.answers["2024/1/laps"] = laps_answer({k: v for k, v in race.items() if k != "Results"}, LAPS)
        list(create(warehouse, "F1STREAM"))
        with closing(MartsRig(settings)) as rig:
            assert rig.dbt("empty", "build")
            assert rig.dbt("empty again", "build", "--select", *STATEFUL)
            rig.publish(session, epoch=1_000, source="archive:aus2025_race")
            rig.sync(server, [2024, 2025], NOW)
            assert rig.dbt("full", "build", "--exclude", "resource_type:unit_test")
            assert rig.dbt("full again", "build", "--select", *STATEFUL)
            (home / "builds.json").write_text(json.dumps([rig.offset, rig.builds]))


@pytest.fixture(scope="module")
def marts(tmp_path_factory: pytest.TempPathFactory, built_home: Path) -> Iterator[MartsRig]:
    """A copy of the built marts that a module's tests may change."""
    home = tmp_path_factory.mktemp("marts") / "home"
    shutil.copytree(built_home, home)
    settings = Settings(_env_file=None, home=home, embedded_warehouse_port=free_port())
    offset, builds = json.loads((home / "builds.json").read_text())
    with embedded_warehouse(settings), closing(MartsRig(settings, offset, builds)) as rig:
        for name, (seconds, results) in rig.builds.items():
            figures.append(f"dbt build, {name}: {len(results)} nodes in {seconds:.1f} s")
        yield rig
