"""A server in this process that is fed a small synthetic race, and headless Chromium to look at its page."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Locator, Page

from f1stream.settings import Settings
from tests.support.page_race import frames_record, head_record
from web.app import create_app
from web.feed import Feed
from web.tape_store import TapeStore

CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}

needs_chromium = pytest.mark.skipif(
    not CHROMIUM.exists() and os.environ.get("CI") != "true", reason=f"{CHROMIUM} is not installed"
)
in_chromium = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session"), needs_chromium]
"""Marks of a test that opens pages: Playwright's objects belong to the event loop that Chromium was started in."""


class Stage:
    """A server that can be stopped and started on one port, and a race that can be run on it at any speed."""

    def __init__(self) -> None:
        self.feed = Feed(TapeStore(2**26))
        self.feed.connected = self.feed.caught_up = True
        self.head: dict[str, Any] = {}
        """What is particular about the race."""
        self.number = 0
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._racing: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._runner = web.AppRunner(create_app(Settings(), self.feed), shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    def put(self, count: int = 1, *, age_ms: int = 0, **named: Any) -> None:
        """Publish the next frames of the race, which left the race worker ``age_ms`` ago."""
        if self.number == 0:
            self.feed.add_frames([head_record(**self.head)])
        self.feed.add_frames(
            [frames_record(self.number, count, arrived_ms=int(time.time() * 1000) - age_ms, **named)]
        )
        self.number += count

    def race(self, speed: float = 1.0, batch: int = 1, **named: Any) -> None:
        """Go on racing in the background."""

        async def go() -> None:
            while True:
                self.put(batch, **named)
                await asyncio.sleep(0.2 * batch / speed)

        self._racing = asyncio.create_task(go())

    async def pause(self) -> None:
        if self._racing:
            self._racing.cancel()
            await asyncio.gather(self._racing, return_exceptions=True)
            self._racing = None

    async def state(self) -> dict[str, Any]:
        span = self.feed.tapes.get("test_race")
        assert span is not None
        picture = span.state_at(1 << 40)
        assert picture is not None
        return picture


async def opened(
    browser: Browser, stage: Stage, *, virtual_time: bool = False, **options: Any
) -> tuple[Page, list[str]]:
    """The page, and the errors it will have made: there should be none.

    With ``virtual_time`` the page's clock can be set forward: ``page.clock.fast_forward``.
    """
    page = await browser.new_page(**({"viewport": DESKTOP} | options))
    if virtual_time:
        await page.clock.install()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto(stage.address)
    return page, errors


async def to_the_end(page: Page) -> None:
    """Choose the end of a session that had ended when the page was opened: before that nothing of it is shown."""
    await page.get_by_role("button", name="Go to the end").click()


async def until(page: Page, condition: str, timeout_s: float = 10) -> None:
    # wait_for_function would evaluate a string inside the page, which its policy rightly forbids.
    deadline = time.monotonic() + timeout_s
    while not await page.evaluate(f"Boolean({condition})"):
        assert time.monotonic() < deadline, f"{condition} did not come true in {timeout_s} s"
        await asyncio.sleep(0.05)


async def pill(page: Page, text: str, timeout_s: float = 10) -> None:
    await until(page, f"document.getElementById('pill-text').textContent === '{text}'", timeout_s)


async def rendered(page: Page) -> None:
    """Return when table and panels show what the page knows now: they are rendered at most every 200 ms."""
    await page.evaluate(
        """() => new Promise(done => {
            const begin = performance.now();
            const look = (now) => now - begin > 250 ? requestAnimationFrame(done) : requestAnimationFrame(look);
            requestAnimationFrame(look);
        })"""
    )


async def picture(of: Page | Locator, name: str, **options: Any) -> None:
    """Keep a screenshot in ``F1STREAM_SCREENSHOTS``, where that is set: a screenshot takes a quarter of a second."""
    if folder := os.environ.get("F1STREAM_SCREENSHOTS"):
        await of.screenshot(path=Path(folder) / f"{name}.png", **options)


async def serious_violations(page: Page) -> list[str]:
    """What axe finds that keeps somebody from using the page, once its transitions have ended."""
    await page.evaluate(
        """() => Promise.allSettled(document.getAnimations()
            .filter(each => each.effect.getComputedTiming().endTime < Infinity).map(each => each.finished))"""
    )
    found = (await Axe().run(page)).response["violations"]
    return [f"{each['id']}: {each['help']} {[node['target'] for node in each['nodes']]}"
            for each in found if each["impact"] in {"serious", "critical"}]  # fmt: skip


async def themes(page: Page) -> AsyncIterator[str]:
    """Name the theme that the page has, then the other one once it is shown."""
    theme = "document.documentElement.dataset.theme"
    first = await page.evaluate(theme)
    yield first
    await page.click("#theme")
    await rendered(page)
    second = await page.evaluate(theme)
    assert {first, second} == {"dark", "light"}
    yield second


async def rows(page: Page) -> list[list[str]]:
    found: list[list[str]] = await page.evaluate(
        "[...document.querySelectorAll('#rows tr')].map(row => [...row.children].map(cell => cell.innerText))"
    )
    return found
