"""Keeps the Snowflake connector from importing pandas, which is installed because FastF1 needs it.

The connector imports every optional dependency that it finds. Only its functions with DataFrames need pandas, and
nobody calls them here; it costs each process 45 MB and a quarter of a second. Everyone else can still import it.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from typing import Any

OPTIONS = "snowflake.connector.options"
"""The connector's module that looks for optional dependencies."""


class NoPandasForConnector(MetaPathFinder):
    """Finds no pandas as long as the connector looks for it."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:
        """Raise ModuleNotFoundError for the connector; leave the rest to the other finders."""
        if fullname == "pandas" and OPTIONS in sys.modules and not hasattr(sys.modules[OPTIONS], "installed_pandas"):
            raise ModuleNotFoundError("The connector is used without pandas.", name=fullname)
