"""The lock of everything that writes the season's facts or builds the marts: never two at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from f1stream.errors import UserError
from f1stream.settings import Settings


class Busy(UserError):
    """Another process holds the lock; the text is one sentence for the user."""


@contextmanager
def one_at_a_time(settings: Settings, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the lock, for which to wait up to ``wait_s`` seconds. It ends with the process. Raises Busy."""
    lock = FileLock(settings.folder() / "jobs.lock", timeout=wait_s)
    try:
        lock.acquire()
    except Timeout:
        raise Busy(
            "Another run is loading the season's facts or building the marts; `f1stream jobs` shows it."
        ) from None
    try:
        yield
    finally:
        lock.release()
