"""The live client as the scheduler runs it: a child process, from before a session until it has ended."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from f1stream.jobs.runs import Ended
from f1stream.processes import STOPS_WITHIN_S, ends_with_parent
from f1stream.settings import Settings

LOOKS_EVERY_S = 0.5


class LiveClient:
    """One at a time. What the feed says is also recorded: a file a session, in ``F1STREAM_HOME/recordings``."""

    def __init__(self, settings: Settings) -> None:
        self.on = False
        self.error = ""
        """Why it could not follow the last session; empty when it could."""
        self._settings = settings
        self._stopped = threading.Event()

    def follow(self, session: Callable[[], datetime | None]) -> Ended:
        """Follow the feed until it says that its session has ended, or no ``session`` is on any more.

        ``session``: the start (UTC) of the one that is on, or is about to. A client that fails is started again, and
        goes on with the same recording; so is one after a restart of ours.
        """
        self.on = True
        try:
            while start := session():
                code = self._run(_recording(self._settings, start), session)
                if code == 0:
                    self.error = ""
                    return Ended.COMPLETE
                if code is not None:
                    self.error = f"f1stream live: {self._last_words() or f'ended with code {code}'}"
                if self._stopped.wait(self._settings.live_retry_seconds):
                    return Ended.INTERRUPTED
            return Ended.FAILED if self.error else Ended.INCOMPLETE
        finally:
            self.on = False

    def stop(self) -> None:
        """End it, as Ctrl-C would; from any thread."""
        self._stopped.set()

    def _run(self, recording: Path, session: Callable[[], datetime | None]) -> int | None:
        """One process; its exit code, or None when we ended it."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "f1stream.jobs.live", "--record", str(recording), "--append"],
                env={**os.environ, **self._settings.environment()},
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
            try:
                while process.poll() is None and session() is not None and not self._stopped.wait(LOOKS_EVERY_S):
                    pass
                return process.poll()
            finally:
                process.terminate()
                try:
                    process.wait(STOPS_WITHIN_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    @property
    def _log(self) -> Path:
        return self._settings.home / "logs" / "live.log"

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "").removeprefix("f1stream: ")


def _recording(settings: Settings, start: datetime) -> Path:
    return settings.home / "recordings" / f"{start:%Y-%m-%dT%H%MZ}.jsonl"


if __name__ == "__main__":
    ends_with_parent()
    from f1stream.cli import main

    sys.argv.insert(1, "live")
    main()
