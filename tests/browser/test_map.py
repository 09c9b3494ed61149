"""The track map in headless Chromium: where cars are drawn, compared with the recording that the frames come from."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from playwright.async_api import Browser

from f1stream.sources.session import Session
from f1stream.topics import encode_frames
from tests.support.figures import figures
from tests.support.pipeline import run
from tests.support.stage import Stage, in_chromium, opened

pytestmark = in_chromium
FROM_MS, TO_MS = 9_055_000, 9_100_000
"""Of the Australian Grand Prix: cars at full speed and in the pit lane, and 0.6 s without samples."""
SETTLED_MS = 5_000
"""After the first frame, until the clock and the cars have found their pace."""
DISPLAY_MS = 1_000 / 60
LAG_MS = 225
"""``LAG_MS`` of ``map/motion.js``: cars are drawn so much behind the clock."""
FAST = 50 / 3.6
"""m/s. A car of this speed moves from one display frame to the next."""

DRIVE = """async ([head, frames]) => {
    const { FrameBuffer } = await import("/static/session/frames.js");
    const { SessionClock } = await import("/static/session/clock.js");
    const { TrackMap } = await import("/static/map/map.js");
    const [buffer, clock] = [new FrameBuffer(), new SessionClock()];
    const map = new TrackMap(document.createElement("canvas"), { has: () => false, numbers: [], cars: [] });
    buffer.setHead(head);
    const drawn = [];
    let arrived = 0;
    for (let wall = 0; arrived < frames.length; wall += 1000 / 60) {
        while (arrived < frames.length && arrived * 200 <= wall) {
            clock.arrived(buffer.addFrame(frames[arrived]).t, wall);
            arrived += 1;
        }
        const t = clock.at(wall);
        map.draw(buffer.around(t), 0);
        drawn.push([t, head.cars.flatMap((car) => {
            const place = map.positions[car.driver_number];
            return place ? [place.x, place.y] : [null, null];
        })]);
    }
    return drawn;
}"""
"""Frames arrive every 200 ms; each display frame is drawn by the page's own clock, buffer and map."""


async def test_cars_are_drawn_at_the_speed_they_drive(browser: Browser, stage: Stage, aus_session: Session) -> None:
    made = [json.loads(encode_frames([each])) for each in run(aus_session, 3_000, from_ms=FROM_MS, to_ms=TO_MS).made]
    head, frames = made[0], [each for each in made[1:] if each["kind"] != "head"]
    page, errors = await opened(browser, stage)
    drawn: list[Any] = await page.evaluate(DRIVE, [head, frames])
    assert errors == []
    t = np.array([row[0] for row in drawn])
    xy = np.array([row[1] for row in drawn], dtype=float) / 10
    off: list[npt.NDArray[np.float64]] = []
    apart: list[npt.NDArray[np.float64]] = []
    fast = standing = 0
    for i, car in enumerate(head["cars"]):
        columns = aus_session.telemetry[car["driver_number"]]
        times, first = np.unique(columns["session_time_ms"], return_index=True)
        recorded = {name: columns[name][first].astype(float) for name in ("x", "y", "speed")}
        seen = (recorded["x"] != 0) & np.isfinite(recorded["x"])
        if not seen.any():
            continue
        x, y, speed = (np.interp(t - LAG_MS, times[seen], recorded[name][seen]) for name in ("x", "y", "speed"))
        place = xy[:, 2 * i : 2 * i + 2]
        drawn_speed = np.hypot(*np.diff(place, axis=0).T) / np.diff(t) * 1_000
        steps = (t[1:] > t[0] + SETTLED_MS) & np.isfinite(drawn_speed)
        steps &= np.interp(t[1:] - LAG_MS, times, np.gradient(times)) < 1_000  # the recording has samples there
        off.append((drawn_speed - speed[1:] / 3.6)[steps])
        is_fast = steps & (speed[1:] / 3.6 > FAST)
        fast += int(is_fast.sum())
        standing += int((drawn_speed[is_fast] < 1).sum())
        apart.append(np.hypot(place[1:, 0] - x[1:] / 10, place[1:, 1] - y[1:] / 10)[is_fast])
    deviation = float(np.std(np.concatenate(off)))
    away = np.percentile(np.concatenate(apart), [50, 95])
    figures.append(
        f"map: drawn speed {deviation:.1f} m/s off (standard deviation), {standing} of {fast:,} display frames"
        f" standing, {away[0]:.1f} m from the recorded position (p95 {away[1]:.1f} m)"
    )
    assert fast > 25_000
    assert deviation <= 6
    assert standing == 0
    assert away[0] < 3
    assert away[1] < 10


async def test_before_the_start_cars_without_positions_stand_on_the_grid(browser: Browser, stage: Stage) -> None:
    page, errors = await opened(browser, stage)
    places, started = await page.evaluate(
        """async () => {
            const { TrackMap } = await import("/static/map/map.js");
            const map = new TrackMap(document.createElement("canvas"), { has: () => false, numbers: [], cars: [] });
            const cars = [{ driver_number: "4", grid_position: 2 }, { driver_number: "1", grid_position: 1 }];
            const unknown = [null, null];
            const at = (t, status, race, along) => {
                const snapshot = {
                    t, race, along, head: { cars, outline: null }, cars: { 1: { status }, 4: { status } },
                    x: unknown, y: unknown, age: unknown, speed: unknown,
                };
                map.draw({ from: snapshot, to: snapshot, part: 0, t, snapshots: [snapshot] }, 0);
                return map.positions;
            };
            return [at(200, "grid", { started_ms: null }), at(400, "running", { started_ms: 300 }, [5000, 0])];
        }"""
    )
    assert [places[car]["x"] for car in "14"] == pytest.approx([-80, -160], abs=1), "the ring is driven clockwise"
    assert [places[car]["y"] for car in "14"] == pytest.approx([3_000, 3_000], abs=10)
    assert (started["4"]["y"], started["1"]["y"]) == pytest.approx((-3_000, 3_000), abs=1)
    assert errors == []


async def test_cars_that_gather_after_the_flag_have_one_label(browser: Browser, stage: Stage) -> None:
    page, errors = await opened(browser, stage)
    texts = await page.evaluate(
        """async () => {
            const { groupLabels } = await import("/static/map/labels.js");
            const car = (text, code, x, selected = false) => ({ text, code, x, y: 100, selected });
            const crowd = ["NOR", "VER", "RUS", "ANT", "ALB"].map((text, n) => car(text, "finished", 100 + 5 * n));
            const others = [car("PIA", "finished", 104, true), car("HAM", "running", 108), car("GAS", "pit", 400)];
            return [crowd.concat(others), crowd.slice(0, 3)].map((cars) => groupLabels(cars).map(({ text }) => text));
        }"""
    )
    assert texts == [["NOR +4", "PIA", "HAM", "GAS"], ["NOR", "VER", "RUS"]]
    assert errors == []
