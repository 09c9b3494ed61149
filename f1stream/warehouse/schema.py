"""Creates the warehouse's objects from numbered DDL files, idempotently, and reports what they hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from io import StringIO
from string import Template
from typing import Any

import snowflake.connector
from snowflake.connector.util_text import split_statements

from f1stream.warehouse import tables
from f1stream.warehouse.connection import STATEMENT_TIMEOUT_S, Warehouse, error_text, suggest_init
from f1stream.warehouse.errors import WarehouseError


def create(warehouse: Warehouse, database: str) -> Iterator[str]:
    """Create what does not exist yet, and add columns for new fields of the models; yields a line for each step.

    Raises WarehouseError.
    """
    values = {"database": database} | {
        table.name.lower(): ", ".join(f"{column.name} {column.type.lower()}" for column in table.columns)
        for table in tables.ALL
    }
    for file in sorted(resources.files(__package__).joinpath("ddl").iterdir(), key=lambda file: file.name):
        done = []
        for statement in _statements(Template(file.read_text()).substitute(values)):
            try:
                answer = warehouse.execute(statement).fetchone()
            except snowflake.connector.Error as error:
                what = " ".join(statement.split())[:100]
                raise WarehouseError(f"{file.name}: {error_text(error)} The statement was: {what}") from error
            if isinstance(answer, tuple) and not statement.lower().startswith("use "):
                done.append(str(answer[0]))
        yield f"{file.name}: " + " ".join(done)
    try:
        yield from _add_columns(warehouse)
    except snowflake.connector.Error as error:
        raise WarehouseError(error_text(error)) from error
    try:
        yield from _recount(warehouse)
    except snowflake.connector.Error as error:
        raise WarehouseError(
            f"RAW.TELEMETRY_COUNTS: {error_text(error)} Everything else is done; run `f1stream warehouse init` once "
            f"more, if counting takes longer than {STATEMENT_TIMEOUT_S} s with a larger F1STREAM_SNOWFLAKE_WAREHOUSE."
        ) from error


def _add_columns(warehouse: Warehouse) -> Iterator[str]:
    for table in tables.ALL:
        there = {row["column_name"].lower() for row in warehouse.rows(
            "select column_name from information_schema.columns where table_schema = 'RAW' and table_name = ?",
            [table.name],
        )}  # fmt: skip
        for column in table.columns:
            if column.name not in there:
                warehouse.execute(
                    f"alter table RAW.{table.name} add column if not exists {column.name} {column.type}"
                )
                yield f"RAW.{table.name}: column {column.name} added."


def _recount(warehouse: Warehouse) -> Iterator[str]:
    """Insert the differences between ``TELEMETRY_COUNTS`` and the samples.

    They differ if an earlier release loaded the samples, or if samples were deleted without their counts. The samples
    are read only if the totals differ: Snowflake knows how many rows a table has. One statement sees samples and
    counts of the same commits, so that workers may load meanwhile. A row of ``LOAD_LOCKS`` is locked before: of two
    ``init`` at once the second one begins its statement when the first one has committed. Workers may wait for it,
    too, as their locks are in the same table, and repeat their flush after ``LOCK_TIMEOUT_S``.
    """
    ((samples, counted),) = warehouse.execute(
        "select (select count(*) from RAW.TELEMETRY), (select coalesce(sum(row_count), 0) from RAW.TELEMETRY_COUNTS)"
    ).fetchall()
    if samples == counted:
        return
    warehouse.execute(
        "insert into RAW.LOAD_LOCKS (kafka_topic, kafka_partition) select 'RAW.TELEMETRY_COUNTS', 0"
        " where not exists (select 1 from RAW.LOAD_LOCKS where kafka_topic = 'RAW.TELEMETRY_COUNTS')"
    )
    with warehouse.transaction() as execute:
        execute("update RAW.LOAD_LOCKS set locked_by = 'init' where kafka_topic = 'RAW.TELEMETRY_COUNTS'")
        runs = execute(
            "insert into RAW.TELEMETRY_COUNTS (session_key, source, epoch, session_date, row_count)"
            " select session_key, source, epoch, session_date, sum(row_count) from ("
            " select session_key, source, epoch, session_date, 1 as row_count from RAW.TELEMETRY union all"
            " select session_key, source, epoch, session_date, -row_count from RAW.TELEMETRY_COUNTS) differing"
            " group by session_key, source, epoch, session_date having sum(row_count) <> 0"
        ).rowcount
        execute("commit")
    if runs:
        yield f"RAW.TELEMETRY_COUNTS: samples of {runs} runs counted."


def _statements(script: str) -> Iterator[str]:
    for statement, _ in split_statements(StringIO(script), remove_comments=True):
        if plain := statement.strip().removesuffix(";"):
            yield plain


@dataclass(frozen=True, slots=True)
class TableStatus:
    """The raw table of one topic."""

    table: str
    topic: str
    rows: int
    last_load: Any
    """Time of the last load (UTC); None before the first."""
    next_offsets: dict[int, int]
    """The next offset to load by partition, in its newest incarnation."""


def status(warehouse: Warehouse) -> list[TableStatus]:
    """The status of every raw table. Raises WarehouseError when one that the archive worker needs does not exist."""
    try:
        with suggest_init():
            offsets = warehouse.rows(
                "select kafka_topic, kafka_partition, next_offset, loaded_at from RAW.LOAD_OFFSETS"
                " order by kafka_incarnation"
            )
            counts = {
                table.name: warehouse.rows(f"select count(*) as n from RAW.{table.name}")[0]["n"]  # noqa: S608
                for table in tables.ALL
            }
            warehouse.execute("select 1 from RAW.LOAD_LOCKS cross join RAW.TELEMETRY_COUNTS where 1 = 0")
    except snowflake.connector.Error as error:
        raise WarehouseError(error_text(error)) from error
    return [
        TableStatus(
            table.name,
            table.topic,
            counts[table.name],
            max((row["loaded_at"] for row in offsets if row["kafka_topic"] == table.topic and row["loaded_at"]),
                default=None),
            {row["kafka_partition"]: row["next_offset"] for row in offsets if row["kafka_topic"] == table.topic},
        )
        for table in tables.ALL
    ]  # fmt: skip
