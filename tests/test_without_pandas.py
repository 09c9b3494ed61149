"""The Snowflake connector is used without pandas, in our processes only and by nobody else."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["f1stream.warehouse.connection", "f1stream.embedded.fakesnow_patches"])
def test_processes_with_the_connector_do_not_import_pandas_until_someone_else_does(module: str) -> None:
    """It also fails when the connector looks for pandas in another way than ``f1stream.without_pandas`` expects."""
    code = (
        f"import sys, {module}, snowflake.connector.options as options\n"
        "assert not options.installed_pandas and 'pandas' not in sys.modules\n"
        "import pandas\n"
        "assert pandas.DataFrame({'a': [1]}).shape == (1, 1)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
