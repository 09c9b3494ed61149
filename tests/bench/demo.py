"""What a demo costs: a whole race from nothing started, and the processes when nothing happens."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path

import aiohttp
import psutil

from f1stream.processes import Children
from f1stream.settings import Settings
from f1stream.stack import Stack
from tests.bench.results import Results
from tests.support.demo import DEMO, environment_in
from tests.support.required import DATA

ARCHIVE = DATA / "aus2025_race"
SETTLES_S = 15
"""Seconds after which nothing of the start goes on."""
IDLE_S = 30
MEASURED_EVERY_S = 0.5
MEMORY_EVERY_S = 2.0
"""Seldom: the kernel counts every page."""


async def whole_race(results: Results) -> None:
    """From nothing started to the last frame and row, at full speed, through all processes; then the marts."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        environment = environment_in(Path(folder))
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *DEMO, "--source", f"archive:{ARCHIVE}", "--speed", "max", "--exit-when-done", "--report", str(report),
            env=environment, stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        used: dict[str, float] = {}
        at_once: list[tuple[float, float]] = []
        usage = asyncio.create_task(_follow_cpu(process.pid, used))
        memory = asyncio.create_task(_follow_memory(process.pid, at_once))
        await _first_frame(f"http://127.0.0.1:{environment['F1STREAM_WEB_PORT']}/ws")
        first = time.perf_counter() - began
        if await process.wait():
            raise SystemExit(f"The demo ended with code {process.returncode}.")
        usage.cancel()
        memory.cancel()
        found = json.loads(report.read_text())
    results.add("race: nothing started to the first frame on the page", first, "s")
    results.add("race: nothing started to the last frame and row", found["seconds"]["total"], "s")
    results.add("race: published to the last frame", found["seconds"]["race"], "s")
    results.add("race: published to the last row", found["seconds"]["archive"], "s")
    results.add("race: dbt build of the marts", found["seconds"]["marts"], "s")
    for name, size in found["peak_rss_mb"].items():
        results.add(f"race: peak memory of {name}", size, "MB")
    results.add("race: peak memory of all", sum(found["peak_rss_mb"].values()), "MB")
    results.add("race: memory of all at the end of the race", at_once[-1][0], "MB")
    results.add("race: most memory at once, shared pages counted once", max(pss for _, pss in at_once), "MB")
    for name, seconds in used.items():
        results.add(f"race: CPU of {name}", seconds, "s")


async def _follow_cpu(pid: int, used: dict[str, float]) -> None:
    """Keep the CPU seconds of a demo's processes in ``used``, by command, until cancelled."""
    by_process: dict[int, tuple[str, float]] = {}
    while True:
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            try:
                by_process[process.pid] = (_command(process), sum(process.cpu_times()[:2]))
            except (psutil.Error, IndexError):  # it is ending: it has no command line any more
                continue
        used.clear()
        for name, seconds in by_process.values():
            used[name] = used.get(name, 0.0) + seconds
        await asyncio.sleep(MEASURED_EVERY_S)


async def _follow_memory(pid: int, at_once: list[tuple[float, float]]) -> None:
    """Add what a demo's processes have in memory (MB) until its marts are built or it is cancelled.

    Each value is the sum of what each process has by itself (RSS), and with shared pages counted once (PSS).
    """
    while True:
        rss = pss = 0.0
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            try:
                if _command(process) == "jobs":
                    return
                memory = process.memory_full_info()
                rss += memory.rss / 1e6
                pss += memory.pss / 1e6
            except (psutil.Error, IndexError):
                continue
        at_once.append((rss, pss))
        await asyncio.sleep(MEMORY_EVERY_S)


def _command(process: psutil.Process) -> str:
    """``race`` of ``python -m f1stream race``; else the module or program."""
    words = process.cmdline()
    if "f1stream" in words:
        return words[words.index("f1stream") + 1]
    return words[words.index("-m") + 1] if "-m" in words else Path(words[0]).name


async def _first_frame(address: str) -> None:
    """Return when a websocket has a frame."""
    async with aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.ws_connect(address) as socket:
                    async for message in socket:
                        if json.loads(message.data).get("kind") in {"key", "delta"}:
                            return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)


async def idle(results: Results) -> None:
    """The CPU of broker, warehouse, workers, scheduler and page while no session runs."""
    with tempfile.TemporaryDirectory() as folder:
        environment = environment_in(Path(folder)) | {"F1STREAM_SCHEDULE_LIVE": "false"}
        names = {
            name.removeprefix("F1STREAM_").lower(): value
            for name, value in environment.items()
            if name.startswith("F1STREAM_")
        }
        settings = Settings(_env_file=None, **names)
        children = Children(settings.folder("logs"), lambda _: environment)
        stack = Stack(settings, children, lambda: None)
        try:
            await stack.start_broker()
            await stack.create_topics()
            await stack.start_warehouse(Path(folder))
            for name in ("race", "web", "archive", "schedule"):
                stack.start(name)
            for name in ("race", "web", "archive", "schedule"):
                await stack.ready(name)
            await asyncio.sleep(SETTLES_S)
            before = {child.name: _cpu(child.process.pid) for child in children.children}
            since = time.perf_counter()
            await asyncio.sleep(IDLE_S)
            seconds = time.perf_counter() - since
            shares = {
                child.name: (_cpu(child.process.pid) - before[child.name]) / seconds * 100
                for child in children.children
            }
        finally:
            await asyncio.to_thread(children.stop)
    for name, share in shares.items():
        results.add(f"idle: CPU of {name}", share, "% of a core")
    results.add("idle: CPU of all", sum(shares.values()), "% of a core")


def _cpu(pid: int) -> float:
    """Seconds of a process and its children so far."""
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(sum(process.cpu_times()[:2]) for process in processes)
