"""The Snowflake connector is used without pandas, in our processes only and by nobody else."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from f1stream.without_pandas import OPTIONS, NoPandasForConnector


@pytest.mark.parametrize(
    "modules",
    ["f1stream.warehouse.connection", "f1stream.embedded.fakesnow_patches", "f1stream, dbt.adapters.snowflake"],
)
def test_processes_with_the_connector_do_not_import_pandas_until_someone_else_does(modules: str) -> None:
    """It also fails when the connector looks for pandas in another way than ``f1stream.without_pandas`` expects."""
    code = (
        f"import sys, {modules}, snowflake.connector.options as options\n"
        "assert not options.installed_pandas and 'pandas' not in sys.modules\n"
        "assert not [one for one in sys.meta_path if type(one).__name__ == 'NoPandasForConnector']\n"
        "import pandas\n"
        "assert pandas.DataFrame({'a': [1]}).shape == (1, 1)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_another_thread_finds_pandas_while_the_connector_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so does the importing one, afterwards."""
    finder = NoPandasForConnector()
    others = [*sys.meta_path]
    monkeypatch.setattr(sys, "meta_path", [finder, *others])
    finder.find_spec("pandas")
    finder.find_spec(OPTIONS)
    with ThreadPoolExecutor(1) as thread:
        thread.submit(finder.find_spec, "pandas").result()
    with pytest.raises(ModuleNotFoundError, match="without pandas"):
        finder.find_spec("pandas")
    assert sys.meta_path == others
    finder.find_spec("pandas")
