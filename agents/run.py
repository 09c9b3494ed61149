"""Run a Faust app in this process, as ``faust -A … worker`` would."""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging

import faust


def run_worker(module: str, loglevel: str = "WARNING") -> None:
    """Run ``module.app`` until SIGTERM or Ctrl-C; ends the process."""
    for name in ("aiokafka", "faust", "mode"):  # they ask for every record they could log, some for each message
        logging.getLogger(name).setLevel(loglevel)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    app = importlib.import_module(module).app
    # Packets and frames are many small, short-lived, acyclic objects: looking for cycles often is wasted.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    worker = faust.Worker(app, loop=loop, loglevel=loglevel, redirect_stdouts=False, quiet=True)
    worker.execute_from_commandline()
