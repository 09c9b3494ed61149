"""Folders that only their owner can enter, for recordings, logs and the warehouse's data."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

OWNER_ONLY = 0o700


def private_folder(folder: Path) -> Path:
    """Create ``folder`` and its parents. An existing folder of the user is closed to others.

    A folder that is shared on purpose, such as /tmp, stays open. Raises OSError if it cannot be created.
    """
    try:
        folder.mkdir(mode=OWNER_ONLY)
    except FileNotFoundError:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=OWNER_ONLY, exist_ok=True)
    except FileExistsError:
        if not folder.is_dir():
            raise
    found = folder.stat()
    if found.st_uid == os.getuid() and found.st_mode & 0o077 and not found.st_mode & stat.S_ISVTX:
        with suppress(OSError):  # some file systems have no such rights
            folder.chmod(stat.S_IMODE(found.st_mode) & OWNER_ONLY)
    return folder
