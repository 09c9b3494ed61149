"""Writing down what the feed says, one line per message, so that it can be played again."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import TracebackType

import orjson

from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.recording.formats import SNAPSHOT
from f1stream.sources.session import SourceError
from f1stream.sources.timestamps import utc_text


class Recorder:
    """Appends ``[topic, data, utc]`` to a file: what ``open_recording`` and FastF1 read.

    A topic's whole state has a fourth part, "snapshot"; FastF1 passes such lines over, as it does with its own. Each
    line goes to the system at once: a kill or a full disk can cut off the last one, which costs only itself and is
    counted by readers. Not for several processes.
    """

    def __init__(self, path: Path, *, append: bool = False) -> None:
        """Open the file. Raises SourceError when it is there and not to be appended to, or cannot be made."""
        self.path = path.expanduser()
        if self.path.exists() and not append:
            raise SourceError(f"{path} is there already: take another name, or append to it.")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab" if append else "xb", buffering=0)
            self._cut = append and _is_cut(self.path)
            """The last line has no end."""
        except OSError as error:
            raise SourceError(f"{path} cannot be written ({error.strerror}): look at its folder.") from None

    def write(self, message: FeedMessage) -> None:
        """Note a message. Raises SourceError when it cannot be written."""
        parts = [message.topic, message.data, utc_text(message.sent_ms), *([SNAPSHOT] if message.snapshot else [])]
        # FastF1 takes every ' for a ", wherever it is
        line = (b"\n" if self._cut else b"") + orjson.dumps(parts).replace(b"'", b"\\u0027") + b"\n"
        try:
            written = self._file.write(line)
            self._cut = written < len(line) and (written > 0 or self._cut)
            if written < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise SourceError(
                f"{self.path} cannot be written ({error.strerror}): make room, or record elsewhere."
            ) from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _is_cut(path: Path) -> bool:
    """Whether the last line has no end: it was being written when its writer was killed."""
    with path.open("rb") as file:
        if file.seek(0, 2) == 0:
            return False
        file.seek(-1, 2)
        return file.read() != b"\n"
