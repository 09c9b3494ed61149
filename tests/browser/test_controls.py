"""Keys on any keyboard and in focused controls, drivers in the address, cells of cars, sections of the timeline."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page

from tests.support.page_race import whole_race
from tests.support.stage import Stage, in_chromium, opened, rendered, until

pytestmark = in_chromium
PRESS = """(init) => {
    const { on, ...rest } = init;
    const target = on ? document.querySelector(on) : document.activeElement ?? document.body;
    const event = new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...rest });
    target.dispatchEvent(event);
    return event.defaultPrevented;
}"""
NO_STORAGE = """Object.defineProperty(window, "localStorage", {
    get() { throw new DOMException("denied", "SecurityError"); }
})"""
ALT_GR = {"ctrlKey": True, "altKey": True, "modifierAltGraph": True}


async def speed_after(page: Page, key: str, code: str, **modifiers: bool) -> float:
    """The speed after a key of which a browser reports this; Playwright types on a US keyboard only."""
    await page.evaluate(PRESS, {"key": key, "code": code, **modifiers})
    speed: float = await page.evaluate("f1stream.playback.speed")
    return speed


async def test_keys_work_on_other_keyboards_and_in_focused_controls(browser: Browser, stage: Stage) -> None:
    stage.put(600)
    page, errors = await opened(browser, stage)
    await page.goto(f"{stage.address}/?t=60000")
    await until(page, "f1stream.state?.t === 60_000")
    assert await speed_after(page, "]", "Digit9", **ALT_GR) == 2, "AltGr 9 of a German keyboard"
    assert await speed_after(page, "ü", "BracketLeft") == 1, "the key at the place of ["
    assert await speed_after(page, "$", "BracketRight") == 2, "the key at the place of ] of a French keyboard"
    assert await speed_after(page, "<", "IntlBackslash") == 1
    assert await speed_after(page, ">", "IntlBackslash", shiftKey=True) == 2
    for browsers in ({"ctrlKey": True}, {"metaKey": True}, {"altKey": True}):
        assert not await page.evaluate(PRESS, {"key": "l", "code": "KeyL", **browsers})
        assert not await page.evaluate(PRESS, {"key": "[", "code": "BracketLeft", **browsers})
    assert await page.evaluate("[f1stream.playback.mode, f1stream.playback.speed]") == ["pause", 2]

    box = await page.locator("#bar").bounding_box()
    assert box is not None
    await page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await until(page, "f1stream.playback.settled && f1stream.state.t > 50_000 && f1stream.state.t < 70_000")
    assert await page.evaluate("document.activeElement.id") == "bar"
    there = await page.evaluate("f1stream.state.t")
    for key, t in (("ArrowRight", 5_000), ("ArrowUp", 10_000), ("ArrowLeft", 5_000), ("ArrowDown", 0)):
        await page.keyboard.press(key)
        await until(page, f"f1stream.state.t === {there + t}")
    await page.keyboard.press(" ")
    await until(page, "f1stream.playback.mode === 'play'")
    await page.keyboard.press(" ")
    await until(page, "f1stream.playback.mode === 'pause' && f1stream.playback.settled")

    await page.focus("#speed")
    await page.keyboard.press(" ")
    await until(page, "f1stream.playback.mode === 'play'")
    await page.keyboard.press("k")
    await until(page, "f1stream.playback.mode === 'pause'")
    await page.keyboard.press("4")
    assert await page.input_value("#speed") == "4", "digits choose from the list"
    await page.keyboard.press("Escape")
    assert await page.evaluate("document.activeElement === document.body")

    await page.keyboard.press("j")
    await page.keyboard.type("9")
    await page.keyboard.press("Enter")
    await until(page, "document.getElementById('timeline-note').textContent.startsWith('lap 9 has not begun')")
    await page.keyboard.press("Escape")
    await page.keyboard.press(".")
    await until(page, "document.getElementById('timeline-note').textContent === ''")
    assert errors == []


async def test_drivers_in_the_address_are_codes_or_numbers_and_a_fifth_one_takes_the_place_of_the_first(
    browser: Browser, stage: Stage
) -> None:
    stage.put(60)
    page, errors = await opened(browser, stage)
    await page.goto(f"{stage.address}/?t=4000&drivers=4,ver,99")
    await until(page, "document.querySelectorAll('tr[data-selected=true]').length === 2")
    await until(page, "location.search.endsWith('drivers=NOR,VER')")
    left = await page.evaluate(
        """async () => {
            const { DriverSelection } = await import("/static/page/driver-selection.js");
            const selection = new DriverSelection();
            const numbers = ["1", "2", "3", "4", "5"];
            const cars = numbers.map((n) => ({ driver_number: n, tla: `T${n}`, team_color: "ff0000" }));
            selection.setEntries({ cars });
            numbers.forEach((number) => selection.toggle(number));
            return [selection.numbers, selection.codes, selection.cars.map((car) => car.number), selection.has("1")];
        }"""
    )
    assert left == [["2", "3", "4", "5"], ["T2", "T3", "T4", "T5"], ["2", "3", "4", "5"], False]
    assert errors == []


async def test_between_two_pictures_the_position_is_that_of_the_last_jump(browser: Browser, stage: Stage) -> None:
    """After a jump the clock has no time until the next frame: keys and a lost connection go on from there."""
    page, errors = await opened(browser, stage)
    found = await page.evaluate(
        """async () => {
            const { Playback } = await import("/static/playback/playback.js");
            const sent = [];
            let shown = 125000;
            const send = (command) => sent.push(command);
            const playback = new Playback({ send, shown: () => shown, onChange() {} });
            const answer = () => {
                const { id, t } = sent.at(-1);
                playback.onMoved({ id, mode: "play", t, speed: 1, jump: true, reveal: true });
            };
            playback.play(125000, 1);
            answer();
            shown = null;
            for (const _ of [1, 2, 3]) {
                playback.skip(-5000);
                answer();
            }
            playback.setDelay(3000);
            const delay = sent.at(-1).delay_ms;
            answer();
            shown = 111000;
            const first = playback.query();
            shown = null;
            const second = playback.query();
            playback.changeSession("other");
            const times = sent.map(({ t }) => t);
            return { times, delay, first, second, reveal: playback.reveal };
        }"""
    )
    assert found["times"][:4] == [125_000, 120_000, 115_000, 110_000]
    assert found["delay"] == 3_000
    assert "at=111000" in found["first"]
    assert found["second"] == found["first"]
    assert found["reveal"] is False
    assert errors == []


async def test_escape_closes_the_panel_chooser_and_the_first_visible_head_is_a_tab_stop(
    browser: Browser, stage: Stage
) -> None:
    stage.put(30)
    page, errors = await opened(browser, stage, viewport={"width": 1024, "height": 768})
    await until(page, "document.querySelectorAll('#rows tr').length === 3")
    await page.evaluate("document.querySelector('#rows button').click()")
    await page.keyboard.press("p")
    await until(page, "document.getElementById('panels').matches(':popover-open')")
    await page.keyboard.press("Escape")
    await until(page, "!document.getElementById('panels').matches(':popover-open')")
    assert await page.evaluate("document.querySelectorAll('#rows tr[data-selected=true]').length") == 1
    await until(
        page,
        "[...document.querySelectorAll('#tower thead .term')]"
        ".find((each) => each.getClientRects().length).tabIndex === 0",
    )
    assert errors == []


async def test_without_storage_the_page_works_and_remembers_nothing(browser: Browser, stage: Stage) -> None:
    whole_race(stage.feed)
    context = await browser.new_context(color_scheme="dark")
    await context.add_init_script(NO_STORAGE)
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto(stage.address)
    await page.get_by_role("button", name="Watch from the start").click()
    await until(page, "document.querySelectorAll('#rows tr').length === 3")
    await page.click("#theme")
    assert await page.evaluate("document.documentElement.dataset.theme") == "light"
    await page.keyboard.press("p")
    await page.get_by_role("checkbox", name="Weather").uncheck()
    await page.keyboard.press("+")
    assert await page.evaluate("f1stream.playback.delay") == 100
    await page.goto(stage.address)
    await page.get_by_role("button", name="Watch from the start").wait_for()
    assert await page.locator("#empty-choices > *").count() == 2
    assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert errors == []
    await context.close()


async def test_penalties_follow_the_position_and_cars_that_are_done_have_no_speed(
    browser: Browser, stage: Stage
) -> None:
    given = [{"state": "given", "kind": "time", "seconds": 5, "reason": "SPEEDING", "lap": 1}]
    stage.put(1, changes={"81": {"penalties": given, "position_with_penalties": 3}})
    page, errors = await opened(browser, stage)
    await until(page, "document.querySelector('tr[data-car=\"81\"] [data-col=penalty]')?.textContent === '+5 s→ P3'")
    done = {
        "1": {"status": "retired", "position": 2},
        "4": {"status": "finished"},
        "81": {"penalties": given, "position_with_penalties": 3, "position": 3},
    }
    stage.put(1, changes=done)
    await until(page, "document.querySelector('tr[data-car=\"81\"] [data-col=pos]')?.textContent.startsWith('3')")
    await rendered(page)
    shown = await page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('#rows tr')].map(row => [row.dataset.car,"
        " ['penalty', 'speed'].map(name => row.querySelector(`[data-col=${name}]`).innerText)]))"
    )
    assert shown["81"] == ["+5 s", "300"], "it is in that position already"
    assert [shown["1"][1], shown["4"][1]] == ["–", "–"]
    assert errors == []


@pytest.mark.parametrize(("total", "finished"), [(3, False), (9, True)], ids=["distance", "flag before"])
async def test_no_lap_begins_after_the_last_one(browser: Browser, stage: Stage, total: int, finished: bool) -> None:
    page, _ = await opened(browser, stage)
    names = await page.evaluate(
        """async ([total, finished]) => {
            const { History } = await import("/static/session/history.js");
            const { sections } = await import("/static/playback/sections.js");
            const history = new History();
            history.add([1, 2, 3].map((lap) => ({ t: lap * 1000, kind: "lap", car: "4", lap, end: lap * 1000 })));
            const flag = { t: 3100, kind: "session_status", status: "Finished", session_time_ms: 3100 };
            if (finished) history.add([flag]);
            const snapshot = { race: { total_laps: total, started_ms: 0 }, head: { info: { name: "Race" } } };
            const running = sections(history, snapshot, 2500).map((each) => each.name);
            return [running, sections(history, snapshot, 5000).map((each) => each.name)];
        }""",
        [total, finished],
    )
    assert names == [["Lap 1", "Lap 2", "Lap 3"]] * 2


async def test_the_bar_has_the_parts_of_a_qualifying_or_minutes_of_a_practice_and_lists_have_push_laps(
    browser: Browser, stage: Stage
) -> None:
    page, _ = await opened(browser, stage)
    found = await page.evaluate(
        """async () => {
            const { History } = await import("/static/session/history.js");
            const { sections } = await import("/static/playback/sections.js");
            const { shownLaps } = await import("/static/session/snapshot.js");
            const history = new History();
            const minute = 60_000;
            history.add([
                { t: 1, kind: "session_part", part: 1, session_time_ms: 1 },
                { t: 15 * minute, kind: "session_status", status: "Started", session_time_ms: 15 * minute },
                { t: 33 * minute, kind: "session_status", status: "Finished", session_time_ms: 33 * minute },
                { t: 38 * minute, kind: "session_part", part: 2, session_time_ms: 38 * minute },
                { t: 90_000 + 38 * minute, kind: "lap", car: "4", lap: 7, end: 39 * minute },
                { t: 40 * minute, kind: "session_status", status: "Started", session_time_ms: 40 * minute },
            ]);
            const race = { part: 1, started_ms: 15 * minute };
            const bar = (name, until) => sections(history, { race, head: { info: { name } } }, until * minute)
                .map(({ name, short, at }) => [name, short, at / minute]);
            const laps = [
                { lap: 1, ms: 80_000, out: true }, { lap: 2, ms: 90_000 }, { lap: 3, ms: 96_000 },
                { lap: 4, ms: 97_000 }, { lap: 5, ms: 91_000, in: true }, { lap: 6, ms: 85_000, made: true },
                { lap: 7, ms: 90_500, deleted: true }, { lap: 8, ms: null },
            ];
            const numbers = (race) => shownLaps(laps, race).map((each) => each.lap);
            const bars = [bar("Sprint Qualifying", 39), bar("Qualifying", 50), bar("Practice 1", 36)];
            return [...bars, numbers({ part: 1 }), numbers({})];
        }"""
    )
    sprint, qualifying, practice, push, raced = found
    assert [sprint[0], sprint[1][:2]] == [["SQ1", "SQ1", 15], ["SQ2", "SQ2"]]
    assert qualifying == [["Q1", "Q1", 15], ["Q2", "Q2", 40]]
    assert practice == [[None, "0′", 15], [None, "10′", 25], [None, "20′", 35]]
    assert push == [2, 3, 7]
    assert raced == [1, 2, 3, 4, 5, 7]
