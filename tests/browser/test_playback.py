"""Playback, delay and panels of one viewer, on a small synthetic race."""

from __future__ import annotations

import asyncio
from statistics import median

from playwright.async_api import Browser, Page

from tests.support.stage import Stage, in_chromium, opened, pill, rendered, until

pytestmark = in_chromium


async def test_a_delay_holds_to_a_fifth_of_a_second_and_is_remembered(browser: Browser, stage: Stage) -> None:
    stage.put(100)
    stage.race()
    now, _ = await opened(browser, stage)
    context = await browser.new_context()
    later = await context.new_page()
    await later.goto(f"{stage.address}/?delay=3.0")
    await until(later, "f1stream.state")
    apart: list[float] = []
    for _ in range(800):  # a page that has just opened on a busy machine catches up first
        # With the wall time of each query, because a busy machine delays them.
        here = await now.evaluate("[f1stream.clock.t, Date.now()]")
        there = await later.evaluate("[f1stream.clock.t, Date.now()]")
        apart.append((here[0] - there[0]) - (here[1] - there[1]))
        if len(apart) >= 40 and abs(median(apart[-40:]) - 3_000) < 200:
            break
        await now.wait_for_timeout(25)
    assert abs(median(apart[-40:]) - 3_000) < 200
    await later.keyboard.press("+")
    await later.goto(stage.address)
    await until(later, "f1stream.state && f1stream.playback.delay === 3100")
    assert await later.input_value("#delay") == "3.1"
    await context.close()


async def test_a_lost_connection_keeps_the_cursor(browser: Browser, stage: Stage) -> None:
    stage.put(600)
    page, errors = await opened(browser, stage)
    await page.goto(f"{stage.address}/?t=41000")
    await until(page, "f1stream.state?.t === 41000")
    await stage.stop()
    await pill(page, "Disconnected, retrying")
    await stage.start()
    await pill(page, "Paused", 20)
    assert await page.evaluate("f1stream.state.t") == 41_000
    await page.keyboard.press("k")
    await until(page, "f1stream.state.t > 42000")
    before = await page.evaluate("f1stream.clock.t")
    await stage.stop()
    await pill(page, "Disconnected, retrying")
    await stage.start()
    await pill(page, "Playing", 20)
    await until(page, f"f1stream.state.t > {before} && f1stream.state.t < {before} + 15000")
    assert errors == []


async def until_plays_at(page: Page, speed: float) -> None:
    """Return when the clock has run at ``speed``, not at half or double, for a while; a busy machine may stall it."""
    async with asyncio.timeout(30):
        steady = 0
        while steady < 4:
            begin = await page.evaluate("[f1stream.clock.t, performance.now()]")
            await page.wait_for_timeout(500)
            end = await page.evaluate("[f1stream.clock.t, performance.now()]")
            if begin[0] is None or end[0] is None:  # no frame of the new time has arrived yet
                continue
            found = (end[0] - begin[0]) / (end[1] - begin[1])
            steady = steady + 1 if speed / 1.4 < found < speed * 1.4 else 0


async def test_speeds_keys_and_the_way_back_to_live(browser: Browser, stage: Stage) -> None:
    stage.put(3_000)
    stage.race()
    page, errors = await opened(browser, stage)
    await pill(page, "Live")
    await page.keyboard.press("Home")
    await until(page, "f1stream.playback.mode === 'play' && f1stream.state.t < 20000")
    for _ in range(2):
        await page.keyboard.press("]")
    await until(page, "f1stream.playback.speed === 4 && f1stream.playback.settled")
    await until_plays_at(page, 4)
    before = await page.evaluate("f1stream.clock.t")
    await page.keyboard.press("Shift+ArrowRight")
    await until(page, f"f1stream.state.t > {before} + 50000")
    await page.keyboard.press(" ")
    await until(page, "f1stream.playback.mode === 'pause' && f1stream.playback.settled")
    still = await page.evaluate("f1stream.clock.t")
    await rendered(page)
    assert await page.evaluate("f1stream.clock.t") == still
    await page.keyboard.press("l")
    await pill(page, "Live")
    await until(page, "f1stream.state.t > 178000")
    assert errors == []


async def test_hidden_panels_stay_hidden(browser: Browser, stage: Stage) -> None:
    stage.put(30)
    page, errors = await opened(browser, stage)
    await until(page, "f1stream.state")
    await page.keyboard.press("p")
    await page.get_by_role("checkbox", name="Weather").uncheck()
    assert not await page.is_visible("[data-panel=weather]")
    await page.reload()
    await until(page, "f1stream.state")
    assert not await page.is_visible("[data-panel=weather]")
    assert errors == []
