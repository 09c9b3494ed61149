"""The charts' scales and names as plain functions, and charts of unusual sessions, in headless Chromium."""

from __future__ import annotations

from itertools import pairwise

from playwright.async_api import Browser

from tests.support.page_race import frames_record, lap, messages, whole_race
from tests.support.stage import Stage, in_chromium, opened, to_the_end, until

pytestmark = in_chromium
CHARTS = ("trace", "positions", "laptimes", "strategy", "weather")
TALL = {"width": 1200, "height": 3200}


async def test_ticks_are_round_and_names_keep_apart(browser: Browser, stage: Stage) -> None:
    page, errors = await opened(browser, stage)
    ticks, whole, minutes, columns, colors = await page.evaluate(
        """async () => {
            const { niceTicks, minuteTicks } = await import("/static/charts/scale.js");
            const { column } = await import("/static/charts/names.js");
            const { contrast, readable } = await import("/static/charts/colors.js");
            const names = (heights) => column(heights.map((y, rank) => ({ y, rank })), 0, 120)
                .map(({ item, y }) => [item.rank, y]);
            const many = Array.from({ length: 30 }, (_, i) => i);
            const shown = (hex) => [["#ffffff", "#0d1420"], ["#0e1219", "#eef2f8"]]
                .map(([panel, text]) => contrast(readable(hex, panel, text, 4.5), panel));
            return [
                niceTicks(-3.2, 41, 5), niceTicks(1, 3, 10, true), minuteTicks(200000, 4000000, 4),
                [[10, 10, 10, 50, 51, 99, 100, 100], [-40, 500, 50], many].map(names),
                ["#ffffff", "#b6babd", "#27f4d2", "#000000"].map(shown),
            ];
        }"""
    )
    assert ticks == [0, 10, 20, 30, 40]
    assert whole == [1, 2, 3]
    assert minutes == [1_200_000, 2_400_000, 3_600_000]
    for placed in columns:
        heights = [y for _, y in placed]
        assert all(after - before >= 11.99 for before, after in pairwise(heights)), heights
        assert min(heights) >= 0
        assert max(heights) <= 120
    assert len(columns[0]) == 8, "there is room for all"
    assert [rank for rank, _ in columns[2]] == list(range(11)), "the last ones give way"
    assert min(min(pair) for pair in colors) >= 4.5
    assert errors == []


async def test_the_axis_of_laps_places_session_times_between_the_leaders_laps(browser: Browser, stage: Stage) -> None:
    page, errors = await opened(browser, stage)
    places, spans = await page.evaluate(
        """async () => {
            const { LapAxis } = await import("/static/charts/lap-axis.js");
            const { History } = await import("/static/session/history.js");
            const history = new History();
            const lap = (car, lap, end, made) => ({ t: end, kind: "lap", car, lap, end, ms: 60000, made });
            history.add([lap("4", 1, 160000), lap("1", 1, 161000), lap("1", 2, 219000, true), lap("4", 2, 220000)]);
            const snapshot = { race: { started_ms: 100000 } };
            const axis = new LapAxis({ history, horizon: 250000, t: 250000, snapshot });
            const places = [50000, 100000, 130000, 160000, 190000, 250000].map((t) => axis.at(t));
            return [places, [1, 2, 3, 4].map((number) => axis.span(number))];
        }"""
    )
    assert places == [0, 0, 0.5, 1, 1.5, 2.5]
    assert spans[:2] == [{"from": 100_000, "to": 160_000}, {"from": 160_000, "to": 220_000}]
    assert spans[2:] == [{"from": 220_000, "to": 250_000}, {"from": None, "to": None}]
    assert errors == []


async def test_lap_times_of_a_timed_session_stand_over_the_session_clock(browser: Browser, stage: Stage) -> None:
    whole_race(stage.feed)
    stints = [{"compound": "SOFT", "first_lap": 1, "laps": 2, "tyre_life_before": 3, "fresh": False}]
    stage.feed.add_frames([frames_record(651, 1, changes={"4": {"stints": stints}}, part=1)])
    page, errors = await opened(browser, stage, viewport=TALL)
    await to_the_end(page)
    await until(page, "f1stream.state?.race.part === 1 && f1stream.history.length > 20")
    await page.evaluate("document.querySelector('.analysis').scrollIntoView()")
    # Drawn before the part was known, a chart is drawn again within a second.
    line = "f1stream.charts.laptimes?.series.find(({ name }) => name === 'NOR')"
    await until(page, f"f1stream.charts.strategy && {line}?.x[0] === 60_000")
    times = await page.evaluate("f1stream.charts.laptimes")
    assert {each["name"]: (each["x"], each["y"]) for each in times["series"]}["NOR"] == ([60_000, 120_000], [60, 60])
    assert times["cursor"] == await page.evaluate("f1stream.state.t")
    await page.locator("[data-chart=laptimes]").focus()
    await page.keyboard.press("ArrowLeft")
    highlight = await page.evaluate("f1stream.charts.weather.highlight")
    assert (highlight["lap"], highlight["from"], highlight["to"]) == (2, 60_000, 120_000)
    assert errors == []
    await page.close()


async def test_a_race_of_one_lap_has_its_charts(browser: Browser, stage: Stage) -> None:
    stage.feed.add_facts([lap("4", 1), lap("1", 1), lap("81", 1, generated=True), *messages()])
    whole = frames_record(300, 30)
    stage.put(30)
    stage.feed.add_frames([whole])
    page, errors = await opened(browser, stage, viewport=TALL)
    await until(page, "f1stream.history.length > 5")
    await page.evaluate("document.querySelector('.analysis').scrollIntoView()")
    await until(page, "f1stream.charts.trace?.known === f1stream.history.length")
    series = {each["name"]: each["y"] for each in await page.evaluate("f1stream.charts.trace.series")}
    assert series == {"NOR": [0], "VER": [0.5]}, "an estimated lap has no end"
    names = await page.evaluate("f1stream.charts.trace.names.map(each => each.name)")
    assert sorted(names) == ["NOR", "VER"]
    assert errors == []
    await page.close()
