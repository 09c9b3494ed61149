"""Gaps over time, from the tape's pictures."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from models.frame import FRAME_MS
from web.api.answers import answer, wrong
from web.api.asked import Asked, asked, parsed, whole
from web.feed import Feed

STEP_MS = 1_000
POINTS = 2_000
"""In one answer."""
AT_ONCE = 50
"""So many pictures are decoded before others may go on: some milliseconds."""
TOLD = ("gap", "interval", "laps_down", "position")


class Gaps:
    """``gaps?from=&to=&step=``."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def routes(self) -> list[web.RouteDef]:
        """Where."""
        return [web.get("/api/sessions/{key}/gaps", self.gaps)]

    async def gaps(self, request: web.Request) -> web.Response:
        """Gap, interval, laps down and position of every car, every ``step`` ms of session time."""
        about = asked(self._feed, request)
        about.picture()
        times = _times(about, request)
        t: list[int] = []
        cars: dict[str, dict[str, list[int | None]]] = {}
        for n, picture in enumerate(about.tape.pictures(times)):
            if n % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
            if not t or picture["t"] > t[-1]:  # over a hole in the tape the picture stays the same
                _put(cars, len(t), picture, about)
                t.append(picture["t"])
        return answer({"step_ms": times.step, "t": t, "cars": cars})


def _times(about: Asked, request: web.Request) -> range:
    span = about.tape.range()
    assert span is not None  # noqa: S101 - there is a picture
    of = "milliseconds of session time"
    first, last, step = (whole(request, name, of) for name in ("from", "to", "step"))
    step = STEP_MS if step is None else step
    if step < FRAME_MS:
        raise wrong(f"step is at least {FRAME_MS} ms: there are no more pictures")
    if first is not None and last is not None and first > last:
        raise wrong(f"from ({first} ms) lies after to ({last} ms)")
    first = span[0] if first is None else max(first, span[0])
    last = min(span[1] if last is None else last, span[1], about.until)
    times = range(first, last + 1, step)
    if len(times) > POINTS:
        raise wrong(f"that makes {len(times)} points, and an answer has at most {POINTS}: take a greater step")
    return times


def _put(cars: dict[str, dict[str, list[int | None]]], before: int, picture: dict[str, Any], about: Asked) -> None:
    head = about.tape.head_of(picture["t"] // FRAME_MS)
    columns = parsed(head or b"{}")["cars"]
    for place, entry in enumerate(columns):
        number = entry["driver_number"]
        state = picture["cars"].get(number, {})
        told = cars.get(number)
        if told is None:
            told = cars[number] = {name: [None] * before for name in TOLD}
        told["gap"].append(picture["gap"][place])
        told["interval"].append(picture["interval"][place])
        told["laps_down"].append(state.get("laps_down"))
        told["position"].append(state.get("position"))
