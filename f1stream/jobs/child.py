"""A command of ours as a child of the scheduler: watched, ended with it, heard, and asked why it failed."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import IO

from f1stream.child_environment import environment_for
from f1stream.logs import rotate_log
from f1stream.processes import STOPS_WITHIN_S, terminate_with_parent
from f1stream.settings import Settings

COMMAND = [sys.executable, "-m", __name__]
"""Before the arguments of a run: this module, which ends with its parent and is otherwise ``f1stream``."""
POLL_S = 0.5


class CommandRunner:
    """Runs ``python -m f1stream.jobs.child COMMAND …``, which is ``f1stream COMMAND …``; one at a time.

    What it writes goes to our stderr, where it is collected with our own log, and into F1STREAM_HOME/logs.
    """

    def __init__(self, settings: Settings, name: str) -> None:
        self.stopped = threading.Event()
        self._settings = settings
        self._environment = environment_for(settings, name)
        self._log = settings.home / "logs" / f"{name}.log"
        self._last = ""

    def run(self, *arguments: str, goes_on: Callable[[], bool] = lambda: True) -> int | None:
        """Its exit code; None when we ended it, because it was ``stopped`` or ``goes_on`` said no."""
        self._settings.folder("logs")
        with suppress(OSError):  # it is not there before the first run
            rotate_log(self._log)
        self._last = ""
        process = subprocess.Popen(
            [*COMMAND, *arguments], env=self._environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, encoding="utf-8", errors="replace",
        )  # fmt: skip
        listening = threading.Thread(target=self._listen, args=[process.stdout], daemon=True)
        listening.start()
        try:
            while process.poll() is None and goes_on() and not self.stopped.wait(POLL_S):
                pass
            return process.poll()
        finally:
            process.terminate()
            try:
                process.wait(STOPS_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            listening.join(STOPS_WITHIN_S)

    def _listen(self, output: IO[str]) -> None:
        """To its end, whatever becomes of log and stderr: a pipe that nobody reads would hold the child up."""
        with output:
            for line in output:
                self._last = line.strip() or self._last
                with suppress(OSError):
                    with self._log.open("a", encoding="utf-8") as log:
                        log.write(line)
                    rotate_log(self._log)
                with suppress(OSError, ValueError):  # a ValueError when it is closed
                    sys.stderr.write(line)
                    sys.stderr.flush()

    def last_words(self) -> str:
        """The last line that it wrote in this run; empty when it wrote none."""
        return self._last.removeprefix("f1stream: ")


if __name__ == "__main__":
    terminate_with_parent()
    from f1stream.cli import main

    main()
