"""Runs the embedded warehouse for the duration of a command."""

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
    """The data folder of the embedded warehouse in F1STREAM_HOME."""
    return settings.folder() / "warehouse"


@contextmanager
def embedded_warehouse(settings: Settings) -> Iterator[None]:
    """Make sure that a warehouse answers: Snowflake, a running embedded one, or one started and stopped here.

    One started here ends with this process, however it ends. Raises WarehouseFailed when it cannot be started, or
    is set to be on another machine and does not answer.
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
