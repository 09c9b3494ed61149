"""What the page shows before there is a picture: the way into an ended session, wrong addresses, the calendar."""

from __future__ import annotations

import re
import time
from typing import Any

import orjson
import pytest
from playwright.async_api import Browser, BrowserContext, Page, WebSocket

from models import RoundSession
from tests.support.page_marts import result, season
from tests.support.page_race import frames_record, head_record, whole_race
from tests.support.stage import DESKTOP, PHONE, Stage, in_chromium, picture, pill, rendered, serious_violations, until

pytestmark = in_chromium
ENDED = {"ended": True, "race_control": []}
END_MS = 650 * 200


async def visit(
    context: Browser | BrowserContext, stage: Stage, query: str = ""
) -> tuple[Page, list[str], list[Any]]:
    """The page at an address, with all its errors and all messages of its websocket."""
    page = await context.new_page()
    errors: list[str] = []
    received: list[Any] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda payload: received.append(orjson.loads(payload)))

    page.on("websocket", listen)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if "inline style" not in message.text else None)
    await page.goto(f"{stage.address}/{query}")
    return page, errors, received


async def choices(page: Page) -> list[str]:
    await page.get_by_role("button", name="Watch from the start").wait_for()
    return [await each.inner_text() for each in await page.locator("#empty-choices > *").all()]


async def test_an_ended_session_asks_where_to_begin_and_shows_and_requests_nothing_before(
    browser: Browser, stage: Stage
) -> None:
    whole_race(stage.feed, simulated=False)
    stage.feed.add_marts([result(), season()])
    context = await browser.new_context(viewport=DESKTOP)  # type: ignore[arg-type]
    page, errors, received = await visit(context, stage)
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    assert await choices(page) == ["Watch from the start", "Go to the end"]
    assert await page.inner_text("#empty-title") == "Test Grand Prix: Race"
    await rendered(page)
    assert {each["kind"] for each in received} <= {"status", "head", "moved"}
    assert [url for url in requested if "/api/" in url] == []
    text = await page.inner_text("body")
    assert not [word for word in ("NOR", "GREEN LIGHT", "1:00", "Winner", "Result") if word in text]
    assert await serious_violations(page) == []
    await picture(page, "ended-desktop")

    await page.get_by_role("button", name="Watch from the start").click()
    await until(page, "f1stream.playback.mode === 'play' && f1stream.state?.t < 20_000")
    assert await page.is_visible("#tower")
    assert await page.inner_text("#to-live") == "End"
    await page.keyboard.press("?")
    assert await page.inner_text("#key-live") == "Go to the end"
    await page.keyboard.press("Escape")
    await page.goto(f"{stage.address}/?t=70000")
    await until(page, "f1stream.state?.t === 70_000")
    await page.close()

    page, more, received = await visit(context, stage)
    assert await choices(page) == ["Watch from the start", "Resume at 0:01:10", "Go to the end"]
    await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await picture(page, "ended-phone")
    await page.get_by_role("button", name="Resume at 0:01:10").click()
    await until(page, "f1stream.playback.mode === 'play' && f1stream.state?.t >= 70_000")
    assert max(each["t"] for each in received if each["kind"] in {"key", "delta"}) < 80_000
    await page.close()

    page, last, received = await visit(context, stage)
    await choices(page)
    await page.keyboard.press("End")
    await until(page, f"f1stream.state?.t === {END_MS}")
    await pill(page, "Session over")
    assert not [*errors, *more, *last]
    await context.close()


async def test_a_session_that_ends_while_it_is_watched_just_ends_also_for_a_viewer_who_lost_the_connection(
    browser: Browser, stage: Stage
) -> None:
    stage.put(100)
    page, _, received = await visit(browser, stage)
    await until(page, "f1stream.state?.t === 99 * 200")
    await stage.stop()
    await pill(page, "Disconnected, retrying")
    stage.put(100, age_ms=600_000)
    stage.put(1, age_ms=600_000, **ENDED)
    received.clear()
    await stage.start()
    await until(page, "f1stream.playback.mode === 'play' && f1stream.state?.t > 99 * 200", 20)
    first = next(each["t"] for each in received if each["kind"] == "delta")
    assert 98 * 200 <= first <= 102 * 200, "it goes on where the viewer was"
    await page.keyboard.press("l")
    await until(page, "f1stream.state?.t === 200 * 200")
    assert not await page.is_visible("#empty")
    await pill(page, "Session over")
    await stage.stop()
    await pill(page, "Disconnected, retrying")
    await stage.start()
    await pill(page, "Session over", 20)
    await until(page, "f1stream.state?.t === 200 * 200")
    assert not await page.is_visible("#empty")


@pytest.mark.parametrize(
    ("query", "sentence", "way"),
    [
        ("?session=nowhere&t=5000", "There is no session nowhere here", "Go live"),
        ("?t=90000000", "This session has no moment 25:00:00", "Go to the end"),
        ("?t=1e99", "This session has ended.", "Watch from the start"),
    ],
    ids=["session", "later than the end", "no time"],
)
async def test_an_address_that_leads_nowhere_says_so_and_has_a_way_out(
    browser: Browser, stage: Stage, query: str, sentence: str, way: str
) -> None:
    whole_race(stage.feed)
    stage.feed.add_frames([head_record(session="older", epoch=0), frames_record(0, 5, "older", 0)])
    page, errors, _ = await visit(browser, stage, query)
    await page.get_by_text(sentence).wait_for()
    assert "Session over" not in await page.inner_text("#banner")
    if way == "Go live":
        assert await page.locator("#empty-list a").all_inner_texts() == ["Test Grand Prix: Race"] * 2
    await page.locator("#empty-choices").get_by_text(way).click()
    await page.wait_for_load_state()
    if way == "Go live":
        assert "Watch from the start" in await choices(page)
        assert errors == []
        return
    await until(page, "f1stream.state")
    assert await page.is_visible("#tower")
    assert errors == []


async def test_without_a_session_the_calendar_counts_down_to_the_next_one(browser: Browser, stage: Stage) -> None:
    year = season(held=2)
    now = int(time.time() * 1000)
    rounds = [
        each.model_copy(
            update={
                "race_date": "2199-01-01",
                "sessions": [
                    RoundSession(name="Practice 1", starts_ms=now + (each.round - 3) * 10**9 + 90_000_000),
                    RoundSession(name="Race", starts_ms=now + (each.round - 3) * 10**9 + 200_000_000),
                ],
            }
        )
        for each in year.rounds
    ]
    stage.feed.add_marts([year.model_copy(update={"rounds": rounds})])
    page, errors, _ = await visit(browser, stage)
    await page.locator("#empty-list li").first.wait_for()
    lines = await page.locator("#empty-list li").all_inner_texts()
    assert ["Test" in lines[0], "Last" in lines[1], len(lines)] == [True, True, 2]
    assert re.search(r"Practice 1 in 1 d 0[01]:\d\d:\d\d", lines[0])
    assert "make" not in await page.inner_text("#empty")
    local = await page.evaluate(
        "(ms) => new Date(ms).toLocaleString([], {weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', "
        "minute: '2-digit'})",
        now + 200_000_000,
    )
    assert local in lines[0]
    texts = await page.evaluate(
        """async () => {
            const { comingEvents } = await import("/static/page/calendar.js");
            const event = (race_date, cancelled = false) => ({ event_name: "E", race_date, cancelled, sessions: [] });
            const at = Date.parse("2026-03-06T10:00:00Z");
            return comingEvents([event("2026-03-05"), event("2026-03-06", true), event("2026-03-08")], at)
                .map((row) => row.at(-1).textContent);
        }"""
    )
    assert texts == ["in 2 days"]
    assert await serious_violations(page) == []
    await picture(page, "calendar")
    assert errors == []
