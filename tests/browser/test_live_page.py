"""The page against a broker, a race worker and a page server of their own, from the start to the flag."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page, async_playwright

from f1stream.sources.packing import pack
from f1stream.sources.simulator import simulate
from tests.support.rig import PATIENCE_S, Rig, bytes_of, free_port, wait_healthy

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
             "--disable-sync", "--no-first-run"]  # fmt: skip
SPEED = 8
SIZES = {"desktop": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}

pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists() and os.environ.get("CI") != "true", reason=f"{CHROMIUM} is not installed"
)


async def until(page: Page, script: str, what: str) -> None:
    """Return when ``script`` is true on the page; asked from outside, the page allows no code from strings."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await page.evaluate(script):
                await page.wait_for_timeout(100)
    except TimeoutError as error:
        said = await page.evaluate("JSON.stringify(window.f1stream.connection)")
        raise AssertionError(f"{what}; the page says {said}") from error


async def picture(page: Page, name: str, tmp_path: Path) -> None:
    folder = Path(os.environ.get("F1STREAM_SCREENSHOTS", tmp_path))
    await page.screenshot(path=folder / f"live-{name}.png")


async def test_race_from_start_to_flag(tmp_path: Path) -> None:
    session = simulate(3, cars=10, laps=5)
    rig = Rig(tmp_path)
    port = free_port()
    try:
        await rig.start()
        worker = await rig.worker()
        server = rig.web(port)
        await wait_healthy(port, server)
        records = bytes_of(pack(session, 1, 250))
        publishing = asyncio.create_task(rig.publish(records, speed=SPEED))
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
            pages = {name: await browser.new_page(viewport=size) for name, size in SIZES.items()}  # type: ignore[arg-type]
            for page in pages.values():
                await page.goto(f"http://127.0.0.1:{port}/")
            await follow(pages, port, rig, worker, session.truth.start_ms, tmp_path)
            await publishing
            page = pages["desktop"]
            await until(page, "window.f1stream.newest?.race?.ended === true", "the last frame has not come")
            await until(page, f"{FINISHED} === {len(session.truth.finish_ms)}", "not everybody is FINISHED")
            assert await order_of_state(port) == session.truth.order
            for name, shown in pages.items():
                await picture(shown, f"{name}-flag", tmp_path)
            await browser.close()
    finally:
        rig.stop()


FINISHED = "[...document.querySelectorAll('#rows tr')].filter(row => row.textContent.includes('FINISHED')).length"


async def order_of_state(port: int, at: int | None = None) -> list[str]:
    """Driver numbers by position, as the API has them."""
    async with aiohttp.ClientSession() as http:
        where = f"http://127.0.0.1:{port}/api/sessions/sim-3/state" + (f"?at={at}" if at is not None else "")
        async with http.get(where) as answer:
            state: dict[str, Any] = await answer.json()
    cars = state["frame"]["cars"]
    return sorted(cars, key=lambda number: cars[number]["position"])


async def follow(pages: dict[str, Page], port: int, rig: Rig, worker: Any, start_ms: int, tmp_path: Path) -> None:
    """What must be seen while the race is on, and when the worker is away."""
    page = pages["desktop"]
    await until(page, f"window.f1stream.newest?.t > {start_ms + 20_000}", "the race has not begun")
    before = await page.evaluate("window.f1stream.positions")
    await page.wait_for_timeout(1_000)
    after = await page.evaluate("window.f1stream.positions")
    assert before != after, "the cars stand still"
    await until(page, "window.f1stream.connection.pill.state === 'live'", "it is not live")
    assert "SIMULATED" in await page.inner_text("body")
    for name, shown in pages.items():
        await picture(shown, f"{name}-race", tmp_path)
        assert await shown.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    shown_at, shown_order = await page.evaluate(SHOWN_ORDER)
    assert shown_order == await order_of_state(port, shown_at)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    await until(page, "window.f1stream.connection.pill.state !== 'live'", "a dead worker is not seen")
    await rig.worker()
    await until(page, "window.f1stream.connection.pill.state === 'live'", "the worker's return is not seen")


SHOWN_ORDER = """() => {
  const state = window.f1stream.state;
  const cars = Object.entries(state.cars).sort((a, b) => a[1].position - b[1].position).map(([number]) => number);
  const rows = [...document.querySelectorAll('#rows tr')].map(row => row.dataset.car);
  if (JSON.stringify(rows) !== JSON.stringify(cars)) throw new Error(`table ${rows} but state ${cars}`);
  return [state.t, rows];
}"""
