"""A temporary file for frames that do not fit into memory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import IO


class SpillFile:
    """Append-only bytes on disk, in a file without a name: it is gone when the process ends, however it ends."""

    def __init__(self, folder: Path | None = None) -> None:
        """``folder``: None is the system's folder for temporary files."""
        self._folder = folder
        self._file: IO[bytes] | None = None
        self.size = 0
        """Bytes on disk."""

    def put(self, value: bytes) -> int:
        """Append ``value`` and return its offset. Raises OSError, with ``size`` unchanged, when the disk is full."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0, prefix="f1stream-tape-", dir=self._folder)  # noqa: SIM115
        offset, written = self.size, 0
        while written < len(value):
            written += os.pwrite(self._file.fileno(), value[written:], offset + written)
        self.size += len(value)
        return offset

    def get(self, offset: int, length: int) -> bytes:
        """``length`` bytes from ``offset`` on; recently written pages come from the system's cache."""
        assert self._file is not None  # noqa: S101
        return os.pread(self._file.fileno(), length, offset)

    def __del__(self) -> None:
        if self._file is not None:
            self._file.close()
