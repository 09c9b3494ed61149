"""``f1stream warehouse``: make the tables, look at them, ask them."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from f1stream.child_environment import environment_for
from f1stream.embedded.running import data_folder, embedded_warehouse
from f1stream.embedded.warehouse import command as warehouse_command
from f1stream.embedded.warehouse import require_password_beyond_loopback
from f1stream.kafka import BrokerError, end_offsets
from f1stream.ports import check_port
from f1stream.settings import Settings, settings
from f1stream.warehouse.errors import WarehouseError

app = typer.Typer(help="The warehouse: Snowflake, or the embedded one.", no_args_is_help=True)


@app.command()
def init() -> None:
    """Create database, schemas, tables, stage and offsets where they do not exist yet."""
    from f1stream.warehouse.connection import Warehouse  # noqa: PLC0415 - the connector is slow to import
    from f1stream.warehouse.schema import create  # noqa: PLC0415

    with embedded_warehouse(settings()), closing(Warehouse(settings())) as warehouse:
        for done in create(warehouse, settings().snowflake_database):
            print(done)  # noqa: T201


@app.command()
def serve() -> None:
    """The embedded warehouse, in the foreground: for workers in other containers."""
    s = settings()
    require_password_beyond_loopback(s, s.web_host)
    check_port(s.web_host, s.embedded_warehouse_port, "F1STREAM_EMBEDDED_WAREHOUSE_PORT", "the embedded warehouse")
    print(f"Embedded warehouse on {s.web_host}:{s.embedded_warehouse_port}. Ctrl-C stops it.", flush=True)  # noqa: T201
    arguments = warehouse_command(data_folder(s), s.embedded_warehouse_port, s.web_host)
    os.execve(arguments[0], arguments, environment_for(s, "warehouse"))  # noqa: S606 - this interpreter, no shell


@app.command()
def status() -> None:
    """Tables, rows, last load, and how many records each is behind Kafka."""
    from f1stream.warehouse.connection import Warehouse  # noqa: PLC0415
    from f1stream.warehouse.schema import status as loaded_status  # noqa: PLC0415

    with embedded_warehouse(settings()), closing(Warehouse(settings())) as warehouse:
        loaded = loaded_status(warehouse)
    try:
        lags = asyncio.run(_lags(settings(), loaded))
    except (BrokerError, TimeoutError) as error:
        lags = {}
        print(f"Lag is not known: {error}", file=sys.stderr)  # noqa: T201
    table = Table("table", "rows", "last load (UTC)", "records behind Kafka")
    for part in loaded:
        last = part.last_load.isoformat(" ", "seconds") if part.last_load else "never"
        table.add_row(f"RAW.{part.table}", f"{part.rows:,}", last, f"{lags[part.topic]:,}" if lags else "?")
    Console().print(table)


async def _lags(s: Settings, loaded: list[Any]) -> dict[str, int]:
    """By topic."""
    from f1stream.warehouse.partition_batch import Partition  # noqa: PLC0415

    ends = await end_offsets(s, [Partition(part.topic, n) for part in loaded for n in range(s.topic_partitions)])
    return {
        part.topic: sum(
            max(end - part.next_offsets.get(of.partition, 0), 0) for of, end in ends.items() if of.topic == part.topic
        )
        for part in loaded
    }


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="One statement.", metavar='"SELECT …"')],
    output: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", help="How rows are written.")
    ] = "table",
) -> None:
    """Run a query and print its rows."""
    import snowflake.connector  # noqa: PLC0415

    from f1stream.warehouse.connection import Warehouse, error_text  # noqa: PLC0415

    with embedded_warehouse(settings()), closing(Warehouse(settings())) as warehouse:
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
