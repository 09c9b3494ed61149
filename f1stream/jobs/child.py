"""A command of ours as a child of the scheduler: watched, ended with it, and asked why it failed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable

from f1stream.processes import STOPS_WITHIN_S, ends_with_parent
from f1stream.settings import Settings

LOOKS_EVERY_S = 0.5


class Child:
    """Runs ``python -m f1stream.jobs.child COMMAND …``, which is ``f1stream COMMAND …``; one at a time."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.stopped = threading.Event()
        self._settings = settings
        self._log = settings.home / "logs" / f"{name}.log"

    def run(self, *arguments: str, goes_on: Callable[[], bool] = lambda: True) -> int | None:
        """Its exit code; None when we ended it, because it was ``stopped`` or ``goes_on`` said no."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", __name__, *arguments], env={**os.environ, **self._settings.environment()},
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
            try:
                while process.poll() is None and goes_on() and not self.stopped.wait(LOOKS_EVERY_S):
                    pass
                return process.poll()
            finally:
                process.terminate()
                try:
                    process.wait(STOPS_WITHIN_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def last_words(self) -> str:
        """The last line that it wrote; empty when it wrote none."""
        lines = self._log.read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "").removeprefix("f1stream: ")


if __name__ == "__main__":
    ends_with_parent()
    from f1stream.cli import main

    main()
