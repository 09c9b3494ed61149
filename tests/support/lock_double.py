"""Snowflake's transactions in process, as its documentation describes them, for the loader's own statements.

A statement sees what was committed before it began, and what its own transaction has done (READ COMMITTED). UPDATE
waits until no other transaction has locked what it changes, and locks it until the end of its own; INSERT and COPY
wait for nothing. Whether an UPDATE that has waited sees what was committed meanwhile is not documented: the double
does either. fakesnow runs each statement on the rows that the statement may see.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import IO, Any

import pyarrow.parquet as pq
from fakesnow.instance import FakeSnow

Rows = dict[int, tuple[Any, ...]]
"""The rows of a table by number."""
PATIENCE_S = 20.0


class SessionEnded(Exception):
    """The server has ended the session, and rolled its transaction back."""


@cache
def _engine(ddl: tuple[str, ...]) -> Any:
    """A cursor, and the tables with a column for the number of a row."""
    cursor = FakeSnow().connect("DOUBLE", "RAW", paramstyle="qmark").cursor()
    for statement in ddl:
        cursor.execute(statement)
        (name,) = re.findall(r"RAW\.\w+", statement)
        cursor.execute(f"alter table {name} add column row_number int")
    return cursor


@dataclass
class Transactions:
    """The server."""

    ddl: tuple[str, ...]
    """Creates the tables that are updated: their rows are in ``tables``."""
    rereads: bool
    """Whether a statement that has waited for a lock sees what was committed meanwhile."""
    locks_tables: bool
    """Whether UPDATE locks the table, or only the rows that it changes."""
    copied: list[tuple[str, int, int]] = field(default_factory=list)
    """Topic, partition and offset of every committed row of COPY."""
    locks: dict[tuple[str, int | None], Session] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.changed = threading.Condition()
        self.numbers = itertools.count()
        self._cursor = _engine(self.ddl)
        self._duckdb = self._cursor._duck_conn
        self.tables: dict[str, Rows] = {
            name: {} for statement in self.ddl for name in re.findall(r"RAW\.\w+", statement)
        }

    def insert(self, table: str, *rows: tuple[Any, ...]) -> None:
        """Rows from the beginning."""
        self.tables[table] |= {next(self.numbers): row for row in rows}

    def run(self, sql: str, parameters: Sequence[Any], tables: dict[str, Rows]) -> tuple[Any, dict[str, Rows]]:
        """Run a statement on these rows; returns its answer, and the rows that it has changed or added."""
        used = {name: rows for name, rows in tables.items() if name in sql}
        for name, rows in used.items():
            self._duckdb.execute(f"delete from {name}")
            for number, row in rows.items():
                self._duckdb.execute(f"insert into {name} select {'?, ' * len(row)} ?", (*row, number))
        self._cursor.execute(sql, tuple(parameters) or None)
        answer = SimpleNamespace(rowcount=self._cursor.rowcount, fetchall=iter([self._cursor.fetchall()]).__next__)
        changes: dict[str, Rows] = {}
        for name, rows in used.items():
            for *row, number in self._duckdb.execute(f"from {name}").fetchall():
                if number is None or rows[number] != tuple(row):
                    changes.setdefault(name, {})[next(self.numbers) if number is None else number] = tuple(row)
        return answer, changes


@dataclass(eq=False)
class Session:
    """A session, with the methods of ``Warehouse`` that the loader calls."""

    server: Transactions
    before: Callable[[str], None] = lambda _: None
    """Called with each statement before it runs."""
    waits: bool = False
    """Whether a statement waits for a lock."""
    ended: bool = False
    _open: bool = False
    _writes: dict[str, Rows] = field(default_factory=dict)
    _copied: list[tuple[str, int, int]] = field(default_factory=list)
    _files: dict[str, list[tuple[str, int, int]]] = field(default_factory=dict)

    def execute(self, sql: str, parameters: Sequence[Any] = (), *, content: IO[bytes] | None = None) -> Any:
        """Run one statement, in the session's transaction if it has one."""
        self.before(sql)
        with self.server.changed:
            if self.ended:
                raise SessionEnded
            done = self._execute(sql, parameters, content)
            if not self._open:
                self._commit()
            return done

    def _execute(self, sql: str, parameters: Sequence[Any], content: IO[bytes] | None) -> Any:
        word = sql.partition(" ")[0]
        if word == "put":
            (file,) = re.findall(r"[\w-]+\.parquet", sql)
            names = ["kafka_topic", "kafka_partition", "kafka_offset"]
            self._files[file] = [tuple(row.values()) for row in pq.read_table(content, columns=names).to_pylist()]
        elif word == "begin":
            self._open = True
        elif word == "commit":
            self._open = False
        elif word == "copy":
            (file,) = re.findall(r"[\w-]+\.parquet", sql)
            self._copied += self._files[file]
            loaded = [(len(self._files[file]),)]
            return SimpleNamespace(description=[SimpleNamespace(name="rows_loaded")], fetchall=lambda: loaded)
        else:
            return self._query(word, sql, parameters)
        return None

    def _query(self, word: str, sql: str, parameters: Sequence[Any]) -> Any:
        done, changes = self.server.run(sql, parameters, self._visible())
        while word == "update" and self._is_locked(changes, sql):
            self.waits = True
            self.server.changed.notify_all()
            assert self.server.changed.wait(PATIENCE_S), f"a lock is never released for: {sql}"
            if self.ended:
                raise SessionEnded
            if self.server.rereads:
                done, changes = self.server.run(sql, parameters, self._visible())
        self.waits = False
        for name, rows in changes.items():
            self._writes.setdefault(name, {}).update(rows)
            if word != "insert":
                self.server.locks |= dict.fromkeys(self._resources(name, rows), self)
        return done

    def _is_locked(self, changes: dict[str, Rows], sql: str) -> bool:
        wanted = [each for name, rows in changes.items() for each in self._resources(name, rows)]
        if self.server.locks_tables:
            wanted.append((re.findall(r"RAW\.\w+", sql)[0], None))
        return any(self.server.locks.get(each, self) is not self for each in wanted)

    def _resources(self, table: str, rows: Rows) -> list[tuple[str, int | None]]:
        return [(table, None)] if self.server.locks_tables else [(table, number) for number in rows]

    def _visible(self) -> dict[str, Rows]:
        return {name: rows | self._writes.get(name, {}) for name, rows in self.server.tables.items()}

    def _commit(self) -> None:
        for name, rows in self._writes.items():
            self.server.tables[name] |= rows
        self.server.copied += self._copied
        self._end_transaction()

    def _end_transaction(self) -> None:
        self._open, self._writes, self._copied = False, {}, []
        self.server.locks = {of: by for of, by in self.server.locks.items() if by is not self}
        self.server.changed.notify_all()

    def end(self) -> None:
        """The server ends the session and rolls back."""
        with self.server.changed:
            self.ended = True
            self._end_transaction()

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """The rows of a query."""
        rows: list[Any] = self.execute(sql, parameters).fetchall()
        return rows

    @contextmanager
    def transaction(self) -> Iterator[Callable[..., Any]]:
        """See ``Warehouse``."""
        try:
            self.execute("begin")
            yield self.execute
        except BaseException:
            with self.server.changed:
                self._end_transaction()
            raise
