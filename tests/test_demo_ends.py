"""A demo that is to end by itself ends, with a sentence and an exit code, when a disk is full."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from f1stream import demo, disk
from f1stream.demo import Demo
from f1stream.processes import Children
from f1stream.report import WarehouseRows
from f1stream.settings import Settings
from f1stream.stack import Stack
from f1stream.supervisor import ChildFailed

FULL = 'Could not write file "/home/F1STREAM.db.wal": No space left on device'


def plan(settings: Settings, *, exit_when_done: bool = True) -> Demo:
    made = Demo("sim:", "max", exit_when_done, None)
    made._settings = settings
    made._supervisor = SimpleNamespace(check=lambda: None)  # type: ignore[assignment]
    made._stack = Stack(settings, Children(Path(), lambda _: {}), lambda: None)
    made._scratch = Path("/")
    return made


@pytest.fixture
async def archive(monkeypatch: pytest.MonkeyPatch) -> Any:
    """An archive worker that has been unable to load, as far as its health says; ``loaded`` is when it has loaded."""
    made = SimpleNamespace(loaded=asyncio.Event(), asked=0)

    async def health(_: web.Request) -> web.Response:
        made.asked += 1
        return web.json_response({"ready": True, "reason": None, "waits": FULL})

    async def rows() -> WarehouseRows:
        await made.loaded.wait()
        return WarehouseRows(1, 2, 3, 0, 0)

    made.rows = rows
    monkeypatch.setattr(demo, "POLL_S", 0.001)
    monkeypatch.setattr(demo, "GIVES_UP_S", 0.0)
    app = web.Application()
    app.router.add_get("/health", health)
    async with TestServer(app) as server:
        made.settings = Settings(_env_file=None, archive_port=server.port)
        yield made


async def test_it_ends_when_the_archive_worker_cannot_load(archive: Any) -> None:
    with pytest.raises(ChildFailed, match=r"has not been able to load.*No space left on device") as failed:
        await plan(archive.settings)._loaded(archive.rows())
    assert failed.value.code != 0


async def test_without_exit_when_done_it_waits_until_there_is_space(archive: Any) -> None:
    waiting = asyncio.create_task(plan(archive.settings, exit_when_done=False)._loaded(archive.rows()))
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert not waiting.done()
    assert archive.asked == 0
    archive.loaded.set()
    assert (await waiting).total() == 6


async def test_a_failure_on_a_full_disk_names_the_disk_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_: Demo) -> int:
        raise ChildFailed("The marts could not be built: see marts.log.", 3)

    monkeypatch.setattr(Demo, "_run", fails)
    made = plan(Settings(_env_file=None, home=tmp_path / "not" / "there"))
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 10**12))
    with pytest.raises(ChildFailed, match=r"see marts.log.$"):
        await made._run_with_disk_check()
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 4096))
    with pytest.raises(
        ChildFailed, match=rf"see marts.log. Only 0.0 MB are left in {tmp_path} .*: make room, or set"
    ):
        await made._run_with_disk_check()
