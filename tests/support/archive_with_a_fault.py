"""An archive worker with a fault, given by variable ``FAULT`` as ``step:when:nth:what``.

``step`` is a step of the loader (put, compare_and_set, copy, commit), ``when`` before or after it, ``nth`` which
execution of it (from 1), ``what`` the signal that the worker sends to itself, or the file for which it waits.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from f1stream.warehouse.loader import Loader

step, when, nth, what = os.environ["FAULT"].split(":")
method = f"_{step}"
done = getattr(Loader, method)
times = 0


def faulty(*arguments: Any) -> Any:
    """The step, and the fault before or after it."""
    global times  # noqa: PLW0603
    times += 1
    if when == "before" and times == int(nth):
        fault()
    result = done(*arguments)
    if when == "after" and times == int(nth):
        fault()
    return result


def fault() -> None:
    """Cause the fault."""
    if what.startswith("SIG"):
        os.kill(os.getpid(), getattr(signal, what))
    else:
        print(f"{step} waits for a file.", flush=True)
    while not what.startswith("SIG") and not Path(what).exists():
        time.sleep(0.1)


setattr(Loader, method, faulty)

if __name__ == "__main__":
    from agents import archive
    from agents.run import run_worker

    archive.sink.offsets_within_s = 1.0  # a rebalance waits no longer for a flush that is going on
    run_worker("agents.archive")
