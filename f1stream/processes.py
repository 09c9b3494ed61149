"""Child processes: started, measured and stopped together; none outlives its parent."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from f1stream.logs import rotate_log

F1STREAM = [sys.executable, "-m", "f1stream"]
"""The command line of ``f1stream``, before the command."""
STOPS_WITHIN_S = 4.0
"""Seconds between SIGTERM and SIGKILL for a child that has not ended."""
SHOWN_LINES = 15
"""Lines of a failed child's log in the error."""
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
"""Loaded at import: between fork and exec a lock that another thread holds is never released."""


@dataclass
class Child:
    """A child process, its log and its memory."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path | None
    peak_rss: int = 0
    """Largest resident memory seen (bytes)."""

    def measure(self) -> None:
        """Update ``peak_rss``."""
        try:
            self.peak_rss = max(self.peak_rss, psutil.Process(self.process.pid).memory_info().rss)
        except psutil.Error:
            return

    def keep_log_short(self) -> None:
        """Rotate the log if it is too long."""
        if self.log is not None:
            with suppress(OSError):
                rotate_log(self.log)

    def last_words(self) -> str:
        """The last lines of the log."""
        if self.log is None:
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-SHOWN_LINES:])


@dataclass
class Children:
    """All children of this process."""

    logs: Path
    """Folder for their logs."""
    environment: Callable[[str], dict[str, str]]
    """The environment of a child, by its name."""
    children: list[Child] = field(default_factory=list)

    def start(self, name: str, command: list[str], *, shows: bool = False) -> Child:
        """Start a child. Its output goes to ``NAME.log``, or to our terminal if it ``shows`` it.

        It gets its own session: Ctrl-C reaches only this process, which then stops all. If this process is killed,
        the kernel ends the child.
        """
        log = None if shows else self.logs / f"{name}.log"
        if log is not None:
            log.unlink(missing_ok=True)
        output = None if log is None else log.open("ab")  # appending: rotation empties it while the child writes
        process = subprocess.Popen(
            command,
            env=self.environment(name),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,
            preexec_fn=terminate_with_parent,  # noqa: PLW1509 - safe with threads: one system call, no lock
        )
        if output is not None:
            output.close()
        child = Child(name, process, log)
        self.children.append(child)
        return child

    def failed(self) -> Child | None:
        """The first child that has ended with an error."""
        return next((child for child in self.children if child.process.poll() not in {None, 0}), None)

    def stop(self) -> None:
        """Stop all children, the newest first, and wait until they have ended."""
        stop(*(child.process for child in reversed(self.children)))


def stop(*processes: subprocess.Popen[Any], within_s: float | None = None) -> None:
    """Send SIGTERM to all, then SIGKILL to those that have not ended; return when all have.

    ``within_s`` is the time for all of them together, by default ``STOPS_WITHIN_S``.
    """
    deadline = time.monotonic() + (STOPS_WITHIN_S if within_s is None else within_s)
    for process in processes:
        if process.poll() is None:
            process.terminate()
    for process in processes:
        try:
            process.wait(max(deadline - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def terminate_with_parent() -> None:
    """Called in a child: the kernel sends it SIGTERM when the thread that started it ends."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@contextmanager
def exit_on_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP raise SystemExit in the block, so that it releases what it holds.

    Signals that are ignored (nohup) or already have a handler keep it. Outside the main thread nothing changes.
    """

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    ours = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():
        ours = []
    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
