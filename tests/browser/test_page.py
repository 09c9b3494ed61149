"""The page in headless Chromium, against a server in this process that is fed a small synthetic race."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest
from playwright.async_api import Browser

from f1stream.topics import encode_frames
from models import RaceControl, SessionStatus
from models.frame import Stint
from tests.support.page_race import (
    LAP_MS,
    damaged_notice,
    frames_record,
    head,
    head_record,
    lap,
    message,
    whole_race,
)
from tests.support.stage import (
    DESKTOP,
    PHONE,
    Stage,
    in_chromium,
    opened,
    picture,
    pill,
    rendered,
    rows,
    serious_violations,
    themes,
    to_the_end,
    until,
)
from web.tape_store import FramesRecord

pytestmark = in_chromium
CLOCK_AND_PLACES = "[f1stream.clock.t, f1stream.positions]"


async def test_a_page_without_a_session_says_what_to_do(browser: Browser, stage: Stage) -> None:
    page, errors = await opened(browser, stage)
    await pill(page, "Waiting for a session")
    assert "starts by itself as soon as a session begins" in await page.inner_text("#empty")
    stage.race()
    await pill(page, "Live")
    await until(page, "document.querySelectorAll('#rows tr').length === 3")
    assert not await page.is_visible("#empty")
    assert errors == []


async def test_cars_move_at_the_displays_rate_and_the_table_is_the_apis(browser: Browser, stage: Stage) -> None:
    stage.put(30)
    stage.race()
    page, errors = await opened(browser, stage)
    await pill(page, "Live")
    await until(page, "f1stream.frames > 5")
    places: list[str] = await page.evaluate(
        """() => new Promise(done => {
            const seen = new Set(), last = window.f1stream.frames + 10;
            const look = () => {
                const place = window.f1stream.positions["4"];
                seen.add(place.x + " " + place.y);
                window.f1stream.frames < last ? requestAnimationFrame(look) : done([...seen]);
            };
            look();
        })"""
    )
    assert len(places) > 20, "drawn between the ten frames that arrived meanwhile, not only at these"
    answer = await page.request.get(f"{stage.address}/api/sessions/test_race/state")
    cars = (await answer.json())["frame"]["cars"]
    order = sorted(cars, key=lambda number: cars[number]["position"])
    shown = await page.evaluate("[...document.querySelectorAll('#rows tr')].map(row => row.dataset.car)")
    assert shown == order
    table = await rows(page)
    assert table[0][2] == "LEADER"
    assert table[1][2:4] == ["+4.321", "+4.321"]
    assert table[2][2:4] == ["+1 LAP", "+1 LAP"]
    assert "best of all" in table[0][4]
    assert "personal best" in table[1][4]
    assert "Medium" in table[1][9]
    assert table[0][11] == "290"
    assert await page.is_visible("#simulated")
    assert "GREEN LIGHT" in await page.inner_text("#messages")
    assert errors == []


async def test_a_stopped_server_and_its_return_are_shown(browser: Browser, stage: Stage) -> None:
    stage.race()
    page, errors = await opened(browser, stage)
    await pill(page, "Live")
    await stage.stop()
    await pill(page, "Disconnected, retrying")
    await stage.start()
    await pill(page, "Live", 20)
    before = await page.evaluate("f1stream.frames")
    await until(page, f"f1stream.frames > {before}")
    assert errors == []


async def test_silence_makes_cars_stale_and_changes_the_pill(browser: Browser, stage: Stage) -> None:
    stage.race()
    page, errors = await opened(browser, stage, virtual_time=True)
    await pill(page, "Live")
    await stage.pause()
    stage.put(1, age_ms=5_100, changes={"4": {"status": "finished"}, "81": {"status": "retired"}})
    await pill(page, "Waiting for data")
    await page.clock.fast_forward(5_100)
    await until(page, "document.querySelector('tr[data-car=\"1\"] .tag').textContent === 'STALE'")
    tags = await page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('#rows tr')].map(r => [r.dataset.car, r.dataset.status]))"
    )
    assert tags == {"4": "finished", "81": "retired", "1": "stale"}
    assert "FINISHED" in (await rows(page))[0][1]
    stage.race()
    await pill(page, "Live")
    await until(page, "document.querySelector('tr[data-car=\"1\"] .tag').hidden")
    assert errors == []


async def test_an_unreachable_broker_is_shown(browser: Browser, stage: Stage) -> None:
    stage.race()
    page, _ = await opened(browser, stage)
    await pill(page, "Live")
    await stage.pause()
    stage.feed.connected = False
    await pill(page, "Kafka is unreachable")


async def test_a_damaged_run_is_shown_with_what_to_do(browser: Browser, stage: Stage) -> None:
    stage.race()
    page, errors = await opened(browser, stage)
    await pill(page, "Live")
    stage.feed.add_frames([damaged_notice("message 3 came after 1")])
    await pill(page, "Run is damaged")
    await page.get_by_text("This run is damaged: message 3 came after 1. Publish the session again.").wait_for()
    stage.head, stage.number = {**stage.head, "epoch": 2}, 0
    stage.put(50, epoch=2)
    await until(page, "f1stream.connection.status.epoch === 2 && document.querySelector('#notices').hidden")
    assert errors == []


async def test_at_the_end_the_session_is_over_and_finishers_stay_finished(browser: Browser, stage: Stage) -> None:
    stage.put(20)
    page, errors = await opened(browser, stage, virtual_time=True)
    await until(page, "f1stream.state")  # it watches before the session ends
    finished = {number: {"status": "finished"} for number in ("1", "4", "81")}
    stage.put(5, changes=finished)
    stage.put(1, changes=finished, ended=True, race_control=[])
    await pill(page, "Session over")
    await page.clock.fast_forward(5_500)  # after five seconds of silence a running car is stale
    await rendered(page)
    assert [row[1].split("\n")[-1] for row in await rows(page)] == ["FINISHED"] * 3
    assert errors == []


async def test_a_new_run_of_the_session_replaces_the_old_one(browser: Browser, stage: Stage) -> None:
    stage.put(100)
    page, errors = await opened(browser, stage)
    await until(page, "f1stream.state?.t === 99 * 200")
    stage.feed.add_frames([head_record(epoch=2), frames_record(0, 3, epoch=2, arrived_ms=int(time.time() * 1000))])
    await until(page, "f1stream.state?.t <= 2 * 200 && f1stream.state.head.epoch === 2")
    assert errors == []


@pytest.mark.parametrize(("speed", "batch"), [(0.25, 1), (1, 1), (1, 5), (20, 5)])
async def test_the_clock_runs_evenly_at_every_pace(browser: Browser, speed: float, batch: int, stage: Stage) -> None:
    """From one drawn frame to the next within 40 % of the rate, although frames arrive in batches."""
    page, _ = await opened(browser, stage)
    paces: list[float] = await page.evaluate(
        """async ([speed, batch]) => {
            const { SessionClock } = await import("/static/session/clock.js");
            const clock = new SessionClock();
            const paces = [];
            let sent = 0, last = null;
            for (let wall = 0; wall < 20000; wall += 16) {
                while (sent * 200 / speed + batch * 200 / speed <= wall) {
                    sent += batch;
                    clock.arrived(sent * 200, wall + (sent * 7919) % 60);  // arrivals jitter
                }
                const t = clock.at(wall);
                if (wall > 9000) paces.push((t - last) / 16 / speed);
                last = t;
            }
            return paces;
        }""",
        [speed, batch],
    )
    assert min(paces) > 0.6
    assert max(paces) < 1.4
    assert sum(paces) / len(paces) == pytest.approx(1, abs=0.03)


async def test_between_distant_frames_cars_stay_on_the_track(browser: Browser, stage: Stage) -> None:
    page, _ = await opened(browser, stage)
    place = await page.evaluate(
        """async () => {
            const { Track } = await import("/static/map/track.js");
            const { Motion } = await import("/static/map/motion.js");
            const track = new Track([[0, 0], [10000, 0], [10000, 10000], [0, 10000]]);
            const head = { cars: [{ driver_number: "4" }] };
            const at = (...way) => {
                const motion = new Motion();
                motion.take(track, way.map(([x, y], n) => (
                    { head, t: n * 10000, x: [x], y: [y], age: [0], speed: [null], cars: {} })));
                return motion.places(2500)["4"];
            };
            return [at([8000, 100], [9900, 4000]), at([0, 2000], [2000, 0])];
        }"""
    )
    corner, over_the_line = place
    assert (corner["x"], corner["y"]) == pytest.approx((9500, 100), abs=1)
    assert (over_the_line["x"], over_the_line["y"]) == pytest.approx((0, 1000), abs=1)


async def test_a_panel_that_fails_says_so_and_leaves_the_others_running(browser: Browser, stage: Stage) -> None:
    page, errors = await opened(browser, stage)
    seen = await page.evaluate(
        """async () => {
            const { Panels } = await import("/static/page/panels.js");
            const place = document.createElement("section");
            let broken = true, rendered = 0;
            const panels = new Panels([
                { place, panel: { reset() {}, render() { if (broken) throw new Error("broken on purpose"); } } },
                { place: null, panel: { reset() {}, render() { rendered += 1; } } },
            ]);
            for (const now of [0, 200, 400]) panels.render({ now });
            const failed = place.textContent;
            broken = false;
            panels.render({ now: 4900 });
            const early = place.textContent;
            panels.render({ now: 5100 });
            return { rendered, failed, early, after: place.textContent };
        }"""
    )
    assert seen["rendered"] == 5
    assert seen["failed"] == seen["early"] == "This panel has an error and is not up to date. The others go on."
    assert not seen["after"]
    assert [each for each in errors if "broken on purpose" not in each] == []
    assert len(errors) == 1, "once, not with each drawing"


async def test_a_question_to_the_server_is_repeated_when_it_fails_and_aborted_by_the_next(
    browser: Browser, stage: Stage
) -> None:
    page, _ = await opened(browser, stage)
    seen = await page.evaluate(
        """async () => {
            const { Request } = await import("/static/session/request.js");
            const asked = [];
            let now = 0;
            const [ask, clock] = [window.fetch, performance.now];
            performance.now = () => now;
            window.fetch = (path, { signal }) => new Promise((answer, reject) => {
                if (path.startsWith("/api/")) return;  // the page itself
                asked.push(path);
                signal.addEventListener("abort", () => reject(new Error("aborted")));
                if (path.startsWith("/fails")) answer(new Response('{"error": "Too many."}', { status: 429 }));
                if (path.startsWith("/none")) answer(new Response(null, { status: 204 }));
                if (path.startsWith("/works")) answer(new Response('{"laps": 57}'));
            });
            const settled = () => new Promise((done) => setTimeout(done, 20));
            const request = new Request();
            const answers = [request.get("/fails")];
            await settled();
            const error = request.error;
            answers.push(request.get("/fails"));  // too early to repeat it
            now = 1001;
            answers.push(request.get("/fails"));
            await settled();
            answers.push(request.get("/never"), request.get("/works"));
            await settled();
            answers.push(request.get("/works"), request.get("/none"));
            await settled();
            answers.push(request.get("/none"));
            [window.fetch, performance.now] = [ask, clock];
            return { asked, error, answers: answers.map((each) => (each === undefined ? "nothing yet" : each)) };
        }"""
    )
    nothing, laps = "nothing yet", {"laps": 57}
    assert seen["asked"] == [f"{path}?absent=204" for path in ("/fails", "/fails", "/never", "/works", "/none")]
    assert seen["error"] == "Too many."
    assert seen["answers"] == [nothing, nothing, nothing, nothing, nothing, laps, laps, None]


async def test_text_from_the_feed_is_never_markup(browser: Browser, stage: Stage) -> None:
    evil = [{"session_time_ms": 5, "category": "Other", "message": "<img src=x onerror=alert(1)>"}]
    stage.put(1, race_control=evil)
    page, errors = await opened(browser, stage)
    await until(page, "document.querySelector('#messages li')")
    assert "<img" in await page.inner_text("#messages")
    assert await page.evaluate("document.querySelectorAll('#messages img').length") == 0
    assert errors == []


EVIL = '<a href="//evil"><b>{}</b></a>%{{x}}'
EVIL_TYRES = "<b>SOFT</b>%{x}"
"""A link and a template, as chart libraries interpret them."""


async def test_text_from_the_feed_is_never_markup_in_a_chart(browser: Browser, stage: Stage) -> None:
    named = head()
    cars = [entry.model_copy(update={"tla": EVIL.format(entry.tla)}) for entry in named.cars]
    value = encode_frames([named.model_copy(update={"cars": cars})])
    stage.feed.add_frames([FramesRecord("test_race", "head", 1, 0, frozenset(), value, 0)])
    whole_race(stage.feed)
    tyres = [Stint(compound=EVIL_TYRES, first_lap=1, laps=9, tyre_life_before=0, fresh=True)]
    stage.feed.add_frames([frames_record(651, 1, changes={"4": {"stints": tyres}}, ended=True)])
    stage.feed.add_facts([lap("4", 2, seq=9, compound=EVIL_TYRES)])
    page, errors = await opened(browser, stage)
    await to_the_end(page)
    await until(page, "f1stream.history.length > 20 && document.getElementById('rows').children.length === 3")
    for chart in ("trace", "positions", "laptimes", "strategy"):
        place = f"document.querySelector('[data-chart={chart}]')"
        await page.evaluate(f"{place}.scrollIntoView()")
        await until(page, f"f1stream.charts.{chart}", 20)
        assert EVIL.format("NOR") in await page.evaluate(f"f1stream.charts.{chart}.series.map(each => each.name)")
        await page.locator(f"[data-chart={chart}]").focus()
        for key in ("ArrowLeft", "ArrowUp", "ArrowUp", "ArrowUp"):
            await page.keyboard.press(key)
        shown = await page.evaluate(f"{place}.querySelector('.chart-tip:not([hidden])').textContent")
        assert EVIL.format("NOR") in shown, chart
        if chart == "laptimes":
            assert EVIL_TYRES.lower() in shown
    place = "document.getElementById('compare-chart')"
    await page.evaluate(f"{place}.scrollIntoView()")
    await until(page, "f1stream.charts.compare", 20)
    await page.locator("#compare-chart").hover()
    await until(page, f"{place}.querySelector('.chart-tip:not([hidden])')")
    assert EVIL.format("VER") in await page.evaluate(f"{place}.querySelector('.chart-tip').textContent")
    for part in ("[data-chart] a", "[data-chart] b", "[data-chart] img", "[data-chart] [style*=bold]"):
        assert await page.evaluate(f"document.querySelectorAll('{part}').length") == 0, part
    assert errors == []


async def test_the_theme_is_remembered(browser: Browser, stage: Stage) -> None:
    page, _ = await opened(browser, stage, color_scheme="dark")
    assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
    await page.click("#theme")
    await page.reload()
    assert await page.evaluate("document.documentElement.dataset.theme") == "light"


async def test_with_reduced_motion_cars_step(browser: Browser, stage: Stage) -> None:
    stage.race()
    page, _ = await opened(browser, stage, reduced_motion="reduce")
    await pill(page, "Live")
    await until(page, "'4' in window.f1stream.positions")
    steps = await page.evaluate(
        """() => new Promise(done => {
            const seen = new Set();
            const end = performance.now() + 700;
            const look = () => {
                seen.add(window.f1stream.positions["4"].y);
                performance.now() < end ? requestAnimationFrame(look) : done(seen.size);
            };
            look();
        })"""
    )
    assert steps <= 2, "a step takes a second"


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_the_page_is_accessible_and_fits_in_both_themes(
    browser: Browser, stage: Stage, viewport: dict[str, int], pictures: Path
) -> None:
    stage.put(30)
    stage.race(changes={"1": {"status": "pit"}})
    page, errors = await opened(browser, stage, viewport=viewport)
    await pill(page, "Live")
    await until(page, "document.querySelectorAll('#rows tr').length === 3")
    async for theme in themes(page):
        assert await serious_violations(page) == [], theme
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide == 0, theme
        assert len(await page.screenshot(path=pictures / f"page-{theme}-{viewport['width']}.png")) > 10_000
    assert errors == []


@pytest.mark.parametrize(("viewport", "stuck"), [(DESKTOP, "thead th"), (PHONE, "[data-col=pos], [data-col=driver]")])
async def test_heads_and_on_a_phone_drivers_stay_in_view_when_the_table_is_scrolled(
    browser: Browser, stage: Stage, viewport: dict[str, int], stuck: str
) -> None:
    stage.put(30)
    page, errors = await opened(browser, stage, viewport=viewport)
    await until(page, "document.querySelectorAll('#rows tr').length === 3")
    if viewport == PHONE:
        await page.click("#columns")
    moved, hidden = await page.evaluate(
        """(stuck) => {
            const scroll = document.getElementById("tower-scroll");
            Object.assign(scroll.style, { flex: "none", height: "60px" });  // three cars have to overflow
            const cells = [...document.querySelectorAll(`#tower :is(${stuck})`)];
            const place = (cell) => (({ x, y }) => [x, y])(cell.getBoundingClientRect());
            scroll.scrollIntoView({ block: "center" });
            const before = cells.map(place);
            const down = stuck === "thead th";
            scroll[down ? "scrollTop" : "scrollLeft"] = 1e4;
            if (!(down ? scroll.scrollTop : scroll.scrollLeft)) throw new Error("nothing to scroll");
            const apart = (a, b) => Math.max(...a.map((at, axis) => Math.abs(at - b[axis])));
            const moved = cells.filter((cell, i) => apart(place(cell), before[i]) > 1);
            const hidden = cells.filter((cell) => cell.parentElement.sectionRowIndex === 0).filter((cell) => {
                const { x, y, width, height } = cell.getBoundingClientRect();
                return !cell.contains(document.elementFromPoint(x + width / 2, y + height / 2));
            });
            return [moved, hidden].map((found) => found.map((cell) => cell.dataset.col));
        }""",
        stuck,
    )
    assert moved == []
    assert hidden == [], "another cell covers it"
    assert errors == []


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_without_positions_cars_go_round_a_ring_and_the_page_says_why(
    browser: Browser, stage: Stage, viewport: dict[str, int]
) -> None:
    stage.head = {"drawn": False}
    notice = "The feed sends no positions of the cars: they are for F1TV subscribers."
    stage.race(estimated=True, notices=(notice,))
    page, errors = await opened(browser, stage, viewport=viewport)
    await until(page, "Object.keys(window.f1stream.positions).length === 3")
    begin, before = await page.evaluate(CLOCK_AND_PLACES)
    await until(page, f"f1stream.clock.t > {begin} + 1000")
    end, after = await page.evaluate(CLOCK_AND_PLACES)
    for car, place in after.items():
        assert math.isclose(math.hypot(place["x"], place["y"]), 3000, rel_tol=0.01), "it is on the ring"
        moved = math.hypot(place["x"] - before[car]["x"], place["y"] - before[car]["y"])
        assert 0.4 < moved / (2 * math.pi * 3000 * (end - begin) / LAP_MS) < 2, "it moves at the pace of its lap"
    assert (await page.inner_text("#map-note")).startswith("Estimated: without positions")
    assert await page.inner_text("#notices") == notice
    assert await page.locator(".tag", has_text="STALE").count() == 0
    assert {await cell.text_content() for cell in await page.locator("[data-col=update]").all()} >= {"est."}
    assert errors == []
    await picture(page, f"estimated-{viewport['width']}")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_a_qualifying_is_shown_by_best_lap_with_its_cut_and_what_is_left_of_it(
    browser: Browser, stage: Stage, viewport: dict[str, int]
) -> None:
    stage.head = {"name": "Qualifying"}
    changes = {
        "4": {
            "best_lap_ms": 75_586,
            "laps_down": 0,
            "pit_stops": [{"lap": 2, "pit_lane_ms": 222_000, "stationary_ms": None}],
            "stops": 1,
        },
        "81": {"best_lap_ms": 75_848, "official_gap_ms": 262, "official_interval_ms": 262},
        "1": {"best_lap_ms": 76_900, "status": "eliminated", "laps_down": 0, "interval_laps": 0},
    }
    stage.put(
        60, changes=changes, part=2, goes_on=1, clock_ms=754_000, clock_at_ms=1_800, clock_runs=True, lap=0,
        overtaking_aid="DRS", overtaking_enabled=True, notices=("The feed sends no car data.", "Nor positions."),
    )  # fmt: skip
    page, errors = await opened(browser, stage, viewport=viewport)
    await until(page, "document.querySelectorAll('#rows tr').length === 3")
    await until(page, "document.getElementById('lap-name').textContent === 'Q2'")
    # 12:34 remained at 1.8 s, and the newest frame is 10 s later; the page may show up to two seconds before that.
    assert await page.inner_text("#lap") in {"12:24", "12:25", "12:26", "12:27"}
    shown = {
        await row.get_attribute("data-car"): (
            await row.get_attribute("data-cut"), await row.locator("[data-col=gap]").inner_text(),
            await row.locator(".tag").text_content(),
        )
        for row in await page.locator("#rows tr").all()
    }  # fmt: skip
    assert shown["4"] == ("last", "LEADER", "")
    assert shown["81"][:2] == ("below", "+0.262")
    assert shown["1"][::2] == ("", "OUT")
    assert "1:15.586" in await page.inner_text("#rows tr:first-child")
    title = await page.locator('#rows tr[data-car="81"] [data-col=gap]').get_attribute("title")
    assert title is not None
    assert title.startswith("official; measured")
    assert await page.inner_text("#notices") == "The feed sends no car data. Nor positions."
    for panel in ("trace", "positions", "pit-window"):
        assert not await page.is_visible(f"[data-panel={panel}]"), panel
    offered = await page.locator("#panel-choices label:not([hidden])").all_text_contents()
    assert set(offered).isdisjoint({"Race trace", "Positions", "Pit window"})
    assert "Lap times" in offered
    assert not await page.is_visible("#lap-jump")
    assert await page.locator("[data-col=stops] .sub").count() == 0
    assert await page.text_content("#aid-fact") == "DRSenabled"
    assert await page.is_visible("#aid-fact") == (viewport == DESKTOP)
    assert errors == []
    await picture(page, f"qualifying-{viewport['width']}")


async def test_an_aborted_start_is_not_where_lap_1_begins(browser: Browser, stage: Stage) -> None:
    """The page reads the start from the frames; laps after it begin where the first car ended the one before."""
    stage.put(350, started_ms=20_000)
    messages = [
        SessionStatus(session_time_ms=700, status="Started"),
        RaceControl(session_time_ms=5_000, category="Other", message="ABORTED START"),
        SessionStatus(session_time_ms=20_000, status="Started"),
    ]
    estimated = lap("1", 1, generated=True, end_ms=30_000)
    stage.feed.add_facts(
        [*(message(seq, fact) for seq, fact in enumerate(messages)), lap("4", 1), lap("81", 1), estimated]
    )
    page, errors = await opened(browser, stage)
    await until(page, "document.getElementById('bar').getAttribute('aria-valuetext')?.startsWith('Lap 2')")

    async def under_the_pointer(t: int) -> str:
        box = await page.locator("#marks").bounding_box()
        assert box is not None
        await page.mouse.move(box["x"] + box["width"] * t / 69_800, box["y"] + box["height"] / 2)
        return await page.inner_text("#bubble")

    assert "Lap" not in await under_the_pointer(8_000)
    assert (await under_the_pointer(25_000)).startswith("Lap 1")
    assert (await under_the_pointer(40_000)).startswith("Lap 1"), "an estimated lap has no measured end"
    assert (await under_the_pointer(65_000)).startswith("Lap 2")
    assert not errors


async def test_explanations_are_shown_to_touch_and_keyboard(browser: Browser, stage: Stage) -> None:
    penalty = {"kind": "time", "state": "given", "seconds": 5, "lap": 2, "reason": "SPEEDING IN THE PIT LANE"}
    stage.put(30, changes={"81": {"official_gap_ms": 4_300, "penalties": [penalty], "status": "pit"}})
    page, errors = await opened(browser, stage, viewport=PHONE, has_touch=True)
    await until(page, "document.querySelectorAll('#rows tr').length === 3")
    row, tip = page.locator('#rows tr[data-car="81"]'), page.locator("#tip")
    await row.locator("[data-col=gap]").tap()
    assert (await tip.inner_text()).startswith("official; measured")
    assert await row.get_attribute("data-selected") == "false"
    await page.locator("#map-title").tap()
    assert not await tip.is_visible()
    await page.set_viewport_size(DESKTOP)
    await page.focus("#tower-scroll")
    await page.keyboard.press("Tab")
    for title in ("Sector 1", "Sector 2", "Sector 3", "Penalties", "Age of the car"):
        assert (await tip.inner_text()).startswith(title)
        await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.closest('tr').dataset.car") == "81"
    lines = (await tip.inner_text()).split("\n")
    assert lines[0] == "First Pia, Orange"
    assert "in the pit lane" in lines
    assert "PEN: Lap 2: +5 s, not served yet (speeding in the pit lane)" in lines
    assert await serious_violations(page) == []
    await page.keyboard.press("Escape")
    assert not await tip.is_visible()
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Tab")
    assert await tip.is_visible()
    await page.keyboard.press("k")
    assert not await tip.is_visible(), "any key may lead to another moment, of which it is not true"
    assert errors == []


async def test_lists_change_without_losing_the_focus(browser: Browser, stage: Stage) -> None:
    """A list of messages is one tab stop; rows stay while others come, go and change places."""
    said = [RaceControl(session_time_ms=t, category="Other", message=f"MESSAGE {t}", lap=1) for t in range(1, 6)]
    stage.put(30, race_control=said[:4])
    page, errors = await opened(browser, stage)
    await until(page, "document.querySelectorAll('#messages .moment').length === 4")
    await page.focus("#sound")
    await page.keyboard.press("Tab")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    focused = "document.activeElement.closest('li')?.textContent"
    assert await page.evaluate(focused) == "0:00:00Lap 1MESSAGE 2"
    assert await page.evaluate("document.querySelectorAll('#messages .moment[tabindex=\"0\"]').length") == 1
    stage.put(30, race_control=said)
    await until(page, "document.querySelectorAll('#messages .moment').length === 5")
    assert await page.evaluate(focused) == "0:00:00Lap 1MESSAGE 2"
    await page.focus('#rows tr[data-car="4"] button')
    stage.put(30, changes={"4": {"position": 3}, "1": {"position": 1}})
    await until(page, "document.querySelector('#rows tr:last-child').dataset.car === '4'")
    assert await page.evaluate("document.activeElement.closest('tr').dataset.car") == "4"
    kept = await page.evaluate(
        """async () => {
            const { updateRows } = await import("/static/page/rows.js");
            const row = (key, ...texts) => {
                const made = document.createElement("tr");
                made.dataset.key = key;
                texts.forEach((text) => (made.insertCell().textContent = text));
                return made;
            };
            const body = document.createElement("tbody");
            updateRows(body, [row("a", "1", "x"), row("b", "2", "y")]);
            const [a, b] = body.children, same = a.cells[0];
            updateRows(body, [row("c", "1", "z"), row("b", "2", "y"), row("a", "1", "w")]);
            const [, second, third] = body.children;
            return [second === b, third === a, third.cells[0] === same, body.textContent];
        }"""
    )
    assert kept == [True, True, True, "1z2y1w"]
    await page.keyboard.press("Escape")
    await page.evaluate("document.activeElement.blur()")
    await page.locator(".skip").nth(1).focus()
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "play"
    assert errors == []
