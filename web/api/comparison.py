"""Two laps on a common axis of distance."""

from __future__ import annotations

import asyncio
import re
from functools import lru_cache
from typing import Any

from aiohttp import web

from f1stream.race.compare import Comparison, Driven, Resampled, TooFewSamplesError, compare
from f1stream.race.line import ReferenceLine
from web.api.requests import SessionQuery, parse_header, session_query
from web.api.responses import bad_request, json_response, not_found
from web.api.telemetry import driven_of, rounded
from web.feed import Feed
from web.history import Entry

MARGIN_MS = 1_500
"""Of samples before and after a lap: the clocks of timing and positions are some tenths apart."""
LAP = re.compile(r"([0-9A-Za-z]{1,4}):([0-9]{1,3})", re.ASCII)


class ComparisonRoutes:
    """``compare?a=CAR:LAP&b=CAR:LAP``."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def routes(self) -> list[web.RouteDef]:
        """Where."""
        return [web.get("/api/sessions/{key}/compare", self.compare)]

    async def compare(self, request: web.Request) -> web.Response:
        """Where along the lap b gains on a, and what the cars did there."""
        query = session_query(self._feed, request)
        laps = [_lap(query, request, name) for name in ("a", "b")]
        a, b = (driven_of(query, lap, MARGIN_MS) for lap in laps)
        try:
            # The first comparison of a session indexes its line, which takes a tenth of a second.
            found = await asyncio.to_thread(_compare, a, b, query.head_bytes)
        except TooFewSamplesError as why:
            raise not_found(f"these laps cannot be compared: {why}") from None
        return json_response(
            {
                "distance_m": rounded(found.distance_m, 1),
                "delta_ms": rounded(found.delta_ms),
                "a": _told(laps[0], found.a),
                "b": _told(laps[1], found.b),
            }
        )


def _lap(query: SessionQuery, request: web.Request, name: str) -> Entry:
    told = LAP.fullmatch(request.query.get(name, ""))
    if told is None:
        raise bad_request(f"{name} is not a car and its lap, as in {name}=4:23")
    return query.lap(told[1], int(told[2]))


def _compare(a: Driven, b: Driven, head: bytes) -> Comparison:
    return compare(a, b, _line(head))


@lru_cache(maxsize=4)
def _line(head: bytes) -> ReferenceLine | None:
    outline = parse_header(head)["outline"]
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
