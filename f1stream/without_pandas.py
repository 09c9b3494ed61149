"""Keeps the Snowflake connector from importing pandas, which is installed because FastF1 needs it.

The connector imports every optional dependency that it finds. Only its functions with DataFrames and Arrow tables
need pandas, and nobody calls them here. Everyone else can still import it. See docs/warehouse.md.
"""

from __future__ import annotations

import sys
import threading
from importlib.abc import MetaPathFinder
from typing import Any

OPTIONS = "snowflake.connector.options"
"""The connector's module that looks for optional dependencies, pandas first."""


class NoPandasForConnector(MetaPathFinder):
    """Finds no pandas for the thread that imports the connector, once."""

    def __init__(self) -> None:
        self._thread: int | None = None
        """The thread that imports ``OPTIONS``."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        """Raise ModuleNotFoundError for the connector; leave the rest to the other finders."""
        if fullname == OPTIONS:
            self._thread = threading.get_ident()
        elif fullname == "pandas" and self._thread == threading.get_ident():
            self._thread = None
            # A new list: another thread may be iterating over this one, and would skip a finder.
            sys.meta_path = [finder for finder in sys.meta_path if finder is not self]
            raise ModuleNotFoundError("The connector is used without pandas.", name=fullname)
