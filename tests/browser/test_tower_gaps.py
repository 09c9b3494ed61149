"""The gaps that the timing tower shows, from official and measured ones."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Browser

from tests.support.stage import Stage, in_chromium, opened

pytestmark = in_chromium

SHOW = """async (snapshots) => {
    const { gapsToShow } = await import("/static/tower/gaps.js");
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
