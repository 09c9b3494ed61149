"""An archive worker to which something happens. ``FAULT`` says what: ``step:when:nth:signal``.

``step`` is one of the loader's (put, compare_and_set, copy, commit), ``when`` before or after it, ``nth`` the how
manyth time (from 1), ``signal`` what it then sends to itself.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from f1stream.warehouse.loader import Loader  # noqa: E402

step, when, nth, name = os.environ["FAULT"].split(":")
method = f"_{step}"
done = getattr(Loader, method)
times = 0


def faulty(*arguments: Any) -> Any:
    """The step, and the fault before or after it."""
    global times  # noqa: PLW0603
    times += 1
    if when == "before" and times == int(nth):
        os.kill(os.getpid(), getattr(signal, name))
    result = done(*arguments)
    if when == "after" and times == int(nth):
        os.kill(os.getpid(), getattr(signal, name))
    return result


setattr(Loader, method, faulty)

if __name__ == "__main__":
    from agents.run import run_worker

    run_worker("agents.archive")
