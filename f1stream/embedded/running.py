"""The embedded warehouse for as long as a command needs it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from f1stream.embedded import warehouse
from f1stream.embedded.ports import listens
from f1stream.settings import Settings


def data_folder(settings: Settings) -> Path:
    """Where an embedded warehouse that is kept has its data."""
    return settings.home / "warehouse"


@contextmanager
def embedded_warehouse(settings: Settings) -> Iterator[None]:
    """A warehouse to talk to: Snowflake, the embedded one that runs already, or one started and stopped here.

    Raises RuntimeError when it cannot be started.
    """
    port = settings.embedded_warehouse_port
    if not settings.embedded_warehouse or listens(port):
        yield
        return
    process = subprocess.Popen(warehouse.command(data_folder(settings), port), stdin=subprocess.DEVNULL)
    try:
        warehouse.wait_until_up(process, port)
        yield
    finally:
        process.terminate()
        process.wait()
