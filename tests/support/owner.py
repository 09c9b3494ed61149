"""A command that starts a warehouse for itself, as a process that tests end in every way.

``python -m tests.support.owner PORT``. The warehouse is a tiny program that listens on PORT, and the work is to wait.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from f1stream.embedded import warehouse
from f1stream.embedded.running import embedded_warehouse
from f1stream.settings import Settings

LISTENS = """
import os, socket, sys, time
with socket.create_server(("127.0.0.1", int(sys.argv[1]))):
    time.sleep(600)
"""


def tiny(data: Path, port: int, host: str = "") -> list[str]:
    return [sys.executable, "-S", "-E", "-c", LISTENS, str(port)]


if __name__ == "__main__":
    warehouse.command = tiny
    with embedded_warehouse(Settings(_env_file=None, embedded_warehouse_port=int(sys.argv[1]))):
        print("up", flush=True)
        time.sleep(600)
