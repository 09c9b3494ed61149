"""The commands ``f1stream warehouse init``, ``status`` and ``sql``: what they do and print."""

from __future__ import annotations

import asyncio
import csv
import json
import sys
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import snowflake.connector
from rich.console import Console
from rich.table import Table

from f1stream.embedded.running import embedded_warehouse
from f1stream.kafka import BrokerError, end_offsets
from f1stream.settings import Settings
from f1stream.warehouse.connection import Warehouse, error_text
from f1stream.warehouse.errors import WarehouseError
from f1stream.warehouse.partition_batch import Partition
from f1stream.warehouse.schema import create, status


def create_all(settings: Settings) -> None:
    """Create what does not exist yet, and print what was done."""
    with embedded_warehouse(settings), closing(Warehouse(settings)) as warehouse:
        for done in create(warehouse, settings.snowflake_database):
            print(done)  # noqa: T201


def show_status(settings: Settings) -> None:
    """Print tables, rows, last load, and how many records each is behind Kafka."""
    with embedded_warehouse(settings), closing(Warehouse(settings)) as warehouse:
        loaded = status(warehouse)
    try:
        lags = asyncio.run(_lags(settings, loaded))
    except (BrokerError, TimeoutError) as error:
        lags = {}
        print(f"The lag is unknown: {error}", file=sys.stderr)  # noqa: T201
    table = Table("table", "rows", "last load (UTC)", "records behind Kafka")
    for part in loaded:
        last = part.last_load.isoformat(" ", "seconds") if part.last_load else "never"
        table.add_row(f"RAW.{part.table}", f"{part.rows:,}", last, f"{lags[part.topic]:,}" if lags else "?")
    Console().print(table)


async def _lags(settings: Settings, loaded: list[Any]) -> dict[str, int]:
    """Records that are not loaded yet, by topic."""
    partitions = [Partition(part.topic, n) for part in loaded for n in range(settings.topic_partitions)]
    ends = await end_offsets(settings, partitions)
    return {
        part.topic: sum(
            max(end - part.next_offsets.get(of.partition, 0), 0) for of, end in ends.items() if of.topic == part.topic
        )
        for part in loaded
    }


def run_query(settings: Settings, query: str, output: str) -> None:
    """Run one statement and print its rows as ``table``, ``csv`` or ``json``. Raises WarehouseError."""
    with embedded_warehouse(settings), closing(Warehouse(settings)) as warehouse:
        try:
            cursor = warehouse.execute(query)
            names = [column.name.lower() for column in cursor.description or ()]
            rows = cursor.fetchall()
        except snowflake.connector.Error as error:
            raise WarehouseError(error_text(error)) from error
    _write(names, rows, output)


def _write(names: list[str], rows: Sequence[Any], output: str) -> None:
    if output == "json":
        json.dump([dict(zip(names, row, strict=True)) for row in rows], sys.stdout, default=str, indent=1)
        sys.stdout.write("\n")
    elif output == "csv":
        writer = csv.writer(sys.stdout)
        writer.writerow(names)
        writer.writerows(rows)
    else:
        table = Table(*names)
        for row in rows:
            table.add_row(*("" if value is None else str(value) for value in row))
        Console().print(table)
