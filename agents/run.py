"""Run a Faust app in this process, as ``faust -A … worker`` would."""

from __future__ import annotations

import asyncio
import importlib
import tempfile

import faust

from f1stream import logs
from f1stream.garbage import collect_seldom
from f1stream.scratch import scratch_folder
from f1stream.settings import settings


def run_worker(module: str) -> None:
    """Run ``module.app`` until SIGTERM or Ctrl-C; ends the process."""
    name = module.removeprefix("agents.")
    logs.configure(name, settings())
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    with scratch_folder(name) as folder:
        tempfile.tempdir = str(folder)  # Snowflake's connector creates a folder for each uploaded file
        app = importlib.import_module(module).app
        collect_seldom()
        worker = faust.Worker(app, loop=loop, override_logging=False, redirect_stdouts=False, quiet=True)
        worker.execute_from_commandline()
