"""Benchmark of the page over a whole race: time to the first snapshot, drawing rate, and memory over time.

``python -m tests.bench.page``, about ten minutes. Headless Chromium draws without a graphics card, so a laptop's
drawing rate is at least the one measured here.
"""

from __future__ import annotations

import asyncio
import time
from statistics import quantiles

from playwright.async_api import CDPSession, Page, async_playwright

from tests.support.recorded_race import recorded
from tests.support.required import DATA
from tests.support.stage import CHROMIUM, CHROMIUM_ARGS, DESKTOP, Stage, to_the_end, until
from web.app import STATIC
from web.feed import Feed

ARCHIVE = DATA / "aus2025_race"
KEY = "9693"
GREEN_MS = 6_500_000
"""Session time at which twenty cars race."""
DRAWN_S = 15
EVERY_S = 30
AGAIN = 4
"""Measurements in the second pass."""
OPENINGS = 5
SETTLES_S = 3

WATCH = """
(() => {
  window.seen = { first: null, intervals: [], tasks: [0], shift: 0 };
  new PerformanceObserver((list) => seen.tasks.push(...list.getEntries().map((task) => task.duration)))
    .observe({ type: "longtask", buffered: true });
  new PerformanceObserver((list) => list.getEntries().forEach((each) => (seen.shift += each.value)))
    .observe({ type: "layout-shift", buffered: true });
  let last = null;
  const look = (now) => {
    if (window.f1stream?.state && seen.first === null) seen.first = performance.now();
    if (last !== null) seen.intervals.push(now - last);
    last = now;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})();
"""


async def heap_mb(page: Page, tools: CDPSession) -> str:
    """Heap, nodes and listeners after a garbage collection."""
    await tools.send("HeapProfiler.collectGarbage")
    used = (await tools.send("Runtime.getHeapUsage"))["usedSize"] / 2**20
    metrics = {each["name"]: each["value"] for each in (await tools.send("Performance.getMetrics"))["metrics"]}
    lap = await page.inner_text("#lap")
    return (
        f"lap {lap:>2}: heap {used:5.1f} MB, {metrics['Nodes']:,.0f} nodes, "
        f"{metrics['JSEventListeners']:,.0f} listeners, "
        f"{await page.evaluate('f1stream.history.length'):,} entries of history"
    )


async def opening(page: Page, stage: Stage) -> None:
    """Time to the first snapshot, several times; longest task, layout shift and bytes of three seconds more."""
    took, tasks, shifts, received = [], [], [], [0.0]
    tools = await page.context.new_cdp_session(page)
    await tools.send("Network.enable")
    tools.on("Network.dataReceived", lambda each: received.append(each["encodedDataLength"]))
    tools.on("Network.webSocketFrameReceived", lambda each: received.append(len(each["response"]["payloadData"])))
    for _ in range(OPENINGS):
        await page.goto(f"{stage.address}/?session={KEY}&t={GREEN_MS}")
        await until(page, "seen.first")
        took.append(await page.evaluate("seen.first"))
        await page.wait_for_timeout(SETTLES_S * 1000)
        tasks.append(await page.evaluate("Math.max(...seen.tasks)"))
        shifts.append(await page.evaluate("seen.shift"))
    await tools.detach()
    print(
        f"longest task of a load: {max(tasks):.0f} ms, median {sorted(tasks)[OPENINGS // 2]:.0f} ms; "
        f"layout shift {max(shifts):.3f}; {sum(received) / OPENINGS / 1000:.0f} kB of files and frames"
    )
    loaded = await page.evaluate(
        "performance.getEntriesByType('resource').filter(each => each.name.includes('/static/')).length"
    )
    own = sum(path.stat().st_size for path in STATIC.rglob("*") if path.is_file())
    print(
        f"first snapshot after {sorted(took)[len(took) // 2]:.0f} ms (median of {OPENINGS}: "
        + ", ".join(f"{each:.0f}" for each in took)
        + f"); our own code: {own / 1000:.0f} kB in all, {loaded} files before the first snapshot"
    )


async def drawing(page: Page) -> None:
    """Drawing rate while twenty cars race, without and with the charts in view."""
    await page.keyboard.press("k")
    for place in ("top of the page", "charts"):
        if place == "charts":
            await page.evaluate("seen.tasks.length = 1")
            await page.evaluate("document.querySelector('[data-chart=trace]').scrollIntoView()")
            await page.wait_for_timeout(4_000)
            longest = await page.evaluate("Math.max(...seen.tasks)")
            print(f"longest task when the charts come into view: {longest:.0f} ms")
        await page.evaluate("seen.intervals.length = 0")
        await page.wait_for_timeout(DRAWN_S * 1000)
        intervals = await page.evaluate("seen.intervals")
        cuts = quantiles(intervals, n=100)
        print(
            f"{place}: {1000 * len(intervals) / sum(intervals):.1f} frames per second, "
            f"p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms, longest {max(intervals):.0f} ms"
        )
    await page.evaluate("window.scrollTo(0, 0)")


async def growing(page: Page, stage: Stage) -> None:
    """The whole race at 16x, then its beginning again."""
    tools = await page.context.new_cdp_session(page)
    await tools.send("Performance.enable")
    await page.goto(f"{stage.address}/?session={KEY}&drivers=NOR,VER")
    await to_the_end(page)
    await until(page, "f1stream.state")
    for passed in ("first", "second"):
        await page.keyboard.press("Home")
        await until(page, "f1stream.playback.mode === 'play'")
        for _ in range(4):  # from 1x
            await page.keyboard.press("]")
        await until(page, "f1stream.playback.speed === 16")
        looks, began = 0, time.monotonic()
        while await page.evaluate("f1stream.playback.mode === 'play'") and (passed == "first" or looks < AGAIN):
            await page.wait_for_timeout(EVERY_S * 1000 - (time.monotonic() - began) * 1000 % (EVERY_S * 1000))
            looks += 1
            print(f"{passed} pass, {time.monotonic() - began:4.0f} s, {await heap_mb(page, tools)}", flush=True)


async def main(feed: Feed | None = None) -> None:
    """All of them."""
    stage = Stage()
    stage.feed = feed or recorded(ARCHIVE)
    await stage.start()
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_ARGS)
            page = await browser.new_page(viewport=DESKTOP)
            await page.add_init_script(WATCH)
            await opening(page, stage)
            await drawing(page)
            await growing(page, stage)
            await browser.close()
    finally:
        await stage.stop()


if __name__ == "__main__":
    asyncio.run(main())
