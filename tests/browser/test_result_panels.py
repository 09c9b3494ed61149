"""Result and standings in headless Chromium: no result is shown before the flag."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page

from models import Season, SessionResult
from tests.support.page_marts import BUILT_MS, result, row, season
from tests.support.stage import (
    DESKTOP,
    PHONE,
    Stage,
    in_chromium,
    opened,
    picture,
    rendered,
    serious_violations,
    themes,
    to_the_end,
    until,
)

pytestmark = in_chromium

OVER = {"ended": True, "race_control": []}
AFTER_TWO = "Before this event: after round\u00a02, Second Grand Prix"
AFTER_THREE = "After this race, round 3"


@pytest.fixture
def race(stage: Stage) -> Stage:
    """A race that counts for the season."""
    stage.head = {"simulated": False}
    return stage


async def listed(page: Page, name: str) -> list[list[str]]:
    """The rows of a list as their cells' texts, including the texts for screen readers."""
    found: list[list[str]] = await page.evaluate(
        f"[...document.querySelectorAll('#{name}-rows tr')]"
        ".map(row => [...row.children].map(each => each.textContent))"
    )
    return found


async def requested(page: Page) -> list[str]:
    """Paths of the API that the page has requested."""
    found: list[str] = await page.evaluate(
        "performance.getEntriesByType('resource').map(each => new URL(each.name).pathname)"
        ".filter(path => path.startsWith('/api/'))"
    )
    return found


async def shows(page: Page, name: str, text: str) -> None:
    await until(page, f"document.getElementById('{name}').textContent.includes({text!r})")


async def test_the_result_is_not_requested_before_the_flag_and_shown_after_it(browser: Browser, race: Stage) -> None:
    race.feed.add_marts([result(), season()])
    race.put(20)
    page, errors = await opened(browser, race)
    await shows(page, "standings-label", AFTER_TWO)
    assert await page.inner_text("#result-note") == "The result appears here after the flag."
    assert "/api/sessions/test_race/result" not in await requested(page)
    assert await listed(page, "result") == []
    assert not await page.is_visible("#result-scroll")
    assert not await page.is_visible("#banner-result")
    race.put(1, **OVER)
    await until(page, "document.querySelectorAll('#result-rows tr').length === 3")
    assert await listed(page, "result") == [
        ["1", "NORNor", "McLaren F1", "3▲2 gained 2 places", "9", "1:32:06.304", "1:01.000", "25"],
        ["2", "PIAPia", "McLaren F1", "2= same place", "9", "+1.895", "59.813★ fastest lap of the race", "18"],
        ["3", "VERVer", "Red Bull", "1▼2 lost 2 places", "8", "+1 LAP", "–", "7.5"],
    ]
    assert await page.inner_text("#result-source") == "From the session's own laps"
    assert not await page.is_visible("#result-note")
    await page.click("#banner-result")
    assert await page.evaluate("document.activeElement.id") == "result"
    assert errors == []


async def test_standings_are_those_before_the_event_until_its_flag(browser: Browser, race: Stage) -> None:
    race.feed.add_marts([result(), season(held=4)])
    race.put(20)
    page, errors = await opened(browser, race)
    await shows(page, "standings-label", AFTER_TWO)
    assert await listed(page, "standings") == [
        ["1", "VERVer", "Red Bull", "2", "50"],
        ["2", "NORNor", "McLaren F1", "0", "10.5"],
    ]
    race.put(1, **OVER)
    await shows(page, "standings-label", AFTER_THREE)
    assert (await listed(page, "standings"))[0] == ["1", "NORNor", "McLaren F1", "3", "75"]
    await page.focus("#standings-constructors")
    await page.keyboard.press("Enter")
    await until(page, "document.querySelectorAll('#standings-rows tr').length === 1")
    assert (await listed(page, "standings"))[0] == ["1", "McLaren F1", "", "3", "78"]
    assert await page.get_attribute("#standings-constructors", "aria-pressed") == "true"
    assert await page.get_attribute("#standings-drivers", "aria-pressed") == "false"
    color = "getComputedStyle(document.querySelector('#standings-rows tr')).getPropertyValue('--team')"
    assert await page.evaluate(color) == "#FF8000"
    assert errors == []


@pytest.mark.parametrize(
    ("marts", "sentence"),
    [
        ([], "Not built yet: the marts are built after the session"),
        ([season(held=2)], "Not yet with this race: after round\u00a02, Second Grand Prix"),
        ([season(held=0).model_copy(update={"rounds": season(held=0).rounds[2:]})], "The season starts here"),
    ],
    ids=["nothing built", "not with this race", "first round"],
)
async def test_what_is_unknown_after_the_flag_is_stated(
    browser: Browser, race: Stage, marts: list[SessionResult | Season], sentence: str
) -> None:
    race.feed.add_marts(marts)
    race.put(20)
    race.put(1, **OVER)
    page, errors = await opened(browser, race)
    await to_the_end(page)
    await shows(page, "standings", sentence)
    await shows(page, "result-note", "Not built yet: the marts are built after the session")
    assert errors == []


async def test_before_the_first_round_there_are_no_standings(browser: Browser, race: Stage) -> None:
    year = season(held=4)
    race.feed.add_marts([year.model_copy(update={"rounds": year.rounds[2:]})])
    race.put(20)
    page, _ = await opened(browser, race)
    await shows(page, "standings-note", "The season starts here: there are no standings before it.")
    assert await listed(page, "standings") == []


async def test_a_new_build_is_requested_once_and_shown(browser: Browser, race: Stage) -> None:
    race.put(20)
    race.put(1, **OVER)
    page, errors = await opened(browser, race)
    await to_the_end(page)
    await shows(page, "result-note", "Not built yet")
    assert await requested(page) == [], "nothing is requested before the first build"
    race.feed.add_marts([result(), season()])
    await shows(page, "result-source", "own laps")
    await shows(page, "standings-label", AFTER_THREE)
    rows = [
        row(1, "81", "PIA", time_ms=5_528_199, source="jolpica"),
        row(None, "4", "NOR", position_text="D", status="Disqualified", source="jolpica"),
    ]
    race.feed.add_marts([result(rows=rows, built_ms=BUILT_MS + 1)])
    await shows(page, "result-source", "Official")
    shown = await listed(page, "result")
    assert [each[0] for each in shown] == ["1", "D"]
    assert shown[1][5] == "Disqualified"
    age = await page.evaluate("f1stream.connection.status.worker_age_ms")
    await until(page, f"f1stream.connection.status.worker_age_ms > {age}")
    await rendered(page)
    paths = await requested(page)
    assert (paths.count("/api/sessions/test_race/result"), paths.count("/api/sessions/test_race/season")) == (2, 2)
    assert errors == []


async def test_a_simulated_race_has_a_result_but_counts_for_no_season(browser: Browser, stage: Stage) -> None:
    stage.feed.add_marts([result(season=None, round=None), season()])
    stage.put(20)
    page, errors = await opened(browser, stage)
    await until(page, "f1stream.state")
    assert await page.is_visible("#result")
    assert not await page.is_visible("#standings")
    stage.put(1, **OVER)
    await until(page, "document.querySelectorAll('#result-rows tr').length === 3")
    assert not await page.is_visible("#standings")
    assert errors == []


async def test_a_new_run_hides_the_result_again(browser: Browser, race: Stage) -> None:
    race.feed.add_marts([result(), season()])
    race.put(20)
    race.put(1, **OVER)
    page, errors = await opened(browser, race)
    await to_the_end(page)
    await until(page, "document.querySelectorAll('#result-rows tr').length === 3")
    race.head["epoch"] = 2
    race.number = 0
    race.put(1, epoch=2)
    await shows(page, "result-note", "after the flag")
    await shows(page, "standings-label", AFTER_TWO)
    assert await listed(page, "result") == []
    assert errors == []


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_result_and_standings_are_accessible_and_fit_in_both_themes(
    browser: Browser, race: Stage, viewport: dict[str, int]
) -> None:
    race.feed.add_marts([result(), season()])
    race.put(20)
    page, errors = await opened(browser, race, viewport=viewport)
    await until(page, "f1stream.state")
    async for theme in themes(page):
        assert await serious_violations(page) == [], theme
    race.put(1, **OVER)
    await until(page, "document.querySelectorAll('#result-rows tr').length === 3")
    await shows(page, "standings-label", AFTER_THREE)
    async for theme in themes(page):
        assert await serious_violations(page) == [], theme
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide == 0, theme
        cut = await page.evaluate(
            "[...document.querySelectorAll('.list :is(th, td)')].filter(e => e.scrollWidth > e.clientWidth + 1)"
            ".map(e => e.textContent)"
        )
        assert cut == [], theme
        await page.locator("#result").scroll_into_view_if_needed()
        await picture(page, f"result-{theme}-{viewport['width']}x{viewport['height']}")
    assert errors == []
