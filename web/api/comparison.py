"""Two laps on a common axis of distance."""

from __future__ import annotations

import asyncio
import re
from functools import lru_cache
from typing import Any

from aiohttp import web

from f1stream.race.compare import Comparison, Driven, Resampled, TooFewSamplesError, compare
from f1stream.race.line import ReferenceLine
from web.api.answers import answer, unknown, wrong
from web.api.asked import Asked, asked, parsed
from web.api.telemetry import driven_of, rounded
from web.feed import Feed
from web.history import Entry

MARGIN_MS = 1_500
"""Of samples before and after a lap: the clocks of timing and positions are some tenths apart."""
LAP = re.compile(r"([0-9A-Za-z]{1,4}):([0-9]{1,3})", re.ASCII)


class Comparisons:
    """``compare?a=CAR:LAP&b=CAR:LAP``."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def routes(self) -> list[web.RouteDef]:
        """Where."""
        return [web.get("/api/sessions/{key}/compare", self.compare)]

    async def compare(self, request: web.Request) -> web.Response:
        """Where along the lap b gains on a, and what the cars did there."""
        about = asked(self._feed, request)
        laps = [_lap(about, request, name) for name in ("a", "b")]
        a, b = (driven_of(about, lap, MARGIN_MS) for lap in laps)
        try:
            # The first comparison of a session indexes its line, which takes a tenth of a second.
            found = await asyncio.to_thread(_compare, a, b, about.head_bytes)
        except TooFewSamplesError as why:
            raise unknown(f"these laps cannot be compared: {why}") from None
        return answer(
            {
                "distance_m": rounded(found.distance_m, 1),
                "delta_ms": rounded(found.delta_ms),
                "a": _told(laps[0], found.a),
                "b": _told(laps[1], found.b),
            }
        )


def _lap(about: Asked, request: web.Request, name: str) -> Entry:
    told = LAP.fullmatch(request.query.get(name, ""))
    if told is None:
        raise wrong(f"{name} is not a car and its lap, as in {name}=4:23")
    return about.lap(told[1], int(told[2]))


def _compare(a: Driven, b: Driven, head: bytes) -> Comparison:
    return compare(a, b, _line(head))


@lru_cache(maxsize=4)
def _line(head: bytes) -> ReferenceLine | None:
    outline = parsed(head)["outline"]
    return ReferenceLine(outline) if outline else None


def _told(lap: Entry, driven: Resampled) -> dict[str, Any]:
    return {
        "car": lap["car"],
        "lap": lap["lap"],
        "lap_time_ms": lap["ms"],
        "time_ms": rounded(driven.time_ms),
        "speed": rounded(driven.speed, 1),
        "throttle": rounded(driven.throttle),
        "brake": [bool(value) for value in driven.brake.tolist()],
        "gear": driven.gear.tolist(),
        "x": rounded(driven.x),
        "y": rounded(driven.y),
    }
