"""The connection to Snowflake, or to the embedded warehouse, which speaks the same protocol."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

import snowflake.connector
from snowflake.connector import SnowflakeConnection
from snowflake.connector import errors as refused
from snowflake.connector.cursor import SnowflakeCursor

from f1stream.settings import Settings
from f1stream.warehouse.errors import WarehouseError

LOGIN_TIMEOUT_S = 10
NETWORK_TIMEOUT_S = 30
"""For each request; the connector itself tries again within it."""
STATEMENT_TIMEOUT_S = 300
LOCK_TIMEOUT_S = 30
"""Another worker's transaction on the offsets lasts seconds; one that lasts longer is tried again later."""

logging.getLogger("snowflake.connector").setLevel(logging.CRITICAL)  # what fails is raised, and told by us


class Warehouse:
    """One session with the warehouse at a time: opened when first used, and again after it was lost.

    Not for several threads at once.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection: SnowflakeConnection | None = None

    def execute(
        self, sql: str, parameters: Sequence[Any] = (), *, content: IO[bytes] | None = None
    ) -> SnowflakeCursor:
        """Run one statement. Raises snowflake.connector.Error; a session that has ended is not used again.

        ``content``: of the file that a PUT names; without it the file is read.
        """
        try:
            return self._session().cursor().execute(sql, tuple(parameters) or None, file_stream=content) or _nothing()
        except snowflake.connector.Error as error:
            if not isinstance(error, refused.ProgrammingError) or _session_is_gone(error):
                self.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[Callable[..., SnowflakeCursor]]:
        """A function like ``execute`` for the statements of one transaction; it is for the caller to commit.

        Whatever is raised ends the session, and with it the transaction: none of it can happen outside.
        """
        connection = self._session()

        def execute(sql: str, parameters: Sequence[Any] = ()) -> SnowflakeCursor:
            return connection.cursor().execute(sql, tuple(parameters) or None) or _nothing()

        try:
            execute("begin")
            yield execute
        except BaseException:
            self.close()
            raise

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The rows of a query, with lower-case names. Raises snowflake.connector.Error."""
        cursor = self.execute(sql, parameters)
        names = [column.name.lower() for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _session(self) -> SnowflakeConnection:
        if self._connection is None or self._connection.is_closed():
            try:
                self._connection = self._connect()
            except (OSError, ValueError, TypeError) as error:
                file = self._settings.snowflake_private_key_file
                if file is None:
                    raise
                why = (
                    error.strerror
                    if isinstance(error, OSError)
                    else "it is none in PEM, or the passphrase is another"
                )
                raise refused.DatabaseError(
                    msg=f"F1STREAM_SNOWFLAKE_PRIVATE_KEY_FILE: no private key can be read from {file} ({why})."
                ) from error
        return self._connection

    def _connect(self) -> SnowflakeConnection:
        return snowflake.connector.connect(
            **self._settings.warehouse_client(),
            database=self._settings.snowflake_database,
            schema="RAW",
            paramstyle="qmark",
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
        """End the session; what it had begun is rolled back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close(retry=False)
            except snowflake.connector.Error:
                return  # it was gone already


def _nothing() -> SnowflakeCursor:
    raise WarehouseError("The warehouse gave no answer.")


SESSION_GONE = {390104, 390111, 390112, 390114, 390115, 390195}
"""Snowflake's codes for a session or token that is not, or no longer, known."""


def _session_is_gone(error: snowflake.connector.Error) -> bool:
    return error.errno in SESSION_GONE


DATA_ERRORS = range(100_000, 101_000)
"""Snowflake's codes for values that do not fit."""


def refuses_data(error: snowflake.connector.Error) -> bool:
    """Whether it is the rows that are refused, and will be again."""
    return isinstance(error, refused.ProgrammingError) and error.errno in DATA_ERRORS


def error_text(error: snowflake.connector.Error) -> str:
    """What the warehouse said, on one line."""
    return " ".join(str(error.raw_msg or error.msg or error).split())
