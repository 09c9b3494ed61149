"""A worker that is stuck when a partition grew for three seconds while nothing of it was done.

python -m tests.support.impatient_worker agents.race
"""

from __future__ import annotations

import importlib
import sys

PATIENCE_S = 3.0

if __name__ == "__main__":
    from agents.run import run_worker

    (name,) = sys.argv[1:]
    importlib.import_module(name).health.stalls.patience_s = PATIENCE_S
    run_worker(name)
