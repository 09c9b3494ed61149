"""A supervisor with tiny children, as a process that tests end in every way: ``python -m tests.support.supervised``.

The children are the arguments, each a shell command; the first ends the work when it ends.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import psutil
from rich.console import Console

from f1stream import processes
from f1stream.processes import Children
from f1stream.supervisor import Supervisor

INTERRUPTED = 30


def ended(process: psutil.Process) -> bool:
    """Whether it has ended; an orphan that init has not collected yet has."""
    try:
        return not process.is_running() or bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


async def supervise(logs: Path, commands: list[str]) -> int:
    processes.STOPS_WITHIN_S = 0.3
    children, console = Children(logs, lambda _: dict(os.environ)), Console(highlight=False)
    supervisor = Supervisor(children, console, INTERRUPTED)

    async def work() -> int:
        console.show_cursor(False)
        for number, command in enumerate(commands):
            children.start(f"child{number}", ["/bin/sh", "-c", command])
        console.print("pids", *(child.process.pid for child in children.children))
        await supervisor.until_ended(children.children[0])
        return 0

    return await supervisor.run(work())


if __name__ == "__main__":
    sys.exit(asyncio.run(supervise(Path(sys.argv[1]), sys.argv[2:])))
