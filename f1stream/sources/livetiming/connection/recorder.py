"""Writes the feed's messages to a file, one line each, so that they can be replayed."""

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
    """Appends ``[topic, data, utc]`` to a file, a form that ``open_recording`` and FastF1 read.

    A topic's whole state has a fourth part, "snapshot"; FastF1 skips such lines, as it does its own. Each line is
    written without buffering: a kill or a full disk can cut off only the last one, which readers count and skip. Not
    for several processes.
    """

    def __init__(self, path: Path, *, append: bool = False) -> None:
        """Open the file. Raises SourceError if it exists and is not to be appended to, or cannot be created."""
        self.path = path.expanduser()
        if self.path.exists() and not append:
            raise SourceError(f"{path} exists already: take another name, or append to it.")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab" if append else "xb", buffering=0)
            self._cut = append and _is_cut(self.path)
            """Whether the last line has no end."""
        except OSError as error:
            raise SourceError(f"{path} cannot be written ({error.strerror}): check its folder.") from None

    def write(self, message: FeedMessage) -> None:
        """Write a message. Raises SourceError when it cannot be written."""
        parts = [message.topic, message.data, utc_text(message.sent_ms), *([SNAPSHOT] if message.snapshot else [])]
        # FastF1 replaces every ' by a ", wherever it is
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
    """Whether the last line has no end, because its writer was killed while writing it."""
    with path.open("rb") as file:
        if file.seek(0, 2) == 0:
            return False
        file.seek(-1, 2)
        return file.read() != b"\n"
