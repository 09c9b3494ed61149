"""Temporary folders of processes, all in ``f1stream-UID`` under the system's folder for temporary files.

Each is locked until its process ends, however it ends. An unlocked folder was left by a killed process; the next
process that needs a folder removes it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from f1stream.errors import UserError


class ScratchFailed(UserError):
    """No temporary folder can be created; the text is one sentence for the user."""


@contextmanager
def scratch_folder(name: str) -> Iterator[Path]:
    """An empty folder, removed afterwards. Folders of killed processes are removed first.

    Raises ScratchFailed if none can be created, or if another user owns the parent folder.
    """
    folder, lock = _own(name)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _own(name: str) -> tuple[Path, int]:
    """A new folder and the descriptor that holds its lock. Child processes do not inherit the descriptor."""
    try:
        parent = Path(tempfile.gettempdir(), f"f1stream-{os.getuid()}")
        parent.mkdir(mode=0o700, exist_ok=True)
        entrance = _opened(parent)
    except OSError as error:
        raise ScratchFailed(
            f"Temporary files cannot be written ({error.strerror}: {error.filename}): make room, "
            "or set TMPDIR to a folder of yours."
        ) from None
    try:
        found = os.fstat(entrance)
        if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise ScratchFailed(
                f"{parent} is open to others: remove it, or set TMPDIR to a folder of yours for temporary files."
            )
        fcntl.flock(entrance, fcntl.LOCK_EX)  # no other process sweeps between creating a folder and locking it
        _sweep(parent)
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=parent))
        lock = _opened(folder)
        fcntl.flock(lock, fcntl.LOCK_EX)
        return folder, lock
    except OSError as error:
        raise ScratchFailed(f"Temporary files cannot be written ({error.strerror}: {parent}): make room.") from None
    finally:
        os.close(entrance)


def _opened(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)


def _sweep(parent: Path) -> None:
    """Remove the folders that no process has locked."""
    for folder in parent.iterdir():
        try:
            lock = _opened(folder)
        except OSError:  # not a folder, or removed meanwhile
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue
        finally:
            os.close(lock)
