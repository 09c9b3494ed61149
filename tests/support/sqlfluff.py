"""``make sqlfluff``: sqlfluff on the dbt project.

Its dbt templater compiles every model as dbt does, so it wants a profile and a warehouse whose relations it can list:
the profile is the project's own, the warehouse an empty embedded one for as long as it takes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from f1stream.embedded.running import embedded_warehouse
from f1stream.marts.project import folder, run_dbt
from f1stream.ports import free_port
from f1stream.settings import Settings

SQLFLUFF = Path(__file__).resolve().parents[2] / ".venv-sqlfluff" / "bin" / "sqlfluff"


def main(arguments: list[str]) -> int:
    """Run sqlfluff with ``arguments``; returns its exit code."""
    with TemporaryDirectory() as home:
        settings = Settings(
            _env_file=None, home=Path(home), snowflake_account="", embedded_warehouse_port=free_port(0), dbt_target=""
        )
        with embedded_warehouse(settings):
            if not run_dbt(settings, ["parse", "--quiet"]):  # leaves the profile, and where dbt's files are
                return 1
            return subprocess.call([SQLFLUFF, *arguments], cwd=folder())


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
