"""Removes files that stay in the stage when a worker dies between PUT and COPY: they only cost storage."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from f1stream.warehouse.connection import Warehouse

OLD = timedelta(days=1)
"""Age of a file that nobody loads any more: each attempt has its own file names, and ends within minutes."""
MOST = 500
"""Files that one run removes, a statement each; the next run removes the others."""
OURS = re.compile(r"(?:.*/)?([a-z_]+-[0-9a-f]{32}\.parquet)")
"""Names of the loader's files, as LIST reports them; other files are not ours to remove."""


def remove_old_files(warehouse: Warehouse) -> int:
    """Remove the loader's files that are older than ``OLD``; returns how many. Raises snowflake.connector.Error."""
    before = datetime.now(UTC) - OLD
    old = [
        found[1]
        for row in warehouse.rows("list @RAW.LOADS")
        if (found := OURS.fullmatch(row["name"])) and parsedate_to_datetime(row["last_modified"]) < before
    ][:MOST]
    for name in old:
        warehouse.execute(f"remove @RAW.LOADS/{name}")
    return len(old)
