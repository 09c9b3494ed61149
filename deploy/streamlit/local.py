"""The app on this machine, on the warehouse of the settings: the embedded one, started if none runs, or Snowflake.

Run by `make streamlit`, in the project's environment; Streamlit has one of its own. Not uploaded to Snowflake.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import tomlkit

from f1stream.child_environment import environment_for
from f1stream.embedded.running import embedded_warehouse
from f1stream.embedded.warehouse import WarehouseFailed
from f1stream.settings import Settings, settings

FOLDER = Path(__file__).resolve().parent
STREAMLIT = FOLDER.parents[1] / ".venv-streamlit" / "bin" / "streamlit"


def environment(settings: Settings) -> dict[str, str]:
    """The connector's default connection, told as it reads it from the environment; no file has to hold a secret."""
    connection = settings.warehouse_client() | {
        "database": settings.snowflake_database, "schema": "MARTS", "paramstyle": "qmark",
        "application": "f1stream", "session_parameters": {"QUERY_TAG": "f1stream-streamlit", "TIMEZONE": "UTC"},
    }  # fmt: skip
    told = {"F1STREAM_APP_EMBEDDED": "1"} if settings.embedded_warehouse else {}
    return told | {
        "SNOWFLAKE_CONNECTIONS": tomlkit.dumps({"f1stream": connection}),
        "SNOWFLAKE_DEFAULT_CONNECTION_NAME": "f1stream",
    }


def main(arguments: list[str]) -> int:
    """Run it until it is stopped; returns its exit code."""
    if not STREAMLIT.is_file():
        raise SystemExit("Streamlit is not installed here; make streamlit-setup installs it.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    told = settings()
    try:
        with embedded_warehouse(told):
            process = subprocess.Popen(
                [STREAMLIT, "run", "streamlit_app.py", *arguments],
                cwd=FOLDER,
                env={**environment_for(told, "streamlit"), **environment(told)},
            )
            try:
                return process.wait()
            except KeyboardInterrupt:
                return 0
            finally:
                process.terminate()
                process.wait()
    except WarehouseFailed as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
