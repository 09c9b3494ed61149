"""Runs the app on this machine with the warehouse of the settings: Snowflake, or the embedded one.

`make streamlit` runs it in the project's environment; Streamlit has its own. It starts the embedded warehouse if none
runs. It is not uploaded to Snowflake.
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
    """The connector's default connection as environment variables, so that no file holds a secret."""
    connection = settings.warehouse_client() | {
        "database": settings.snowflake_database, "schema": "MARTS", "paramstyle": "qmark",
        "application": "f1stream", "session_parameters": {"QUERY_TAG": "f1stream-streamlit", "TIMEZONE": "UTC"},
    }  # fmt: skip
    embedded = {"F1STREAM_APP_EMBEDDED": "1"} if settings.embedded_warehouse else {}
    return embedded | {
        "SNOWFLAKE_CONNECTIONS": tomlkit.dumps({"f1stream": connection}),
        "SNOWFLAKE_DEFAULT_CONNECTION_NAME": "f1stream",
    }


def main(arguments: list[str]) -> int:
    """Run the app until it is stopped; returns its exit code."""
    if not STREAMLIT.is_file():
        raise SystemExit("Streamlit is not installed; run `make streamlit-setup`.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    s = settings()
    try:
        with embedded_warehouse(s):
            process = subprocess.Popen(
                [STREAMLIT, "run", "streamlit_app.py", *arguments],
                cwd=FOLDER,
                env={**environment_for(s, "streamlit"), **environment(s)},
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
