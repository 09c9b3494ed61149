"""The live client as the scheduler runs it: a child process, from before a session until it has ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from f1stream.jobs.child import CommandRunner
from f1stream.jobs.runs import Ended
from f1stream.settings import Settings


class LiveClient:
    """One live client at a time. It also records the feed: a file per session in ``F1STREAM_HOME/recordings``."""

    def __init__(self, settings: Settings) -> None:
        self.on = False
        self.error = ""
        """Why the last session could not be followed; empty if it was."""
        self.start: datetime | None = None
        """The planned start (UTC) of the last session that was followed."""
        self._settings = settings
        self._child = CommandRunner(settings, "live")

    def follow(self, session: Callable[[], datetime | None]) -> Ended:
        """Follow the feed until its session has ended, or until ``session`` returns None.

        ``session`` returns the start (UTC) of the session that is on or about to start. A client that fails is
        restarted and appends to the same recording, also after a restart of the scheduler.
        """
        self.on = True
        try:
            while start := session():
                self.start = start
                recording = str(_recording(self._settings, start))
                code = self._child.run(
                    "live", "--record", recording, "--append", goes_on=lambda: session() is not None
                )
                if code == 0:
                    self.error = ""
                    return Ended.COMPLETE
                if code is not None:
                    self.error = f"f1stream live: {self._child.last_words() or f'ended with code {code}'}"
                if self._child.stopped.wait(self._settings.live_retry_seconds):
                    return Ended.INTERRUPTED
            return Ended.FAILED if self.error else Ended.INCOMPLETE
        finally:
            self.on = False

    def stop(self) -> None:
        """End the client as Ctrl-C would; from any thread."""
        self._child.stopped.set()


def _recording(settings: Settings, start: datetime) -> Path:
    return settings.home / "recordings" / f"{start:%Y-%m-%dT%H%MZ}.jsonl"
