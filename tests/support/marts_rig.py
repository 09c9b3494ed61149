"""A warehouse with recorded sessions and seasons, and dbt on it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pyrate_limiter import Rate

from f1stream import topics
from f1stream.jolpica.client import open_jolpica
from f1stream.jolpica.landing import Landing
from f1stream.jolpica.sync import Sync, SyncReport
from f1stream.settings import Settings
from f1stream.sources.packing import pack
from f1stream.sources.session import Session
from f1stream.warehouse import tables
from f1stream.warehouse.connection import Warehouse
from f1stream.warehouse.loader import Loader
from f1stream.warehouse.partition_batch import LoadedOffset, Partition, PartitionBatch
from models import SessionInfo
from tests.support.jolpica_server import JolpicaServer


def run_dbt(settings: Settings, arguments: Sequence[str]) -> bool:
    """Run dbt in a child process, as a job does: in this process it would leave handlers on every logger."""
    command = [sys.executable, "-m", "f1stream.marts.project", *arguments]
    return subprocess.run(command, env={**os.environ, **settings.environment()}, check=False).returncode == 0


@dataclass
class MartsRig:
    """The warehouse, loading into it without Kafka, and dbt."""

    settings: Settings
    offset: int = 0
    builds: dict[str, tuple[float, dict[str, Any]]] = field(default_factory=dict)
    """By name: seconds, and dbt's own ``run_results.json`` by node."""

    def __post_init__(self) -> None:
        self.warehouse = Warehouse(self.settings)

    def close(self) -> None:
        """End the connection."""
        self.warehouse.close()

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query."""
        return self.warehouse.rows(sql)

    def publish(self, session: Session, epoch: int, source: str, to_ms: int | None = None) -> None:
        """Load a run of a session into the raw tables, as the archive worker does."""
        messages = [
            message.model_copy(update={"source": source}) if isinstance(message, SessionInfo) else message
            for message in session.messages
        ]
        published = Session(
            **{name: getattr(session, name) for name in session.__dataclass_fields__} | {"messages": messages}
        )
        reads: dict[str, list[Any]] = defaultdict(list)
        for item in pack(published, epoch, 10_000, to_ms=to_ms):
            message = SimpleNamespace(
                topic=item.topic, partition=0, offset=len(reads[item.topic]), key=item.key,
                value=topics.encode(item.record), headers=item.headers.encode(), timestamp=time.time(),
            )  # fmt: skip
            reads[item.topic].append(tables.BY_TOPIC[item.topic].decode_record(message, 0))
        loader = Loader(self.warehouse, "rig")
        for topic, found in reads.items():
            loader.begin_at({Partition(f"{topic}", self.offset): LoadedOffset(0, 0)})
            loader.load([PartitionBatch(Partition(topic, self.offset), 0, 0, found)])
        self.offset += 1

    def sync(self, server: JolpicaServer, seasons: list[int], now: datetime, *, again: bool = False) -> SyncReport:
        """Sync seasons from a local API."""

        async def work() -> SyncReport:
            settings = self.settings.model_copy(update={"jolpica_url": server.url, "jolpica_retry_seconds": 0.05})
            async with open_jolpica(settings, (Rate(100_000, 1_000),)) as api:
                return await Sync(api, Landing(self.warehouse), now=lambda: now).backfill(seasons, again=again)

        return asyncio.run(work())

    def dbt(self, name: str, *arguments: str) -> bool:
        """Run dbt and keep its results under ``name``."""
        began = time.monotonic()
        succeeded = run_dbt(self.settings, arguments)
        file = self.target / "run_results.json"
        results = {result["unique_id"].removeprefix("model.f1stream."): result for result in
                   json.loads(file.read_text())["results"]}  # fmt: skip
        self.builds[name] = (time.monotonic() - began, results)
        return succeeded

    @property
    def target(self) -> Path:
        """dbt's target folder."""
        return self.settings.home / "dbt" / "target"

    def marts(self, but: frozenset[str] = frozenset()) -> dict[str, list[dict[str, Any]]]:
        """The rows of all marts except ``telemetry``, without the columns of ``but``."""
        names = [row["t"] for row in self.rows(
            "select lower(table_name) as t from information_schema.tables where table_schema = 'MARTS'"
        )]  # fmt: skip
        found = {}
        for name in sorted(set(names) - {"telemetry"}):
            rows = [
                {k: v for k, v in row.items() if k not in but} for row in self.rows(f"select * from MARTS.{name}")
            ]
            found[name] = sorted(rows, key=str)
        return found
