"""Patches of fakesnow where it differs from Snowflake. Each function's docstring names the defect.

They replace functions of fakesnow 0.12, to which the dependency is pinned. ``docs/warehouse.md`` lists them.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path, PosixPath
from typing import Any

import duckdb
import fakesnow.arrow
import fakesnow.conn
import fakesnow.cursor
import fakesnow.dialect
import fakesnow.server
import pyarrow as pa
import pyarrow.compute as pc
from fakesnow import transforms
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.instance import FakeSnow
from fakesnow.transforms import stage
from fakesnow.transforms.merge import operations
from snowflake.connector.errors import Error as SnowflakeError
from snowflake.connector.errors import ProgrammingError
from sqlglot import exp
from sqlglot.errors import SqlglotError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

log = logging.getLogger(__name__)

RESULTS_KEPT = 64
"""Query results; older ones are dropped."""
INSUFFICIENT_STORAGE = 507
"""HTTP status that the connector does not retry."""
DATA_ERRORS = (
    duckdb.ConversionException, duckdb.ConstraintException, duckdb.OutOfRangeException, duckdb.InvalidInputException,
    duckdb.TypeMismatchException,
)  # fmt: skip
IGNORED_STATEMENTS = [
    r"^\s*(GRANT|REVOKE)\b",
    r"^\s*CREATE\s+(OR\s+REPLACE\s+)?(WAREHOUSE|ROLE|USER|RESOURCE\s+MONITOR|STREAM|TASK|PIPE|NETWORK\s+POLICY)\b",
    r"^\s*ALTER\s+(SESSION\s+(SET|UNSET)\s+(?!AUTOCOMMIT)|WAREHOUSE|USER|ROLE)",
]
"""Statements about account objects that the emulator does not have: accepted and ignored."""
_QUALIFIED_TEMPORARY = re.compile(
    r"^(\s*(?:/\*.*?\*/\s*)?create\s+(?:or\s+replace\s+)?)temp(?:orary)?\s+"
    r"((?:table|view)\s+(?:if\s+not\s+exists\s+)?[\w\"$]+\.)",
    re.IGNORECASE | re.DOTALL,
)


class QuotedPath(PosixPath):
    """A path that doubles its apostrophes when an f-string inserts it into SQL."""

    def __format__(self, _: str) -> str:
        return str(self).replace("'", "''")


def apply(stages: Path) -> None:
    """Apply all patches of functions. ``stages`` is the folder for files in stages."""
    with suppress(OSError):
        Path(stage.LOCAL_BUCKET_PATH).rmdir()  # fakesnow creates it at import and never removes it
    fakesnow.conn.Path = QuotedPath  # fakesnow writes paths into ATTACH statements
    # A stable path, so that staged files and COPY's load history survive a restart.
    stage.LOCAL_BUCKET_PATH = str(stages)
    _before_and_after_each_statement()
    _one_statement_at_a_time()
    _merge_natively()
    _null_timestamps()
    _describe_results()
    _parse_once()


def _before_and_after_each_statement() -> None:
    """Translate DuckDB's errors; accept qualified temporary tables; report objects that existed already.

    An error that fakesnow does not know becomes HTTP 500, which the connector retries until its timeout.
    DuckDB keeps temporary tables in a catalogue of their own: qualified ones, as dbt creates them, become ordinary.
    """
    execute = FakeSnowflakeCursor.execute

    def patched(self: Any, command: str, *args: Any, **kwargs: Any) -> Any:
        command = _QUALIFIED_TEMPORARY.sub(r"\1\2", command)
        command = _remove_file(self, command) or command
        existed = _existing(self, command)
        try:
            done = execute(self, command, *args, **kwargs)
        except DATA_ERRORS as error:
            raise ProgrammingError(msg=str(error), errno=100038, sqlstate="22000") from error
        except duckdb.TransactionException as error:  # a conflict, or a statement in an aborted transaction
            raise ProgrammingError(msg=str(error), errno=625, sqlstate="57014") from error
        except duckdb.Error as error:
            raise ProgrammingError(msg=str(error), errno=603, sqlstate="XX000") from error
        except SqlglotError as error:  # sqlglot cannot parse the statement
            raise ProgrammingError(msg=str(error), errno=1003, sqlstate="42000") from error
        except SnowflakeError:
            raise
        except Exception as error:  # limits of the emulator
            said = str(error).partition("\n")[0] or type(error).__name__
            raise ProgrammingError(
                msg=f"The embedded warehouse does not support this: {said}", errno=2, sqlstate="0A000"
            ) from error
        if existed is not None:
            _answer(self, f"SELECT '{existed} already exists, statement succeeded.' AS status")
        if done._last_transformed is not None and done._last_transformed.args.get("create_stage_name"):
            _remember_stages(self)
        return done

    FakeSnowflakeCursor.execute = patched


_IF_NOT_EXISTS = re.compile(
    r"^\s*create\s+(?P<kind>database|schema|table)\s+if\s+not\s+exists\s+(?P<name>[\w$.]+)", re.IGNORECASE
)


def _existing(cursor: Any, command: str) -> str | None:
    """The name of the object of a CREATE … IF NOT EXISTS that exists already; else None."""
    found = _IF_NOT_EXISTS.match(command)
    if found is None:
        return None
    *within, name = found["name"].upper().split(".")
    connection = cursor._conn
    kind = found["kind"].lower()
    if kind == "database":
        sql, where = "select 1 from duckdb_databases() where database_name = ?", [name]
    elif kind == "schema":
        sql = "select 1 from duckdb_schemas() where database_name = ? and schema_name = ?"
        where = [*(within or [connection.database]), name]
    else:
        sql = "select 1 from duckdb_tables() where database_name = ? and schema_name = ? and table_name = ?"
        where = [*([connection.database, connection.schema][: 2 - len(within)]), *within, name]
    with cursor._duck_conn.cursor() as beside:
        return name if beside.execute(sql, where).fetchone() else None


_REMOVE = re.compile(r"^\s*(?:remove|rm)\s+@(?P<stage>[\w$.]+)/(?P<file>[\w.-]+)\s*$", re.IGNORECASE)


def _remove_file(cursor: Any, command: str) -> str | None:
    """Remove a named file from a stage, which fakesnow cannot. Returns a query of the answer; None otherwise."""
    found = _REMOVE.match(command)
    if found is None:
        return None
    *within, name = found["stage"].upper().split(".")
    folders = [*[cursor._conn.database, cursor._conn.schema][: 2 - len(within)], *within, name]
    file = Path(stage.LOCAL_BUCKET_PATH, *folders, found["file"])
    if not file.is_file():
        return "SELECT '' AS name, '' AS result WHERE 1 = 0"
    file.unlink()
    return f"SELECT '{name.lower()}/{found['file']}' AS name, 'removed' AS result"


def _answer(cursor: Any, sql: str) -> None:
    """Replace the result of the executed statement by that of ``sql``."""
    cursor._last_sql, cursor._last_params = sql, None
    cursor._duck_conn.execute(sql)
    cursor.f1stream_columns = cursor._duck_conn.description
    cursor._arrow_table = cursor._duck_conn.to_arrow_table()


def _remember_stages(cursor: Any) -> None:
    """Create each stage's folder: fakesnow keeps definitions only in memory; see ``restore_stages``."""
    with cursor._duck_conn.cursor() as beside:
        defined = beside.execute(
            "select database_name, schema_name, name from _fs_global._fs_information_schema._fs_stages"
        ).fetchall()
    for within in defined:
        folder = Path(stage.LOCAL_BUCKET_PATH, *within).resolve()
        if folder.is_relative_to(stage.LOCAL_BUCKET_PATH):  # a quoted name could be a path
            folder.mkdir(parents=True, exist_ok=True)


def restore_stages(emulator: FakeSnow) -> None:
    """Define again the stages of an earlier run, which have folders."""
    for folder in sorted(Path(stage.LOCAL_BUCKET_PATH).glob("*/*/*")):
        if folder.is_dir():
            database, schema, name = folder.parts[-3:]
            connection = emulator.connect(database, schema)
            connection.cursor().execute(f"create stage if not exists {database}.{schema}.{name}")
            connection.close()


TOO_MANY = "Actual statement count {} did not match the desired statement count 1."
"""Snowflake's message; its error number is 8."""


def _one_statement_at_a_time() -> None:
    """Refuse several statements in one request, as Snowflake does; fakesnow runs all of them."""
    check = FakeSnowflakeCursor.check_db_and_schema

    def checked(self: Any, expression: exp.Expression) -> None:
        if isinstance(expression, exp.Block):
            statements = [each for each in expression.expressions if not isinstance(each, exp.Semicolon)]  # a comment
            if len(statements) > 1:
                raise ProgrammingError(msg=TOO_MANY.format(len(statements)), errno=8, sqlstate="0A000")
        check(self, expression)

    FakeSnowflakeCursor.check_db_and_schema = checked


def _merge_natively() -> None:
    """Run MERGE as DuckDB's own MERGE, which is atomic and allowed in a transaction.

    fakesnow translates it into several statements, loses source columns that SET uses, and rejects VALUES without a
    table name, which dbt writes.
    """
    run = FakeSnowflakeCursor._execute
    words = {"inserted": "INSERT", "updated": "UPDATE", "deleted": "DELETE"}

    def merge(expression: exp.Expression) -> list[exp.Expression]:
        if isinstance(expression, exp.Merge):
            expression.set("f1stream_operations", [name for name, used in operations(expression).items() if used])
            _qualify(expression)
            expression.set("returning", exp.Returning(expressions=[exp.column("merge_action")]))
        return [expression]

    def patched(self: Any, transformed: exp.Expression, params: Any = None) -> None:
        run(self, transformed, params)
        if isinstance(transformed, exp.Transaction | exp.Commit | exp.Rollback):
            self._conn.f1stream_open = isinstance(transformed, exp.Transaction)
        if isinstance(transformed, exp.Merge):
            done = [str(action).upper() for action in self._arrow_table.column(0).to_pylist()]
            counts = {name: done.count(words[name]) for name in transformed.args["f1stream_operations"]}
            _answer(
                self, "SELECT " + ", ".join(f'{n}::BIGINT AS "number of rows {name}"' for name, n in counts.items())
            )
            self._rowcount = sum(counts.values())

    transforms.merge = merge
    FakeSnowflakeCursor._execute = patched


def _qualify(merge: exp.Merge) -> None:
    source = merge.args["using"].alias_or_name
    for when in merge.find_all(exp.When):
        then = when.args.get("then")
        if isinstance(then, exp.Insert) and then.expression is not None:
            for column in then.expression.find_all(exp.Column):
                if not column.table:
                    column.set("table", exp.to_identifier(source))
        elif isinstance(then, exp.Update):
            for assignment in then.expressions:
                if isinstance(assignment.this, exp.Column):
                    assignment.this.set("table", None)


def _null_timestamps() -> None:
    """Return NULL timestamps as NULL: without Arrow's validity mask, clients of fakesnow read 1970-01-01."""
    convert: Callable[[Any], pa.StructArray] = fakesnow.arrow.timestamp_to_sf_struct

    def patched(column: Any) -> pa.StructArray:
        if isinstance(column, pa.ChunkedArray):
            column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], type=column.type)
        made = convert(column)
        fields = [made.type.field(n) for n in range(made.type.num_fields)]
        values = [made.field(n).fill_null(0) for n in range(len(fields))]
        return pa.StructArray.from_arrays(values, fields=fields, mask=pc.is_null(column))

    fakesnow.arrow.timestamp_to_sf_struct = patched


def _describe_results() -> None:
    """Take the names and types of a result's columns from it; fakesnow plans each statement again for them."""
    run = FakeSnowflakeCursor._execute
    describe = FakeSnowflakeCursor._describe_last_sql

    def patched_run(self: Any, transformed: exp.Expression, params: Any = None) -> None:
        run(self, transformed, params)
        earlier = transformed.args.get("result_scan_sfqid")  # fakesnow keeps its result, and DuckDB runs nothing
        self.f1stream_columns = None if earlier else self._duck_conn.description

    def patched_describe(self: Any) -> list[tuple[Any, ...]]:
        if self.f1stream_columns is None:
            return list(describe(self))
        return [(name, str(kind), None, None, None, None) for name, kind, *_ in self.f1stream_columns]

    FakeSnowflakeCursor.f1stream_columns = None
    FakeSnowflakeCursor._execute = patched_run
    FakeSnowflakeCursor._describe_last_sql = patched_describe


def _parse_once() -> None:
    """Parse each statement once: fakesnow's server parses it for its type, and then its cursor does again."""
    parse = fakesnow.dialect.parse_one
    parsed: ContextVar[dict[str, exp.Expression]] = ContextVar("parsed")

    def first(command: str) -> exp.Expression:
        expression = parse(command)
        parsed.set({command: expression})
        return expression

    def second(command: str) -> exp.Expression:
        return parsed.get({}).pop(command, None) or parse(command)  # the cursor changes it: it is used once

    fakesnow.server.parse_one = first
    fakesnow.cursor.parse_one = second


def add_master_token(app: Starlette) -> None:
    """Add a master token to the login's answer: without one the connector does not report a closed session."""
    (login,) = (route for route in app.routes if isinstance(route, Route) and route.name == "login_request")
    answer = login.endpoint

    async def patched(request: Request) -> JSONResponse:
        body = json.loads((await answer(request)).body)
        body["data"]["masterToken"] = body["data"]["token"]
        return JSONResponse(body)

    app.router.routes[app.routes.index(login)] = Route(login.path, patched, methods=["POST"], name=login.name)


def report_full_disk(server: Any) -> None:
    """Answer a failed write to a stage with a status that the connector does not retry, and remove the partial file.

    Each attempt of the loader has its own file name, so nothing else would remove it. ``server``: fakesnow's module.
    """
    write: Callable[[str, bytes], str | None] = server._write_bucket_file

    def checked(path: str, body: bytes) -> str | None:
        try:
            return write(path, body)
        except OSError as error:
            with suppress(OSError):
                Path(stage.LOCAL_BUCKET_PATH, path).unlink()
            log.error("%s cannot be written (%s): free disk space there.", stage.LOCAL_BUCKET_PATH, error.strerror)  # noqa: TRY400
            raise HTTPException(INSUFFICIENT_STORAGE) from error

    server._write_bucket_file = checked


class LatestResults(dict[str, Any]):
    """The latest query results; fakesnow keeps all of them for ever."""

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        while len(self) > RESULTS_KEPT:
            self.pop(next(iter(self)), None)
