"""Errors of disks for the user: which one is almost full, and which file cannot be written."""

from __future__ import annotations

import errno
import shutil
import tempfile
from pathlib import Path

NEEDS_BYTES = 20_000_000
"""A disk with less free space counts as full: a write that failed may have freed its space again."""


def low_disk_space(*folders: Path) -> str:
    """A sentence about those of the folders whose disk is almost full; empty if there are none."""
    found = {}
    for folder in folders:
        there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
        free = shutil.disk_usage(there).free
        if free < NEEDS_BYTES:
            found[str(there)] = f"{free / 1e6:.1f} MB"
    if not found:
        return ""
    spaces = " and ".join(f"{free} are left in {folder}" for folder, free in found.items())
    return f"Only {spaces}: make room, or set F1STREAM_HOME and TMPDIR to folders on another disk."


def explain(error: OSError, home: Path) -> str | None:
    """What the user can do about a file that cannot be read or written; None for other errors."""
    if error.filename is None and error.errno not in {errno.ENOSPC, errno.EDQUOT}:
        return None
    what = error.filename or "A file"
    room = low_disk_space(home, Path(tempfile.gettempdir())) if error.errno in {errno.ENOSPC, errno.EDQUOT} else ""
    advice = room or "Choose a place of yours: data that is kept goes to F1STREAM_HOME, temporary files to TMPDIR."
    return f"{what} cannot be used ({error.strerror}). {advice}"
