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
from playwright.async_api import Browser, Page, async_playwright

from f1stream.settings import Settings
from tests.support.page_race import frames_record, head_record
from web.app import create_app
from web.feed import Feed
from web.shelf import Shelf

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


class Stage:
    """A server that can be stopped and started on one port, and a race that can be run on it at any speed."""

    def __init__(self) -> None:
        self.feed = Feed(Shelf(2**26))
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

    def put(self, count: int = 1, **named: Any) -> None:
        """The next frames of the race, at once."""
        if self.number == 0:
            self.feed.take([head_record(**self.head)])
        self.feed.take([frames_record(self.number, count, arrived_ms=int(time.time() * 1000), **named)])
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
        span = self.feed.shelf.get("test_race")
        assert span is not None
        picture = span.state_at(1 << 40)
        assert picture is not None
        return picture


@pytest.fixture(name="stage")
async def stage_fixture() -> AsyncIterator[Stage]:
    made = Stage()
    await made.start()
    yield made
    await made.pause()
    await made.stop()


@pytest.fixture(name="browser")
async def browser_fixture() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        made = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_ARGS)
        yield made
        await made.close()


@pytest.fixture(name="pictures")
def pictures_fixture(tmp_path: Path) -> Path:
    """Where screenshots go."""
    folder = Path(os.environ.get("F1STREAM_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def opened(browser: Browser, stage: Stage, **options: Any) -> tuple[Page, list[str]]:
    """The page, and the errors it will have made: there should be none."""
    page = await browser.new_page(**({"viewport": DESKTOP} | options))
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto(stage.address)
    return page, errors


async def until(page: Page, condition: str, timeout_s: float = 10) -> None:
    # wait_for_function would evaluate a string inside the page, which its policy rightly forbids.
    deadline = time.monotonic() + timeout_s
    while not await page.evaluate(f"Boolean({condition})"):
        assert time.monotonic() < deadline, f"{condition} did not come true in {timeout_s} s"
        await asyncio.sleep(0.05)


async def pill(page: Page, text: str, timeout_s: float = 10) -> None:
    await until(page, f"document.getElementById('pill-text').textContent === '{text}'", timeout_s)


async def rows(page: Page) -> list[list[str]]:
    found: list[list[str]] = await page.evaluate(
        "[...document.querySelectorAll('#rows tr')].map(row => [...row.children].map(cell => cell.innerText))"
    )
    return found
