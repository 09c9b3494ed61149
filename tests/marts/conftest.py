"""The marts, built once for all tests of this folder: it takes minutes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from f1stream.embedded.running import embedded_warehouse
from f1stream.settings import Settings
from f1stream.sources.session import Session
from f1stream.warehouse.connection import Warehouse
from f1stream.warehouse.schema import create
from tests.support.figures import figures
from tests.support.jolpica_server import JolpicaServer, season_2024, season_2025
from tests.support.marts_rig import MartsRig
from tests.support.rig import free_port

NOW = datetime(2025, 12, 20, tzinfo=UTC)


@pytest.fixture(scope="package")
def marts(tmp_path_factory: pytest.TempPathFactory, jolpica_data: Path, aus_session: Session) -> Iterator[MartsRig]:
    """Built twice on empty tables, then twice on the race and two seasons."""
    settings = Settings(_env_file=None, home=tmp_path_factory.mktemp("home"), embedded_warehouse_port=free_port())
    with embedded_warehouse(settings), JolpicaServer() as server:
        server.answers = season_2024(jolpica_data) | season_2025(jolpica_data)
        with closing(Warehouse(settings)) as warehouse:
            list(create(warehouse, "F1STREAM"))
        rig = MartsRig(settings)
        for name in ("empty", "empty again"):
            assert rig.dbt(name, "build")
        rig.publish(aus_session, epoch=1_000, source="archive:aus2025_race")
        rig.sync(server, [2024, 2025], NOW)
        for name in ("full", "full again"):
            assert rig.dbt(name, "build")
        for name, (seconds, results) in rig.builds.items():
            figures.append(f"dbt build, {name}: {len(results)} nodes in {seconds:.1f} s")
        yield rig
        rig.warehouse.close()
