"""A file for what does not fit into memory. It has no name: whatever ends the process ends the file too."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


class SpillFile:
    """Bytes in the order in which they came. Made on the first use; raises OSError when the disk is full."""

    def __init__(self, folder: Path | None = None) -> None:
        """``folder``: None is the system's own for temporary files."""
        self._folder = folder
        self._file: int | None = None
        self.size = 0
        """Bytes of disk that it takes."""

    def put(self, value: bytes) -> int:
        """Keep ``value``; returns where."""
        if self._file is None:
            file, name = tempfile.mkstemp(prefix="f1stream-tape-", dir=self._folder)
            Path(name).unlink()
            self._file = file
        at, written = self.size, 0
        while written < len(value):
            written += os.pwrite(self._file, value[written:], at + written)
        self.size += len(value)
        return at

    def get(self, at: int, length: int) -> bytes:
        """So many bytes from ``at`` on. A page of a file that was written lately comes from memory."""
        assert self._file is not None  # noqa: S101
        return os.pread(self._file, length, at)

    def __del__(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
