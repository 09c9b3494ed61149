"""A car's samples of one lap."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiohttp import web

from f1stream.race.compare import Driven, Samples
from web.api.requests import SessionQuery, integer_parameter, required, session_query
from web.api.responses import json_response, not_found
from web.feed import Feed
from web.history import Entry
from web.sample_store import UNKNOWN_DRS


class TelemetryRoutes:
    """``telemetry?car=&lap=``."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def routes(self) -> list[web.RouteDef]:
        """The routes."""
        return [web.get("/api/sessions/{key}/telemetry", self.telemetry)]

    async def telemetry(self, request: web.Request) -> web.Response:
        """The samples from the start of a lap to its end, column by column."""
        query = session_query(self._feed, request)
        car = query.car(required(request.query.get("car"), "parameter car is missing: a driver number"))
        number = required(integer_parameter(request, "lap", "a lap"), "parameter lap is missing: a lap's number")
        lap = query.lap(car, number)
        driven = driven_of(query, lap, 0)
        return json_response(
            {"car": car, "lap": number, "start_ms": driven.start_ms, "end_ms": driven.end_ms}
            | columns_of(driven.samples)
        )


def driven_of(query: SessionQuery, lap: Entry, margin_ms: int) -> Driven:
    """A lap with its samples, and those ``margin_ms`` before and after it, as far as they were known.

    It starts its official lap time before its end, so that laps of equal time have equal length. Raises ApiError
    when its start is not known.
    """
    end = lap["end"]
    start = end - lap["ms"] if lap["ms"] is not None else lap["start"]
    if start is None:
        raise not_found(f"the start of lap {lap['lap']} of car {lap['car']} is not known")
    samples = query.tape.samples.lap(lap["car"], start - margin_ms, min(end + margin_ms, query.until))
    return Driven(samples, start, end)


def columns_of(samples: Samples) -> dict[str, Any]:
    """Samples as JSON columns; impossible values are null."""
    drs = samples.drs.tolist()
    return {
        "t": samples.t.tolist(),
        "x": rounded(samples.x),
        "y": rounded(samples.y),
        "speed": rounded(samples.speed, 1),
        "throttle": [value if value <= 100 else None for value in samples.throttle.tolist()],
        "brake": [bool(value) for value in samples.brake.tolist()],
        "gear": samples.gear.tolist(),
        "drs": [None if value == UNKNOWN_DRS else value for value in drs],
    }


def rounded(column: Any, decimals: int = 0) -> list[Any]:
    """Rounded numbers; integers when ``decimals`` is 0."""
    wide = np.round(np.asarray(column, dtype=np.float64), decimals)
    numbers: list[Any] = (wide if decimals else wide.astype(np.int64)).tolist()
    return numbers
