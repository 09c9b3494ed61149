"""Runs work that needs child processes until it is done, a child fails, or a signal arrives; then stops them all."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from f1stream.errors import UserError
from f1stream.processes import Child, Children

STOPPED_BY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a request to stop, and a closed terminal."""
POLL_S = 0.2
"""Seconds between two checks of the children."""


class ChildFailed(UserError):
    """A required process has ended, or did not become ready; ``code`` is our exit code."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


@dataclass
class Supervisor:
    """Watches the children of a command and handles signals for all of them."""

    children: Children
    console: Console
    interrupted: int = 0
    """Exit code after a signal."""

    async def run(self, work: Coroutine[Any, Any, int]) -> int:
        """Run ``work`` and return its exit code, or that of a failed child or a signal; then stop every child.

        Exceptions other than ChildFailed are raised after the children have been stopped.
        """
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        for number in STOPPED_BY:
            if not (nohup and number == signal.SIGHUP):
                loop.add_signal_handler(number, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            with suppress(OSError):  # the terminal may be gone
                self.console.print("\nStopping.")
            return self.interrupted
        except ChildFailed as failure:
            self.console.print(f"\n{failure}", style="red", markup=False, soft_wrap=True)
            return failure.code
        finally:
            for number in STOPPED_BY:  # a second Ctrl-C must not interrupt the stop
                loop.add_signal_handler(number, lambda: None)
            self.children.stop()
            with suppress(OSError):  # a killed child's progress bar leaves it hidden
                self.console.show_cursor()

    async def until_ended(self, child: Child | None = None) -> None:
        """Return when ``child`` has succeeded (None: never). Raises ChildFailed if any child fails."""
        while child is None or child.process.poll() is None:
            self.check()
            await asyncio.sleep(POLL_S)
        self.check()

    def check(self) -> None:
        """Raise ChildFailed if a child has failed; also measures memory and rotates logs."""
        for child in self.children.children:
            child.measure()
            child.keep_log_short()
        failed = self.children.failed()
        if failed is not None:
            words = failed.last_words()
            raise ChildFailed(
                f"{failed.name} ended with code {failed.process.returncode}."
                + (f" The end of {failed.log}:\n{words}" if words else ""),
                failed.process.returncode if failed.log is None else 1,
            )
