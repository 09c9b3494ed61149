"""``f1stream warehouse``: create the tables, show their state, query them."""

from __future__ import annotations

import os
from typing import Annotated, Literal

import typer

app = typer.Typer(help="The warehouse: Snowflake, or the embedded one.", no_args_is_help=True)


@app.command()
def init() -> None:
    """Create database, schemas, tables, stage and offsets where they do not exist yet."""
    from f1stream.settings import settings
    from f1stream.warehouse.commands import create_all

    create_all(settings())


@app.command()
def serve() -> None:
    """The embedded warehouse, in the foreground: for workers in other containers."""
    from f1stream.child_environment import environment_for
    from f1stream.embedded.running import data_folder
    from f1stream.embedded.warehouse import command, require_password_beyond_loopback
    from f1stream.ports import check_port
    from f1stream.settings import settings

    s = settings()
    require_password_beyond_loopback(s, s.web_host)
    check_port(s.web_host, s.embedded_warehouse_port, "F1STREAM_EMBEDDED_WAREHOUSE_PORT", "the embedded warehouse")
    print(f"Embedded warehouse on {s.web_host}:{s.embedded_warehouse_port}. Ctrl-C stops it.", flush=True)
    arguments = command(data_folder(s), s.embedded_warehouse_port, s.web_host)
    os.execve(arguments[0], arguments, environment_for(s, "warehouse"))  # noqa: S606 - this interpreter, no shell


@app.command()
def status() -> None:
    """Tables, rows, last load, and how many records each is behind Kafka."""
    from f1stream.settings import settings
    from f1stream.warehouse.commands import show_status

    show_status(settings())


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="One statement.", metavar='"SELECT …"')],
    output: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", help="How rows are written.")
    ] = "table",
) -> None:
    """Run a query and print its rows."""
    from f1stream.settings import settings
    from f1stream.warehouse.commands import run_query

    run_query(settings(), query, output)
