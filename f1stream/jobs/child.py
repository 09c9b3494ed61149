"""An ``f1stream`` command as a child of the scheduler: its log, its exit code and its last line."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import IO

from f1stream.child_environment import environment_for
from f1stream.logs import rotate_log
from f1stream.processes import STOPS_WITHIN_S, stop
from f1stream.settings import Settings

COMMAND = [sys.executable, "-m", "f1stream.child"]
"""The command line before the arguments of a run."""
POLL_S = 0.5
"""Seconds between two checks whether the child has ended or has to end."""


class CommandRunner:
    """Runs an ``f1stream`` command, one at a time.

    Its output goes to our stderr, where it is collected with our own log, and to F1STREAM_HOME/logs.
    """

    def __init__(self, settings: Settings, name: str) -> None:
        self.stopped = threading.Event()
        """Set by ``stop`` of the scheduler, from any thread: ends the run."""
        self._settings = settings
        self._environment = environment_for(settings, name)
        self._log = settings.home / "logs" / f"{name}.log"
        self._last = ""

    def run(self, *arguments: str, goes_on: Callable[[], bool] = lambda: True) -> int | None:
        """The exit code; None if we ended the child, because of ``stopped`` or because ``goes_on`` returned False."""
        self._settings.folder("logs")
        with suppress(OSError):  # missing before the first run
            rotate_log(self._log)
        self._last = ""
        process = subprocess.Popen(
            [*COMMAND, *arguments], env=self._environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, encoding="utf-8", errors="replace",
        )  # fmt: skip
        reader = threading.Thread(target=self._read, args=[process.stdout], daemon=True)
        reader.start()
        try:
            while process.poll() is None and goes_on() and not self.stopped.wait(POLL_S):
                pass
            return process.poll()
        finally:
            stop(process)
            reader.join(STOPS_WITHIN_S)

    def _read(self, output: IO[str]) -> None:
        """Read to the end even if log or stderr fail: a full pipe would block the child."""
        with output:
            for line in output:
                self._last = line.strip() or self._last
                with suppress(OSError):
                    with self._log.open("a", encoding="utf-8") as log:
                        log.write(line)
                    rotate_log(self._log)
                with suppress(OSError, ValueError):  # ValueError: stderr is closed
                    sys.stderr.write(line)
                    sys.stderr.flush()

    def last_words(self) -> str:
        """The last line of this run; empty if it wrote none."""
        return self._last.removeprefix("f1stream: ")
