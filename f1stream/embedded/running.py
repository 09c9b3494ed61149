"""The embedded warehouse for as long as a command needs it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from f1stream.child_environment import environment_for
from f1stream.embedded import warehouse
from f1stream.ports import listens
from f1stream.processes import exit_on_signals, stop, terminate_with_parent
from f1stream.settings import EMBEDDED_HOST, Settings


def data_folder(settings: Settings) -> Path:
    """Where an embedded warehouse that is kept has its data."""
    return settings.folder() / "warehouse"


@contextmanager
def embedded_warehouse(settings: Settings) -> Iterator[None]:
    """A warehouse to talk to: Snowflake, the embedded one that runs already, or one started and stopped here.

    One started here ends with us, whatever ends us. Raises WarehouseFailed when it cannot be started, or is on
    another machine and does not answer.
    """
    host, port = settings.embedded_warehouse_host, settings.embedded_warehouse_port
    if not settings.embedded_warehouse or listens(port, host):
        yield
        return
    if host != EMBEDDED_HOST:
        raise warehouse.WarehouseFailed(
            f"The embedded warehouse does not answer at {host}:{port}: is `f1stream warehouse serve` running there?"
        )
    with exit_on_signals():
        process = subprocess.Popen(
            warehouse.command(data_folder(settings), port),
            stdin=subprocess.DEVNULL,
            env=environment_for(settings, "warehouse"),
            preexec_fn=terminate_with_parent,  # noqa: PLW1509 - it takes no lock
        )
        try:
            warehouse.wait_until_up(process, port)
            yield
        finally:
            stop(process)
