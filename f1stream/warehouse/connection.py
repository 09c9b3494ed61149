"""The connection to Snowflake, or to the embedded warehouse, which speaks the same protocol."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

import snowflake.connector
from snowflake.connector import SnowflakeConnection, errors
from snowflake.connector.cursor import SnowflakeCursor

from f1stream.settings import Settings, WrongSetting
from f1stream.warehouse.errors import WarehouseError

LOGIN_TIMEOUT_S = 10
"""Seconds. A login that takes longer raises an error."""
NETWORK_TIMEOUT_S = 30
"""Seconds. A request that fails is not retried for longer; then it raises an error. A statement may take longer:
Snowflake answers after 45 s that it is in progress (documented for its SQL API), and the connector requests its
result again, as its source shows."""
STATEMENT_TIMEOUT_S = 300
"""Seconds. Snowflake cancels a statement that runs longer."""
CANCEL_S = 330
"""Seconds. The connector cancels a statement that Snowflake has not canceled."""
LOCK_TIMEOUT_S = 30
"""Seconds. A statement that waits longer for another worker's transaction fails; the loader retries it."""

logging.getLogger("snowflake.connector").setLevel(logging.CRITICAL)  # errors are raised, and logged by the caller


class Connection(SnowflakeConnection):  # type: ignore[misc]
    """Retries a statement's requests for ``NETWORK_TIMEOUT_S``.

    The connector has one timeout for that and for the whole statement, which it cancels after it: see ``_execute``.
    """

    def cmd_query(self, *arguments: Any, **options: Any) -> dict[str, Any]:
        """Send a statement and wait for its result."""
        done: dict[str, Any] = super().cmd_query(*arguments, **options | {"timeout": NETWORK_TIMEOUT_S})
        return done


class Warehouse:
    """A session with the warehouse, opened at first use and reopened after it was lost. Not thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection: SnowflakeConnection | None = None

    def execute(
        self, sql: str, parameters: Sequence[Any] = (), *, content: IO[bytes] | None = None
    ) -> SnowflakeCursor:
        """Run one statement. Raises snowflake.connector.Error; a lost session is closed and the next call reopens it.

        ``content``: the bytes that a PUT uploads; without it the connector reads the file that the PUT names.
        """
        try:
            return _execute(self._session(), sql, parameters, content)
        except snowflake.connector.Error as error:
            if not isinstance(error, errors.ProgrammingError) or _session_is_gone(error):
                self.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[Callable[..., SnowflakeCursor]]:
        """Begin a transaction and yield an ``execute`` for its statements. The caller commits.

        Any exception closes the session, which rolls back: no later statement can run outside the transaction.
        """
        connection = self._session()

        def execute(sql: str, parameters: Sequence[Any] = ()) -> SnowflakeCursor:
            return _execute(connection, sql, parameters)

        try:
            execute("begin")
            yield execute
        except BaseException:
            self.close()
            raise

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The rows of a query, with column names in lower case. Raises snowflake.connector.Error."""
        cursor = self.execute(sql, parameters)
        names = [column.name.lower() for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _session(self) -> SnowflakeConnection:
        if self._connection is None or self._connection.is_closed():
            try:
                self._connection = self._connect()
            except WrongSetting as error:  # the token's file; workers retry, as it may just be replaced
                raise errors.DatabaseError(msg=str(error)) from error
            except (OSError, ValueError, TypeError) as error:
                file = self._settings.snowflake_private_key_file
                if file is None:
                    raise
                why = (
                    error.strerror
                    if isinstance(error, OSError)
                    else "it is not in PEM format, or the passphrase is wrong"
                )
                raise errors.DatabaseError(
                    msg=f"F1STREAM_SNOWFLAKE_PRIVATE_KEY_FILE: no private key can be read from {file} ({why})."
                ) from error
        return self._connection

    def _connect(self) -> SnowflakeConnection:
        return Connection(
            **self._settings.warehouse_client(),
            database=self._settings.snowflake_database,
            schema="RAW",
            paramstyle="qmark",
            autocommit=True,  # an account or a user may have another default
            application="f1stream",
            login_timeout=LOGIN_TIMEOUT_S,
            network_timeout=NETWORK_TIMEOUT_S,
            session_parameters={
                "QUERY_TAG": "f1stream",
                "TIMEZONE": "UTC",
                "STATEMENT_TIMEOUT_IN_SECONDS": STATEMENT_TIMEOUT_S,
                "LOCK_TIMEOUT": LOCK_TIMEOUT_S,
            },
        )

    def close(self) -> None:
        """End the session; an open transaction is rolled back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close(retry=False)
            except snowflake.connector.Error:
                return  # it had already ended


def _execute(
    connection: SnowflakeConnection, sql: str, parameters: Sequence[Any], content: IO[bytes] | None = None
) -> SnowflakeCursor:
    done = connection.cursor().execute(sql, tuple(parameters) or None, timeout=CANCEL_S, file_stream=content)
    if done is None:
        raise WarehouseError("The warehouse gave no answer.")
    return done


MISSING = 2003
"""Snowflake's error code for an object that does not exist, or that the role may not see."""


@contextmanager
def suggest_init() -> Iterator[None]:
    """Raise WarehouseError, which names ``warehouse init``, for an object that does not exist."""
    try:
        yield
    except snowflake.connector.Error as error:
        if error.errno != MISSING:
            raise
        raise WarehouseError(
            f"{error_text(error)} Run `f1stream warehouse init` as the owner of the tables; "
            "if it is there, grant this role its rights."
        ) from error


SESSION_GONE = range(390_000, 391_000)
"""Snowflake's error codes about a login, session or token. Only a new login can help."""


def _session_is_gone(error: snowflake.connector.Error) -> bool:
    return error.errno in SESSION_GONE


DATA_ERRORS = range(100_000, 101_000)
"""Snowflake's error codes for values that do not fit their column."""


def refuses_data(error: snowflake.connector.Error) -> bool:
    """Whether the error is about the rows: loading them again would fail again."""
    return isinstance(error, errors.ProgrammingError) and error.errno in DATA_ERRORS


def error_text(error: snowflake.connector.Error) -> str:
    """The warehouse's message, on one line."""
    return " ".join(str(error.raw_msg or error.msg or error).split())
