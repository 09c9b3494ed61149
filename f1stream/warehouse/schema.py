"""The warehouse's objects: made from numbered DDL files, as often as one likes, and what they hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from string import Template
from typing import Any

import snowflake.connector

from f1stream.jolpica.resources import ALL as JOLPICA
from f1stream.warehouse import tables
from f1stream.warehouse.connection import Warehouse, error_text
from f1stream.warehouse.errors import WarehouseError

MISSING = 2003
"""Snowflake's code for an object that does not exist (or that one may not see)."""


def create(warehouse: Warehouse, database: str) -> Iterator[str]:
    """Create what does not exist yet, and add columns that models have gained; yields what was done, in sentences.

    Raises WarehouseError with the statement that failed.
    """
    values = {"database": database} | {
        table.name.lower(): ", ".join(f"{column.name} {column.type.lower()}" for column in table.columns)
        for table in tables.ALL
    }
    values["jolpica_tables"] = "\n".join(
        f"create table if not exists {resource.table} (season int, round int, entity varchar, payload variant,"
        " content_hash varchar, first_seen timestamp_ntz, last_seen timestamp_ntz, gone_at timestamp_ntz);"
        for resource in JOLPICA
    )
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


def _statements(text: str) -> Iterator[str]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    for statement in "\n".join(lines).split(";"):
        if statement.strip():
            yield statement.strip()


@dataclass(frozen=True, slots=True)
class TableStatus:
    """One topic's table."""

    table: str
    topic: str
    rows: int
    last_load: Any
    """UTC; None before the first."""
    next_offsets: dict[int, int]
    """By partition, of the newest incarnation."""


def status(warehouse: Warehouse) -> list[TableStatus]:
    """What every raw table holds. Raises WarehouseError when they are not there."""
    try:
        offsets = warehouse.rows(
            "select kafka_topic, kafka_partition, next_offset, loaded_at from RAW.LOAD_OFFSETS"
            " order by kafka_incarnation"
        )
        counts = {
            table.name: warehouse.rows(f"select count(*) as n from RAW.{table.name}")[0]["n"]  # noqa: S608 - ours
            for table in tables.ALL
        }
    except snowflake.connector.Error as error:
        if error.errno == MISSING:
            raise WarehouseError("The tables are not there: run `f1stream warehouse init`.") from error
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
