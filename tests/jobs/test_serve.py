"""The scheduler's process ends cleanly on every signal, with its jobs and its warehouse."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest
from aiohttp import web

from f1stream.jobs import serve
from f1stream.settings import Settings
from tests.support.ports import free_port


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_or_a_closed_terminal_ends_the_scheduler_cleanly(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = asyncio.Event()

    async def started(_: web.Application) -> None:
        up.set()

    def app(_: Any) -> web.Application:
        made = web.Application()
        made.on_startup.append(started)
        return made

    monkeypatch.setattr(serve, "create_app", app)
    before = signal.signal(signal.SIGHUP, lambda *_: None)  # under nohup it would be ignored
    try:
        serving = asyncio.create_task(serve._serve(Settings(_env_file=None, schedule_port=free_port()), None))  # type: ignore[arg-type]
        await up.wait()
        os.kill(os.getpid(), number)
        await serving
    finally:
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().remove_signal_handler(each)
        signal.signal(signal.SIGHUP, before)
