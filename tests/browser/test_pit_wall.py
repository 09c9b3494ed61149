"""The whole page at five moments of the 2025 Australian Grand Prix, compared with the recording."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from difflib import unified_diff
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, WebSocket

from tests.support.overflow import fill, outside
from tests.support.page_marts import season
from tests.support.recorded_race import recorded
from tests.support.stage import (
    DESKTOP,
    PHONE,
    Stage,
    in_chromium,
    picture,
    rendered,
    serious_violations,
    until,
)
from web.app import STATIC
from web.feed import Feed
from web.static_files import LEVEL

pytestmark = in_chromium
KEY = "9693"
MOMENTS = {"the first safety car": 3, "green": 21, "the second safety car": 36, "rain": 47, "the last lap": 56}
"""By name, the lap that the leader has just completed."""
AFTER_MS = 2_000
"""Session time after that lap at which the page is checked."""


@pytest.fixture(scope="module")
def feed(archive_path: Path) -> Feed:
    return recorded(archive_path)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stage(feed: Feed) -> AsyncIterator[Stage]:
    made = Stage()
    made.feed = feed
    await made.start()
    yield made
    await made.stop()


@dataclass
class Known:
    """Laps and messages of the recording, by session time in ms."""

    laps: list[dict[str, Any]]
    expected: dict[str, Any]
    race_control: list[dict[str, Any]]

    def ended(self, t: int) -> dict[str, dict[str, Any]]:
        """By car, its last lap that ended before ``t``."""
        found: dict[str, dict[str, Any]] = {}
        for lap in self.laps:
            if lap["Time"] <= t and not lap["FastF1Generated"]:
                found[lap["DriverNumber"]] = lap
        return found

    def times(self, number: str, t: int) -> list[int]:
        """A car's lap times before ``t``, without deleted ones."""
        return [
            lap["LapTime"]
            for lap in self.laps
            if lap["DriverNumber"] == number and lap["Time"] <= t and lap["LapTime"] and not lap["Deleted"]
        ]

    def leader(self, lap: int) -> str:
        """Number of the car that led at the end of a lap."""
        code = self.expected["leader_per_lap"][lap - 1]["leader"]
        return next(each["DriverNumber"] for each in self.laps if each["Driver"] == code)

    def best(self, number: str, t: int) -> int | None:
        return min(self.times(number, t), default=None)


@pytest.fixture(scope="module")
def known(archive_path: Path) -> Known:
    lines = (archive_path / "laps.jsonl").read_text().splitlines()
    zero = json.loads((archive_path / "session.json").read_text())["t0_utc"]
    messages = json.loads((archive_path / "race_control.json").read_text())
    laps = sorted((json.loads(line) for line in lines), key=lambda lap: lap["Time"])
    return Known(
        laps,
        json.loads((archive_path / "expected.json").read_text()),
        [each | {"Time": session_time(each["Time"], zero)} for each in messages],
    )


def session_time(utc: str, zero: str) -> int:
    return round((datetime.fromisoformat(utc) - datetime.fromisoformat(zero)).total_seconds() * 1000)


async def at(browser: Browser, stage: Stage, t: int, more: str = "", **options: Any) -> Page:
    """The page paused at a session time."""
    page = await browser.new_page(**({"viewport": DESKTOP} | options))
    await page.goto(f"{stage.address}/?session={KEY}&t={t}{more}")
    await until(page, f"f1stream.state?.t === {t // 200 * 200} && f1stream.history.length > 10")
    await rendered(page)
    return page


async def test_going_back_and_playing_replays_the_history(browser: Browser, stage: Stage) -> None:
    page = await at(browser, stage, 6_000_000)
    known = await page.evaluate("f1stream.history.length")
    await page.keyboard.press("Home")
    await until(page, f"f1stream.state?.t < 5_000_000 && f1stream.history.length < {known}")
    few = await page.evaluate("f1stream.history.length")
    await page.keyboard.press("k")
    for _ in range(4):
        await page.keyboard.press("]")
    await until(page, f"f1stream.history.length > {few} + 5", 30)
    await page.keyboard.press("End")
    await until(page, f"f1stream.history.length > {known}", 20)
    await page.close()


def lap_text(ms: int) -> str:
    return f"{ms // 60_000}:{ms % 60_000 / 1000:06.3f}"


async def table(page: Page) -> dict[str, dict[str, str]]:
    """The timing table: by car, in the order of the rows, its cells by column."""
    found: list[tuple[str, dict[str, str]]] = await page.evaluate(
        """() => [...document.querySelectorAll('#rows tr')].map(row => [row.dataset.car,
            Object.fromEntries([...row.children].map(cell => [cell.dataset.col, cell.textContent]))])"""
    )
    return dict(found)


async def chart(page: Page, name: str) -> list[dict[str, Any]]:
    """The lines or bars of a chart, once it is drawn from all entries of the history."""
    await page.evaluate(f"document.querySelector('[data-chart={name}]').scrollIntoView()")
    await until(page, f"f1stream.charts.{name}?.known === f1stream.history.length", 20)
    found: list[dict[str, Any]] = await page.evaluate(
        f"f1stream.charts.{name}.series.map(({{ name, x, y, base }}) => ({{ name, x, y, base }}))"
    )
    return found


@pytest.mark.parametrize("lap", MOMENTS.values(), ids=MOMENTS.keys())
async def test_every_panel_shows_what_the_recording_says(
    browser: Browser, stage: Stage, known: Known, lap: int
) -> None:
    leader = known.expected["leader_per_lap"][lap - 1]
    t = leader["end_ms"] + AFTER_MS
    page = await at(browser, stage, t, "&drivers=NOR,VER")
    ended = known.ended(t)
    shown = await table(page)

    assert await page.inner_text("#lap") == str(lap + 1)
    first = next(iter(shown))
    assert ended[first]["Driver"] == leader["leader"]
    for number, recorded_lap in ended.items():
        cells = shown[number]
        assert cells["lap"] == str(recorded_lap["LapNumber"])
        if recorded_lap["LapTime"] is not None:
            assert cells["last"].startswith(lap_text(recorded_lap["LapTime"]))
        best = known.best(number, t)
        if best is not None:
            assert cells["best"].startswith(lap_text(best))
        stops = known.expected["tyre_changes"][recorded_lap["Driver"]]
        assert cells["stops"].startswith(str(sum(in_lap <= recorded_lap["LapNumber"] for in_lap in stops)))
    running = [n for n in shown if n in ended and ended[n]["LapNumber"] == lap]
    on_lap = {n: ended[n]["Time"] for n in running}
    assert running[0] == min(on_lap, key=lambda n: on_lap[n])

    messages = [each for each in known.race_control if each["Time"] <= t]
    assert await page.evaluate("document.querySelector('#messages .message').textContent") == messages[-1]["Message"]

    # The chart may have been drawn while the log was arriving; it is drawn again a second later.
    last = json.dumps({each["Driver"]: each["LapNumber"] for each in ended.values()})
    drawn = "f1stream.charts.trace.series"
    await chart(page, "trace")
    await until(
        page,
        f"Object.entries({last}).every(([tla, lap]) => {drawn}.find(({{name}}) => name === tla)?.x.at(-1) === lap)",
    )
    traces = {each["name"]: each for each in await chart(page, "trace")}
    ends = {each["lap"]: each["end_ms"] for each in known.expected["leader_per_lap"]}
    for number, recorded_lap in ended.items():
        behind = (recorded_lap["Time"] - ends[recorded_lap["LapNumber"]]) / 1000
        assert traces[recorded_lap["Driver"]]["y"][-1] == pytest.approx(behind, abs=0.0005), number
    positions = {each["name"]: each for each in await chart(page, "positions")}
    for place, driver in enumerate(known.expected["position_table"][str(lap)], 1):
        by_lap = dict(zip(positions[driver]["x"], positions[driver]["y"], strict=True))
        assert by_lap.get(lap, place) == place
    assert by_lap, "the last driver is drawn too"
    times = {each["name"]: each for each in await chart(page, "laptimes")}
    assert set(times) == {"NOR", "VER"}
    assert times["NOR"]["y"][-1] == known.times("4", t)[-1] / 1000
    stints = [each for each in await chart(page, "strategy") if each["y"] == ["NOR"]]
    assert sum(each["x"][0] for each in stints) == ended["4"]["LapNumber"]

    await page.evaluate("document.getElementById('compare-chart').scrollIntoView()")
    await until(page, "document.getElementById('compare-note').textContent.includes('slower')", 20)
    note = await page.inner_text("#compare-note")
    nor, ver = known.best("4", t), known.best("1", t)
    assert nor is not None
    assert ver is not None
    assert lap_text(nor) in note
    assert lap_text(ver) in note
    assert f"{abs(nor - ver) / 1000:.3f} s" in note
    await page.close()


async def test_nothing_later_than_the_cursor_reaches_the_browser(
    browser: Browser, stage: Stage, known: Known
) -> None:
    """Paused and played at 16x: no message and no answer of the API is newer than the cursor."""
    page = await browser.new_page(viewport=DESKTOP)
    received: list[str] = []
    answers: list[tuple[str, str]] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda payload: received.append(str(payload)))

    page.on("websocket", listen)

    async def keep(response: Any) -> None:
        if "/api/" in response.url:
            answers.append((response.url, await response.text()))

    page.on("response", lambda response: asyncio.ensure_future(keep(response)))
    start = known.expected["leader_per_lap"][9]["end_ms"]
    await page.goto(f"{stage.address}/?session={KEY}&t={start}&drivers=NOR,VER")
    await until(page, "f1stream.state")
    await page.evaluate("document.getElementById('compare-chart').scrollIntoView()")
    await until(page, "document.getElementById('compare-note').textContent.includes('slower')", 20)
    await page.keyboard.press("]")
    for key in ("]", "]", "]", "k"):
        await page.keyboard.press(key)
    await until(page, f"f1stream.state.t > {start} + 20_000")
    await page.keyboard.press("k")
    await until(page, "f1stream.playback.settled && f1stream.playback.mode === 'pause'")
    await page.wait_for_timeout(500)
    latest = max(json.loads(each).get("t", 0) for each in received if json.loads(each)["kind"] in {"key", "delta"})
    assert start < latest < start + 120_000
    entries = [entry for each in received for entry in json.loads(each).get("entries", [])]
    assert len(entries) > 150
    assert max(entry["t"] for entry in entries) <= latest
    assert max(entry["lap"] for entry in entries if entry["kind"] == "lap") <= 11
    assert answers
    later = [each["Message"] for each in known.race_control if each["Time"] > latest]
    text = "".join(received) + "".join(body for _, body in answers)
    lines = set((await page.inner_text("body")).splitlines())
    earlier = {each["Message"] for each in known.race_control if each["Time"] <= latest}
    assert lines & earlier
    assert not [each for each in later if each not in earlier and (f'"{each}"' in text or each in lines)]
    winner_time = next(each["time"] for each in known.expected["final_classification"] if each["order"] == 1)
    assert winner_time not in text
    assert winner_time not in await page.inner_text("body")
    await page.close()


DOCUMENT = """() => {
    const copy = document.body.cloneNode(true);
    const ways = "#empty, #announce, #pill, #rate, #timeline-note, #play, #to-live, .bubble, #js-plotly-tester";
    for (const each of copy.querySelectorAll(`canvas, script, .js-plotly-plot, ${ways}`)) each.remove();
    copy.querySelector("#timeline").removeAttribute("data-mode");
    const lines = [];
    const write = (node, depth) => {
        if (node.nodeType === Node.TEXT_NODE && node.textContent.trim()) lines.push(depth + node.textContent.trim());
        if (node.nodeType !== Node.ELEMENT_NODE) return;
        const attributes = [...node.attributes].map((each) => `${each.name}=${each.value}`).sort();
        lines.push(`${depth}<${node.tagName} ${attributes.join(" ")}>`);
        for (const child of node.childNodes) write(child, depth + " ");
    };
    write(copy, "");
    return lines;
}"""
"""All panels as lines of text: elements with their attributes, and texts. Without canvases, and without what says how
the viewer came here: the pill, the buttons, and sentences for screen readers."""
SEEK = """(t) => {
    const bar = document.getElementById("bar");
    bar.value = t;
    bar.dispatchEvent(new Event("input"));
    bar.dispatchEvent(new Event("change"));
}"""
TALL = {"width": 1440, "height": 4200}
"""All panels are in view."""


async def document(page: Page) -> list[str]:
    """The document once nothing in it changes any more: charts are drawn at most once a second."""
    last: list[str] = []
    same = 0
    async with asyncio.timeout(20):
        while same < 4:
            found: list[str] = await page.evaluate(DOCUMENT)
            last, same = found, same + 1 if found == last else 0
            await rendered(page)
    return last


async def becomes(page: Page, wanted: list[str], way: str) -> None:
    """Return when the document is ``wanted``; fail with the lines that differ."""
    for _ in range(40):
        found = await page.evaluate(DOCUMENT)
        if found == wanted:
            return
        await page.wait_for_timeout(200)
    pytest.fail("\n".join(unified_diff(wanted, found, "fresh load", way, n=0, lineterm=""))[:4_000])


async def test_every_way_to_a_moment_leads_to_the_document_of_a_fresh_load(
    browser: Browser, stage: Stage, known: Known
) -> None:
    """Before the start, behind the safety car, under green, at the end: by jumps, by playing, from the end."""
    ends = [each["end_ms"] for each in known.expected["leader_per_lap"]]
    end = stage.feed.tapes.get(KEY).span()[1]  # type: ignore[union-attr, index]
    moments = [4_300_000, ends[2] + 12_000, ends[20] + 2_000, end]
    moments = [t // 200 * 200 for t in moments]
    fresh: dict[int, list[str]] = {}
    for t in moments:
        page = await at(browser, stage, t, "&drivers=NOR,VER", viewport=TALL)
        fresh[t] = await document(page)
        await page.close()
    assert len({len(each) for each in fresh.values()}) == len(moments)

    page = await at(browser, stage, moments[0] - 50_000, "&drivers=NOR,VER", viewport=TALL)

    async def seek(t: int, way: str) -> None:
        await page.evaluate(SEEK, t)
        await until(page, f"f1stream.playback.settled && f1stream.state?.t === {t}")
        await becomes(page, fresh[t], way)

    for t in moments:
        await seek(t, "forward")
    for t in moments[2::-2]:
        await seek(t, "backward")
    await page.keyboard.press("End")
    await until(page, f"f1stream.playback.settled && f1stream.state?.t === {end}")
    await page.keyboard.press("k")
    await becomes(page, fresh[end], "live, then paused")
    for t in moments[2:3]:
        await page.evaluate(SEEK, t - 30_000)
        await until(page, f"f1stream.playback.settled && f1stream.state?.t < {t}")
        await page.evaluate("document.getElementById('speed').value = 16")
        await page.locator("#speed").dispatch_event("change")
        await page.keyboard.press("k")
        await until(page, f"f1stream.state?.t > {t - 12_000}")
        await page.keyboard.press("r")
        await page.keyboard.press("k")
        await until(page, "f1stream.playback.reveal && f1stream.playback.mode === 'pause'")
        await page.keyboard.press("r")
        await until(page, "!f1stream.playback.reveal")
        await seek(t, "playing and revealing")
    await page.close()


async def test_nothing_is_in_the_console_at_any_moment_and_no_request_fails(browser: Browser, stage: Stage) -> None:
    """The card, the start, the middle, the end and everything revealed, with every panel in view once."""
    stage.feed.add_marts([season()])  # of another year: the marts have no result and no season for this session
    tape = stage.feed.tapes.get(KEY)
    assert tape is not None
    span = tape.span()
    assert span is not None
    start, end = span
    page = await browser.new_page(viewport=DESKTOP)  # type: ignore[arg-type]
    found: list[str] = []
    page.on("console", lambda message: found.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: found.append(f"error: {error}"))
    page.on("requestfailed", lambda request: found.append(f"failed: {request.url} {request.failure}"))
    page.on("response", lambda each: found.append(f"{each.status}: {each.url}") if each.status >= 400 else None)
    await page.goto(stage.address)
    await page.get_by_role("button", name="Go to the end").wait_for()
    for query in (f"t={start}", "t=8000000&drivers=4,1", f"t={end}", "t=8000000&reveal=1"):
        await page.goto(f"{stage.address}/?session={KEY}&{query}")
        await until(page, "f1stream.state && f1stream.playback.settled")
        for panel in await page.locator("[data-panel]:visible").all():
            await panel.scroll_into_view_if_needed()
            await rendered(page)
        await page.wait_for_load_state("networkidle")
        assert [*dict.fromkeys(found)] == [], query
    await page.close()


async def test_scrubbing_to_a_lap_shows_that_lap_everywhere_and_revealing_shows_the_rest(
    browser: Browser, stage: Stage, known: Known
) -> None:
    page = await at(browser, stage, known.expected["leader_per_lap"][40]["end_ms"])
    before = known.expected["leader_per_lap"][11]["end_ms"]
    await page.evaluate(
        f"""() => {{
            const bar = document.getElementById("bar");
            bar.value = {before + 1_000};
            bar.dispatchEvent(new Event("input"));
            bar.dispatchEvent(new Event("change"));
        }}"""
    )
    await until(page, f"f1stream.state?.t >= {before} && f1stream.state.t <= {before + 1_200}")
    await rendered(page)
    assert await page.inner_text("#lap") == "13"
    assert "Lap 13" in str(await page.get_attribute("#bar", "aria-valuetext"))
    laps = {cells["lap"] for cells in (await table(page)).values()}
    assert max(int(each) for each in laps) == 12
    await chart(page, "trace")  # scrolls to it
    laps = "Math.max(...f1stream.charts.trace.series.map(each => Math.max(...each.x)))"
    await until(page, f"{laps} === 12", 15)
    shown = [each["Message"] for each in known.race_control if each["Time"] <= before + 1_200]
    assert await page.evaluate("document.querySelector('#messages .message').textContent") == shown[-1]
    await page.keyboard.press("r")
    await until(page, "f1stream.playback.reveal")
    await until(page, f"{laps} === 57", 15)
    assert await page.evaluate("f1stream.state.t") <= before + 1_200, "the time shown does not change"
    await page.keyboard.press("r")
    await until(page, f"{laps} === 12", 15)
    await page.close()


async def test_a_moment_can_be_shared_by_its_address(browser: Browser, stage: Stage, known: Known) -> None:
    t = known.expected["leader_per_lap"][29]["end_ms"] // 200 * 200
    page = await at(browser, stage, t, "&drivers=RUS")
    await page.keyboard.press(".")
    await until(page, f"f1stream.state.t === {t + 200}")
    await until(page, f"location.search === '?session={KEY}&t={t + 200}&drivers=RUS'")
    await page.click('tr[data-car="16"]')
    await until(page, "location.search.endsWith('drivers=RUS,LEC')")
    shared = page.url
    other = await browser.new_page(viewport=PHONE)
    await other.goto(shared)
    await until(other, f"f1stream.state?.t === {t + 200}")
    selected = await other.evaluate(
        "[...document.querySelectorAll('tr[data-selected=true]')].map(row => row.dataset.car)"
    )
    assert set(selected) == {"63", "16"}
    message = page.locator("#messages .moment").nth(4)
    when = await message.inner_text()
    await message.click()
    await until(page, f"document.getElementById('clock').textContent === '{when}'")
    assert await other.evaluate("f1stream.state.t") == t + 200, "viewers are independent"
    await page.fill("#lap-number", "8")
    await page.keyboard.press("Enter")
    await until(page, "document.getElementById('lap').textContent === '8'")
    await page.close()
    await other.close()


CHARTS = ("trace", "positions", "laptimes", "strategy", "weather")
TALL = {"width": 1440, "height": 3200}
"""All charts can be seen at once."""


def frame_after(t: int) -> int:
    """Session time (ms) of the first frame at or after ``t``."""
    return -(-t // 200) * 200


async def drawn(page: Page, what: str, name: str = "trace") -> Any:
    return await page.evaluate(f"f1stream.charts.{name}.{what}")


async def test_a_lap_under_the_pointer_is_highlighted_in_all_charts_and_a_click_goes_there(
    browser: Browser, stage: Stage, known: Known
) -> None:
    ends = {each["lap"]: each["end_ms"] for each in known.expected["leader_per_lap"]}
    t = ends[30] + 40_000
    page = await at(browser, stage, t, viewport=TALL)
    await page.evaluate("document.querySelector('.analysis').scrollIntoView()")
    for name in CHARTS:
        await until(page, f"f1stream.charts.{name}?.known === f1stream.history.length", 20)
    for name in CHARTS[:-1]:
        assert 30 < await drawn(page, "cursor", name) < 31, name
    assert await drawn(page, "cursor", "weather") == t // 200 * 200

    place = page.locator("[data-chart=trace]")
    box = await place.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 3)
    highlight = await drawn(page, "highlight")
    assert 10 < highlight["lap"] < 22
    assert (highlight["from"], highlight["to"]) == (ends[highlight["lap"] - 1], ends[highlight["lap"]])
    for name in CHARTS:
        assert await drawn(page, "highlight", name) == highlight, name
    tips = page.locator(".chart-tip:visible")
    assert await tips.count() == 1
    text = await tips.inner_text()
    assert text.startswith(f"Lap {highlight['lap']}")
    driver = next(each["Driver"] for each in known.laps if each["DriverNumber"] == highlight["driver"])
    assert driver in text
    line = next(each for each in await chart(page, "trace") if each["name"] == driver)
    assert f"+{line['y'][line['x'].index(highlight['lap'])]:.3f} s" in text
    await page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 3)
    await until(page, f"f1stream.state?.t === {frame_after(highlight['from'])}")
    assert await page.evaluate("document.activeElement === document.body"), "arrow keys still move through time"

    # The keyboard does the same: a lap further, another driver, and there.
    await page.mouse.move(0, 0)
    assert await drawn(page, "highlight") is None
    await until(page, "f1stream.charts.positions?.known === f1stream.history.length", 20)
    await page.locator("[data-chart=positions]").focus()
    for key in ("ArrowRight", "ArrowLeft", "ArrowLeft", "ArrowDown"):
        await page.keyboard.press(key)
    stepped = await drawn(page, "highlight")
    assert stepped["lap"] == highlight["lap"] - 3
    assert stepped["driver"] == known.leader(stepped["lap"])
    assert await tips.get_attribute("aria-live") == "polite"
    await page.keyboard.press("Enter")
    await until(page, f"f1stream.state?.t === {frame_after(ends[stepped['lap'] - 1])}")
    await page.keyboard.press("Escape")
    assert await drawn(page, "highlight") is None
    assert await tips.count() == 0
    await page.close()


async def test_a_load_near_the_end_of_a_race_is_small(browser: Browser, stage: Stage) -> None:
    """Files, frames and the log of fifty laps, as bytes on the wire; and how often the browser has to lay it out."""
    page = await browser.new_page(viewport=DESKTOP)  # type: ignore[arg-type]
    tools = await page.context.new_cdp_session(page)
    await tools.send("Network.enable")
    await tools.send("Performance.enable")
    sizes: dict[str, list[float]] = {"files": [], "frames and log": []}
    tools.on("Network.dataReceived", lambda each: sizes["files"].append(each["encodedDataLength"]))
    tools.on(
        "Network.webSocketFrameReceived",
        lambda each: sizes["frames and log"].append(len(each["response"]["payloadData"])),
    )
    await page.goto(f"{stage.address}/?session={KEY}&t=9300000")
    await until(page, "f1stream.state?.t === 9300000 && f1stream.history.length > 1000")
    await rendered(page)
    found = {each["name"]: each["value"] for each in (await tools.send("Performance.getMetrics"))["metrics"]}
    received = {name: sum(each) for name, each in sizes.items()}
    charts = sum(len(gzip.compress(path.read_bytes(), LEVEL)) for path in (STATIC / "charts").iterdir())
    assert charts < 150_000
    assert sum(received.values()) - charts < 350_000, received
    assert found["LayoutCount"] < 40
    assert found["Nodes"] < 10_000
    assert all(each is None for each in (await page.evaluate("f1stream.charts")).values()), "no chart is seen yet"
    await page.close()


async def test_a_chart_does_nothing_before_it_is_seen_and_a_tap_shows_a_lap_before_it_goes_there(
    browser: Browser, stage: Stage, known: Known
) -> None:
    t = known.expected["leader_per_lap"][29]["end_ms"]
    page = await at(browser, stage, t, viewport=PHONE, has_touch=True, is_mobile=True, color_scheme="light")
    assert set((await page.evaluate("f1stream.charts")).values()) == {None}
    await chart(page, "trace")
    assert await page.evaluate("f1stream.charts.weather") is None
    names = await drawn(page, "names")
    assert len(names) > 10
    for a, b in combinations(names, 2):
        assert abs(a["y"] - b["y"]) >= 11 or abs(a["x"] - b["x"]) > 25, (a, b)
    contrasts = await page.evaluate(
        """async (colors) => {
            const { contrast } = await import("/static/charts/colors.js");
            return colors.map((color) => contrast(color, "#ffffff"));
        }""",
        [each["color"] for each in names],
    )
    assert min(contrasts) >= 4.5
    box = await page.locator("[data-chart=trace]").bounding_box()
    assert box is not None
    spot = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await page.touchscreen.tap(*spot)
    await page.locator(".chart-tip:visible").wait_for()
    highlight = await drawn(page, "highlight")
    await rendered(page)
    assert await page.evaluate("f1stream.state.t") == t // 200 * 200, "the first tap only shows"
    await page.touchscreen.tap(*spot)
    await until(page, f"f1stream.state?.t === {frame_after(highlight['from'])}")
    await page.close()


async def test_the_menu_of_laps_stays_open_while_laps_are_driven(
    browser: Browser, stage: Stage, known: Known
) -> None:
    ends = {each["Driver"]: each["Time"] for each in known.laps if each["LapNumber"] == 30}
    page = await at(browser, stage, ends["NOR"] - 2_000, "&drivers=NOR,VER")
    await page.evaluate("document.getElementById('compare-chart').scrollIntoView()")
    menus = "document.querySelectorAll('#compare-laps select[aria-label^=Lap]')"
    await until(page, f"[...{menus}].every(menu => menu.options[0]?.text.startsWith('29:'))")
    await rendered(page)
    await page.locator("#compare-laps select[aria-label='Lap of driver A']").focus()
    await page.evaluate(f"window.before = {menus}[0].options[0]")
    go_to = """t => {
        const bar = document.getElementById("bar");
        bar.value = t;
        bar.dispatchEvent(new Event("input"));
        bar.dispatchEvent(new Event("change"));
    }"""
    await page.evaluate(go_to, ends["VER"] + 1_000)
    await until(page, f"{menus}[1].options[0].text.startsWith('30:')")
    assert await page.evaluate(f"{menus}[0].options[0] === window.before")
    await page.evaluate("document.activeElement.blur()")
    await until(page, f"{menus}[0].options[0].text.startsWith('30:')")

    await page.locator("#compare-laps select[aria-label='Lap of driver A']").focus()
    await page.evaluate(go_to, ends["NOR"] - 2_000)
    await until(page, f"{menus}[0].options[0].text.startsWith('29:')")
    await page.close()


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_the_whole_page_is_accessible_and_fits(
    browser: Browser, stage: Stage, theme: str, viewport: dict[str, int]
) -> None:
    page = await at(browser, stage, 8_900_000, "&drivers=NOR,VER", viewport=viewport, color_scheme=theme)
    for name in ("trace", "positions", "laptimes", "strategy", "weather"):
        await chart(page, name)
    await page.evaluate("document.getElementById('compare-chart').scrollIntoView()")
    await until(page, "document.getElementById('compare-note').textContent.includes('slower')", 20)
    assert await serious_violations(page) == []
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide == 0
    for panel in await page.locator("[data-panel]:visible").all():
        name = await panel.get_attribute("data-panel")
        await panel.scroll_into_view_if_needed()
        await picture(panel, f"panel-{name}-{theme}-{viewport['width']}")
    await page.keyboard.press("?")
    await until(page, "document.getElementById('help').open")
    await picture(page, f"keys-{theme}-{viewport['width']}")
    await page.close()


WIDTHS = {360: 740, 390: 844, 768: 1024, 844: 390, 1024: 768, 1280: 800, 1440: 900, 1920: 1080, 2560: 1440}
"""Heights of the windows, by width."""


async def test_no_text_leaves_its_cell_at_any_lap_and_width(browser: Browser, stage: Stage, known: Known) -> None:
    """Every lap of the race, its end, and the longest values that a car can have."""
    page = await at(browser, stage, 8_900_000)
    moments = [lap["end_ms"] + AFTER_MS for lap in known.expected["leader_per_lap"]]
    states = [
        await (await page.request.get(f"{stage.address}/api/sessions/{KEY}/state?at={t}")).json()
        for t in [*moments, 1 << 40]
    ]
    longest = json.loads(json.dumps(states[-1]))
    for car in longest["frame"]["cars"].values():
        car |= {"laps_down": 12, "interval_laps": 10, "official_gap_ms": None, "last_lap_mark": "overall",
                "penalties": [{"kind": "stop_go", "state": "given", "seconds": 10, "lap": 3, "reason": None}],
                "position_with_penalties": 21, "stops": 5, "stints": [{"compound": "SOFT", "laps": 3}] * 6,
                "pit_stops": [{"lap": 9, "pit_lane_ms": 1_832_100, "stationary_ms": 1_810_200}]}  # fmt: skip
    longest["frame"]["drs"] = [1] * len(longest["head"]["cars"])
    longest["frame"]["speed"] = [348] * len(longest["head"]["cars"])
    await fill(page, [*states, longest])
    found: dict[str, list[str]] = {}
    for width, height in WIDTHS.items():
        await page.set_viewport_size({"width": width, "height": height})
        found[f"{width}"] = await outside(page)
        await page.evaluate("document.getElementById('tower-scroll').dataset.all = true")
        found[f"{width}, all columns"] = await outside(page)
        await page.evaluate("document.getElementById('tower-scroll').dataset.all = false")
    assert {name: (len(texts), texts[:3]) for name, texts in found.items() if texts} == {}
    await page.close()


WATCH = """
    window.shift = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((each) => (window.shift += each.hadRecentInput ? 0 : each.value)))
        .observe({ type: "layout-shift", buffered: true });
    const look = () => {
        window.flashed ||= Boolean(document.getElementById("empty")?.getClientRects().length);
        requestAnimationFrame(look);
    };
    look();
"""  # noqa: E501
SEEN = """() => {
    const box = (selector) => document.querySelector(selector).getBoundingClientRect();
    const [head, scroll, foot, map] = [box("#tower thead"), box("#tower-scroll"), box("#timeline"), box("#map")];
    const end = Math.min(scroll.bottom, foot.top) + 1;
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const rows = [...document.querySelectorAll("#rows tr")].map((row) => row.getBoundingClientRect());
    return {
        rows: rows.filter((row) => row.top >= head.bottom - 1 && row.bottom <= end).length,
        height: Math.max(...rows.map((row) => row.height)) / rem * 16,
        room: (end - head.bottom) / rem * 16,
        map: Math.max(0, Math.min(map.bottom, foot.top) - map.top) / map.height,
        shift: window.shift,
        flashed: window.flashed,
        wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    };
}"""
"""What is in the window at once, in CSS pixels at a root font size of 16."""


@pytest.mark.parametrize(
    ("width", "height", "rows"),
    [(390, 844, 8), (844, 390, 7), (1024, 768, 17), (1440, 900, 20), (2560, 1440, 20)],
)
async def test_the_table_and_the_map_are_seen_at_once_and_nothing_moves_at_load(
    browser: Browser, stage: Stage, width: int, height: int, rows: int
) -> None:
    page = await browser.new_page(viewport={"width": width, "height": height})
    await page.add_init_script(WATCH)
    await page.goto(f"{stage.address}/?session={KEY}&t=7000000")
    await until(page, "f1stream.state?.t === 7000000 && document.querySelectorAll('#rows tr').length === 20")
    await rendered(page)
    seen = await page.evaluate(SEEN)
    assert seen["rows"] >= rows, seen
    assert 23.9 < seen["height"] < 34.1
    assert seen["map"] == pytest.approx(1)
    assert seen["shift"] <= 0.05
    assert not seen["flashed"], "the card of a page without a session"
    assert seen["wide"] == 0
    if width == DESKTOP["width"]:
        assert seen["room"] >= 22 * 24, "22 cars fit"
        await page.click("#panels-button")
        await page.locator("#panel-choices label", has_text="Race control").click()
        map_ = await page.locator(".map-panel").bounding_box()
        tower = await page.locator(".tower-panel").bounding_box()
        assert map_ is not None
        assert tower is not None
        assert map_["height"] == pytest.approx(tower["height"]), "it fills the place of the hidden panel"
        await page.locator("#panel-choices label", has_text="Track map").click()
        alone = await page.locator(".tower-panel").bounding_box()
        assert alone is not None
        assert alone["width"] == pytest.approx(tower["width"] + map_["width"] + 12)
    await page.close()
