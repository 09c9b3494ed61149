"""Creates the tables at the first use of a new warehouse, and runs no DDL in others, where it may not be allowed."""

from __future__ import annotations

import snowflake.connector

from f1stream.warehouse.connection import MISSING, Warehouse
from f1stream.warehouse.errors import WarehouseError

NO_DATABASE = 90105
"""Snowflake's error code for a session whose database does not exist, or that the role may not see."""
NEWEST_TABLES = ("RAW.TELEMETRY_COUNTS", "OPS.JOB_RUNS")
"""The table that the newest release added, and the one that the DDL creates last: where they are, the others are."""


def ensure_tables(warehouse: Warehouse, database: str) -> None:
    """Create the objects of the warehouse if they do not exist; columns of new fields are added by ``init`` only.

    No DDL is run otherwise: on Snowflake CREATE … IF NOT EXISTS needs the right to create even where the object
    exists, and the roles of deployed processes do not have it. Raises WarehouseError, which names `warehouse init`.
    """
    try:
        warehouse.execute(f"select 1 from {' cross join '.join(NEWEST_TABLES)} where 1 = 0")  # noqa: S608 - ours
    except snowflake.connector.errors.ProgrammingError as error:
        if error.errno not in {MISSING, NO_DATABASE}:
            raise
        # Not imported before: the scheduler would keep 8 MB of Arrow.
        from f1stream.warehouse.schema import create  # noqa: PLC0415

        try:
            list(create(warehouse, database))
        except WarehouseError as refused:
            raise WarehouseError(
                f"The tables do not exist, and cannot be created: run `f1stream warehouse init` with a role that may "
                f"create them, and grant this one its rights. {refused}"
            ) from refused
