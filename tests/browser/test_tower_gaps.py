"""The gaps that the page shows, from official and measured ones: in the timing table and the pit window."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Browser

from tests.support.stage import Stage, in_chromium, opened

pytestmark = in_chromium

SHOW = """async (snapshots) => {
    const { gapsToShow } = await import("/static/session/gaps.js");
    return snapshots.map((snapshot) => {
        const order = snapshot.head.cars.map((_, i) => i);
        const shown = gapsToShow(snapshot, order);
        const values = ({ ms, laps, official }) => [laps, ms, official];
        return order.map((i) => [values(shown.get(i).gap), values(shown.get(i).interval)]);
    });
}"""


def snapshot(*cars: tuple[int | None, int, int | None, int | None]) -> dict[str, Any]:
    """Of cars in race order: measured gap (ms) and laps, official gap and laps."""
    return {
        "head": {"cars": [{"driver_number": str(n)} for n in range(len(cars))]},
        "gap": [gap for gap, *_ in cars],
        "interval": [gap and 100 for gap, *_ in cars],
        "cars": {
            str(n): {"laps_down": laps, "official_gap_ms": ms, "official_gap_laps": official_laps,
                     "official_interval_ms": ms and 500}
            for n, (_, laps, ms, official_laps) in enumerate(cars)
        },
    }  # fmt: skip


async def test_gaps_that_are_shown_rise_with_position(browser: Browser, stage: Stage) -> None:
    page, errors = await opened(browser, stage)
    stands = snapshot((0, 0, None, None), (25_300, 0, 25_386, None), (37_200, 0, 7_242, None), (None, 1, None, 1))
    later = snapshot((0, 0, None, None), (9_000, 0, 9_400, None), (9_300, 0, 9_350, None), (9_600, 0, 9_650, 0))
    lapped = snapshot((0, 0, None, None), (5_000, 1, None, 1), (6_000, 1, 80_000, None), (None, 0, None, None))
    shown = await page.evaluate(SHOW, [stands, later, lapped])
    assert shown[0][1] == [[0, 25_386, True], [0, 500, True]]
    assert shown[0][2] == [[0, 37_200, False], [0, 100, False]], "its official gap froze when it stopped"
    assert shown[0][3][0] == [1, None, True]
    assert [gap[1] for gap, _ in shown[1]] == [0, 9_400, 9_400, 9_650], (
        "an official gap is not mixed with a lesser one"
    )
    assert [gap[:2] for gap, _ in shown[2]] == [[0, 0], [1, None], [1, 6_000], [0, None]], "a lap is more than 80 s"
    assert errors == []


REJOIN = """async (snapshot) => {
    const { PitWindow } = await import("/static/panels/pit-window.js");
    const panel = new PitWindow({ has: () => false });
    panel.reset();
    panel.render({ snapshot });
    const rows = [...document.querySelectorAll("#pit-window-rows tr")];
    return rows.map((row) => [row.dataset.key, row.cells[1].textContent]);
}"""


async def test_the_pit_window_counts_with_the_gaps_that_are_shown(browser: Browser, stage: Stage) -> None:
    page, errors = await opened(browser, stage)
    race = snapshot((0, 0, None, None), (25_300, 0, 25_386, None), (37_200, 0, 7_242, None))
    race |= {"race": {"track_status": "1"}, "age": [None] * 3}
    for n, entry in enumerate(race["head"]["cars"]):
        entry |= {"tla": f"C{n}", "name": f"Car {n}", "team": "Team", "team_color": "FF0000"}
        race["cars"][str(n)] |= {"position": n + 1, "status": "running"}
    assert await page.evaluate(REJOIN, race) == [["0", "P1"], ["1", "P3"], ["2", "P3"]], (
        "the leader has the time for a stop: the gap of 7 s froze when the third car stopped"
    )
    assert errors == []
