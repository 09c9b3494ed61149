"""The live client as the scheduler runs it: a child process, from before a session until it has ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from f1stream.jobs.child import CommandRunner
from f1stream.jobs.runs import Ended
from f1stream.settings import Settings


class LiveClient:
    """One at a time. What the feed says is also recorded: a file a session, in ``F1STREAM_HOME/recordings``."""

    def __init__(self, settings: Settings) -> None:
        self.on = False
        self.error = ""
        """Why it could not follow the last session; empty when it could."""
        self.start: datetime | None = None
        """When the session that it followed last was to start (UTC)."""
        self._settings = settings
        self._child = CommandRunner(settings, "live")

    def follow(self, session: Callable[[], datetime | None]) -> Ended:
        """Follow the feed until it says that its session has ended, or no ``session`` is on any more.

        ``session``: the start (UTC) of the one that is on, or is about to. A client that fails is started again, and
        goes on with the same recording; so is one after a restart of ours.
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
        """End it, as Ctrl-C would; from any thread."""
        self._child.stopped.set()


def _recording(settings: Settings, start: datetime) -> Path:
    return settings.home / "recordings" / f"{start:%Y-%m-%dT%H%MZ}.jsonl"
