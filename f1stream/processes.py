"""Child processes: started together, watched, and stopped together, with nothing left behind."""

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

import psutil

from f1stream.logs import rotate_log

STOPS_WITHIN_S = 4.0
"""A child that has not ended so long after SIGTERM is killed."""
SHOWN_LINES = 15
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
"""Loaded here: between fork and exec a lock that another thread held would never be released."""


@dataclass
class Child:
    """One child process and what is known of it."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path | None
    peak_rss: int = 0
    """Bytes."""

    def measure(self) -> None:
        """Keep the greatest memory seen."""
        try:
            self.peak_rss = max(self.peak_rss, psutil.Process(self.process.pid).memory_info().rss)
        except psutil.Error:
            return

    def keep_log_short(self) -> None:
        """Rotate its log when it is too long."""
        if self.log is not None:
            with suppress(OSError):
                rotate_log(self.log)

    def last_words(self) -> str:
        """The end of its log."""
        if self.log is None:
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-SHOWN_LINES:])


@dataclass
class Children:
    """Every child of this process."""

    logs: Path
    environment: Callable[[str], dict[str, str]]
    """What the child of a name gets."""
    children: list[Child] = field(default_factory=list)

    def start(self, name: str, command: list[str], *, shows: bool = False) -> Child:
        """Start a child, with a log of its own unless it ``shows`` its output here.

        It gets a session of its own, so that a Ctrl-C meets only us, who then ``stop`` all; should we be killed,
        the kernel stops it.
        """
        log = None if shows else self.logs / f"{name}.log"
        if log is not None:
            log.unlink(missing_ok=True)
        output = None if log is None else log.open("ab")  # appending: it may be emptied while it is written
        process = subprocess.Popen(
            command,
            env=self.environment(name),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,
            preexec_fn=terminate_with_parent,  # noqa: PLW1509 - we have threads, but it takes no lock: one system call
        )
        if output is not None:
            output.close()
        child = Child(name, process, log)
        self.children.append(child)
        return child

    def failed(self) -> Child | None:
        """A child that has ended with an error."""
        return next((child for child in self.children if child.process.poll() not in {None, 0}), None)

    def stop(self) -> None:
        """Tell all to end, at once, and wait for them; none is left when this returns."""
        for child in reversed(self.children):
            if child.process.poll() is None:
                child.process.terminate()
        deadline = time.monotonic() + STOPS_WITHIN_S
        for child in reversed(self.children):
            try:
                child.process.wait(max(deadline - time.monotonic(), 0.0))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()


def terminate_with_parent() -> None:
    """Called in a child: the kernel stops it when the thread that started it has ended."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@contextmanager
def exit_on_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end what is within as an exception does, SystemExit, so that it gives back what it holds.

    Signals that are ignored (nohup) or attended to already stay so. In any other thread than the main one nothing
    changes.
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


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a child: with SIGTERM, and with SIGKILL when that is not enough."""
    process.terminate()
    try:
        process.wait(STOPS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
