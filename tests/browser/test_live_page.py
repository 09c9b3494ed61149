"""The page with a real broker, race worker and page server, from the start to the flag."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import Browser, Page

from f1stream.sources.packing import pack
from f1stream.sources.simulator import simulate
from tests.support.ports import free_port
from tests.support.rig import PATIENCE_S, Rig, bytes_of, wait_healthy
from tests.support.stage import DESKTOP, PHONE, in_chromium, picture

pytestmark = in_chromium
SPEED = 8
SPEED_TO_THE_FLAG = 16
KILLED_BY_MS = 60_000
"""After the start. Nothing later is published until the race worker has been restarted."""


async def until(page: Page, script: str, what: str) -> None:
    """Return when ``script`` is true on the page. It is polled from outside: the page's policy forbids eval."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await page.evaluate(script):
                await page.wait_for_timeout(100)
    except TimeoutError as error:
        state = await page.evaluate("JSON.stringify(window.f1stream.connection)")
        raise AssertionError(f"{what}; connection: {state}") from error


async def test_race_from_start_to_flag(browser: Browser, tmp_path: Path) -> None:
    session = simulate(3, cars=10, laps=2)
    start_ms = session.truth.start_ms
    records = bytes_of(pack(session, 1, 250))
    cut = next(n for n, (item, _) in enumerate(records) if item.headers.emitted_ms > start_ms + KILLED_BY_MS)
    rig = Rig(tmp_path)
    port = free_port()
    try:
        await rig.start()
        worker = await rig.worker()
        await wait_healthy(port, rig.web(port))
        pages = {
            name: await browser.new_page(viewport=size)  # type: ignore[arg-type]
            for name, size in (("desktop", DESKTOP), ("phone", PHONE))
        }
        for page in pages.values():
            await page.goto(f"http://127.0.0.1:{port}/")
        page = pages["desktop"]
        async with asyncio.TaskGroup() as publishing:
            publishing.create_task(rig.publish(records[:cut], speed=SPEED))
            await follow(pages, port, start_ms)
            worker.send_signal(signal.SIGKILL)
            worker.wait()
            await until(page, "window.f1stream.connection.pill.state !== 'live'", "the worker's death is not shown")
            await rig.worker()
        async with asyncio.TaskGroup() as publishing:
            publishing.create_task(rig.publish(records[cut:], speed=SPEED_TO_THE_FLAG))
            await until(page, "window.f1stream.connection.pill.state === 'live'", "the worker's return is not shown")
        await until(page, "window.f1stream.newest?.race?.ended === true", "the last frame has not arrived")
        await until(page, f"{FINISHED} === {len(session.truth.finish_ms)}", "not every car is FINISHED")
        assert await order_of_state(port) == session.truth.order
        for name, shown in pages.items():
            await picture(shown, f"live-{name}-flag")
    finally:
        rig.stop()


FINISHED = "[...document.querySelectorAll('#rows tr')].filter(row => row.textContent.includes('FINISHED')).length"


async def order_of_state(port: int, at: int | None = None) -> list[str]:
    """Driver numbers by position, from the API."""
    async with aiohttp.ClientSession() as http:
        where = f"http://127.0.0.1:{port}/api/sessions/sim-3/state" + (f"?at={at}" if at is not None else "")
        async with http.get(where) as answer:
            state: dict[str, Any] = await answer.json()
    cars = state["frame"]["cars"]
    return sorted(cars, key=lambda number: cars[number]["position"])


async def follow(pages: dict[str, Page], port: int, start_ms: int) -> None:
    """Check what the page must show during the race."""
    page = pages["desktop"]
    await until(page, f"window.f1stream.newest?.t > {start_ms + 20_000}", "the race has not begun")
    before = json.dumps(await page.evaluate("JSON.stringify(window.f1stream.positions)"))
    await until(page, f"JSON.stringify(window.f1stream.positions) !== {before}", "the cars do not move")
    await until(page, "window.f1stream.connection.pill.state === 'live'", "it is not live")
    assert "SIMULATED" in await page.inner_text("body")
    for name, shown in pages.items():
        await picture(shown, f"live-{name}-race")
        assert await shown.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    shown_at, shown_order = await page.evaluate(SHOWN_ORDER)
    assert shown_order == await order_of_state(port, shown_at)


SHOWN_ORDER = """() => {
  const state = window.f1stream.state;
  const cars = Object.entries(state.cars).sort((a, b) => a[1].position - b[1].position).map(([number]) => number);
  const rows = [...document.querySelectorAll('#rows tr')].map(row => row.dataset.car);
  if (JSON.stringify(rows) !== JSON.stringify(cars)) throw new Error(`table ${rows} but state ${cars}`);
  return [state.t, rows];
}"""
