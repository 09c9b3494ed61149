"""Patches of fakesnow where it differs from Snowflake. Each function names the defect that it patches.

They replace functions of fakesnow 0.12; the dependency is pinned to it.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PosixPath
from typing import Any

import duckdb
import fakesnow.arrow
import fakesnow.conn
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
INSUFFICIENT_STORAGE = 507
DATA_ERRORS = (
    duckdb.ConversionException, duckdb.ConstraintException, duckdb.OutOfRangeException, duckdb.InvalidInputException,
    duckdb.TypeMismatchException,
)  # fmt: skip
IGNORED_STATEMENTS = [
    r"^\s*(GRANT|REVOKE)\b",
    r"^\s*CREATE\s+(OR\s+REPLACE\s+)?(WAREHOUSE|ROLE|USER|RESOURCE\s+MONITOR|STREAM|TASK|PIPE|NETWORK\s+POLICY)\b",
    r"^\s*ALTER\s+(SESSION\s+(SET|UNSET)\s+(?!AUTOCOMMIT)|WAREHOUSE|USER|ROLE)",
]
"""Statements about the account, which has none of these: accepted, and nothing is done."""
_QUALIFIED_TEMPORARY = re.compile(
    r"^(\s*(?:/\*.*?\*/\s*)?create\s+(?:or\s+replace\s+)?)temp(?:orary)?\s+"
    r"((?:table|view)\s+(?:if\s+not\s+exists\s+)?[\w\"$]+\.)",
    re.IGNORECASE | re.DOTALL,
)


class QuotedPath(PosixPath):
    """A path whose apostrophes are doubled where an f-string puts it into SQL."""

    def __format__(self, _: str) -> str:
        return str(self).replace("'", "''")


def apply(stages: Path) -> None:
    """All of them. ``stages`` is where files put to stages are kept."""
    with suppress(OSError):
        Path(stage.LOCAL_BUCKET_PATH).rmdir()  # made when fakesnow is imported, and never removed
    fakesnow.conn.Path = QuotedPath  # databases are attached by their paths
    # A stable path: files that are staged, and COPY's memory of them, survive a restart.
    stage.LOCAL_BUCKET_PATH = str(stages)
    _before_and_after_each_statement()
    _one_statement_at_a_time()
    _merge_natively()
    _null_timestamps()


def _before_and_after_each_statement() -> None:
    """DuckDB's errors become Snowflake's; temporary tables may have a schema; what existed is not "created".

    An error that fakesnow does not know ends as HTTP 500, which the connector tries again until its timeout.
    DuckDB has temporary tables in a catalogue of their own only: qualified ones, as dbt makes them, become ordinary.
    """
    execute = FakeSnowflakeCursor.execute

    def patched(self: Any, command: str, *args: Any, **kwargs: Any) -> Any:
        command = _QUALIFIED_TEMPORARY.sub(r"\1\2", command)
        existed = _existing(self, command)
        try:
            done = execute(self, command, *args, **kwargs)
        except DATA_ERRORS as error:
            raise ProgrammingError(msg=str(error), errno=100038, sqlstate="22000") from error
        except duckdb.TransactionException as error:  # a conflict, or a transaction that one has aborted
            raise ProgrammingError(msg=str(error), errno=625, sqlstate="57014") from error
        except duckdb.Error as error:
            raise ProgrammingError(msg=str(error), errno=603, sqlstate="XX000") from error
        except SqlglotError as error:  # a statement that cannot even be taken apart
            raise ProgrammingError(msg=str(error), errno=1003, sqlstate="42000") from error
        except SnowflakeError:
            raise
        except Exception as error:  # the emulator's own limits
            said = str(error).partition("\n")[0] or type(error).__name__
            raise ProgrammingError(
                msg=f"The embedded warehouse cannot do this: {said}", errno=2, sqlstate="0A000"
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
    """The name of what a CREATE … IF NOT EXISTS would create, when it is there."""
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


def _answer(cursor: Any, sql: str) -> None:
    """Make ``sql`` the result of the statement that was run."""
    cursor._last_sql, cursor._last_params = sql, None
    cursor._duck_conn.execute(sql)
    cursor._arrow_table = cursor._duck_conn.to_arrow_table()


def _remember_stages(cursor: Any) -> None:
    """A stage's folder stands for its definition, which fakesnow keeps in memory only; see ``restore_stages``."""
    with cursor._duck_conn.cursor() as beside:
        defined = beside.execute(
            "select database_name, schema_name, name from _fs_global._fs_information_schema._fs_stages"
        ).fetchall()
    for within in defined:
        folder = Path(stage.LOCAL_BUCKET_PATH, *within).resolve()
        if folder.is_relative_to(stage.LOCAL_BUCKET_PATH):  # a quoted name can be a path
            folder.mkdir(parents=True, exist_ok=True)


def restore_stages(emulator: FakeSnow) -> None:
    """Define the stages of an earlier run once more."""
    for folder in sorted(Path(stage.LOCAL_BUCKET_PATH).glob("*/*/*")):
        if folder.is_dir():
            database, schema, name = folder.parts[-3:]
            connection = emulator.connect(database, schema)
            connection.cursor().execute(f"create stage if not exists {database}.{schema}.{name}")
            connection.close()


TOO_MANY = "Actual statement count {} did not match the desired statement count 1."
"""As Snowflake says it; its number is 8."""


def _one_statement_at_a_time() -> None:
    """Several statements in one request are refused, as in Snowflake; fakesnow hands all of them to DuckDB."""
    check = FakeSnowflakeCursor.check_db_and_schema

    def checked(self: Any, expression: exp.Expression) -> None:
        if isinstance(expression, exp.Block):
            statements = [each for each in expression.expressions if not isinstance(each, exp.Semicolon)]  # a comment
            if len(statements) > 1:
                raise ProgrammingError(msg=TOO_MANY.format(len(statements)), errno=8, sqlstate="0A000")
        check(self, expression)

    FakeSnowflakeCursor.check_db_and_schema = checked


def _merge_natively() -> None:
    """MERGE is DuckDB's own: atomic, and allowed in a transaction.

    fakesnow makes several statements of it, loses columns of the source that SET uses, and rejects VALUES without a
    table's name, as dbt writes them.
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
    """NULL timestamps are NULL: fakesnow leaves out Arrow's validity mask, and clients read 1970-01-01."""
    convert: Callable[[Any], pa.StructArray] = fakesnow.arrow.timestamp_to_sf_struct

    def patched(column: Any) -> pa.StructArray:
        if isinstance(column, pa.ChunkedArray):
            column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], type=column.type)
        made = convert(column)
        fields = [made.type.field(n) for n in range(made.type.num_fields)]
        values = [made.field(n).fill_null(0) for n in range(len(fields))]
        return pa.StructArray.from_arrays(values, fields=fields, mask=pc.is_null(column))

    fakesnow.arrow.timestamp_to_sf_struct = patched


def add_master_token(app: Starlette) -> None:
    """The login's answer has a master token: without one the connector never tells that it closes a session."""
    (login,) = (route for route in app.routes if isinstance(route, Route) and route.name == "login_request")
    answer = login.endpoint

    async def patched(request: Request) -> JSONResponse:
        told = json.loads((await answer(request)).body)
        told["data"]["masterToken"] = told["data"]["token"]
        return JSONResponse(told)

    app.router.routes[app.routes.index(login)] = Route(login.path, patched, methods=["POST"], name=login.name)


def report_full_disk(server: Any) -> None:
    """A file that cannot be written to a stage is an answer that says so, which the connector does not try again.

    What was written of it is removed: each attempt of ours has a name of its own. ``server``: fakesnow's.
    """
    write: Callable[[str, bytes], str | None] = server._write_bucket_file

    def checked(path: str, body: bytes) -> str | None:
        try:
            return write(path, body)
        except OSError as error:
            with suppress(OSError):
                Path(stage.LOCAL_BUCKET_PATH, path).unlink()
            log.error("%s cannot be written (%s): make room there.", stage.LOCAL_BUCKET_PATH, error.strerror)  # noqa: TRY400
            raise HTTPException(INSUFFICIENT_STORAGE) from error

    server._write_bucket_file = checked


class LatestResults(dict[str, Any]):
    """fakesnow keeps every result of every query; this keeps the latest."""

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        while len(self) > RESULTS_KEPT:
            self.pop(next(iter(self)), None)
