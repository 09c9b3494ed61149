"""Two laps on a common axis of distance."""

from __future__ import annotations

import asyncio
import re
from functools import lru_cache
from typing import Any

from aiohttp import web

from f1stream.race.compare import Comparison, Driven, Resampled, TooFewSamplesError, compare
from f1stream.race.line import ReferenceLine
from web.api.operation import SESSION_PATH, Parameter, Routes, Schema, get
from web.api.requests import SessionQuery, parse_head, session_query
from web.api.responses import bad_request, json_response, not_found
from web.api.telemetry import driven_of, rounded
from web.history import Entry

MARGIN_MS = 1_500
"""Samples before and after a lap that are compared too: the clocks of timing and positions differ by some tenths."""
LAP = re.compile(r"([0-9A-Za-z]{1,4}):([0-9]{1,3})", re.ASCII)
LAP_SCHEMA = {"type": "string", "pattern": "^[0-9A-Za-z]{1,4}:[0-9]{1,3}$"}
"""The same as a JSON schema."""


class ComparedSchema(Schema):
    """A lap at every point of the axis."""

    car: str
    lap: int
    lap_time_ms: int | None
    time_ms: list[int]
    """Since the start of the lap."""
    speed: list[float]
    throttle: list[int]
    brake: list[bool]
    gear: list[int]
    x: list[int]
    y: list[int]


class ComparisonSchema(Schema):
    """Two laps on a common axis of distance."""

    distance_m: list[float]
    delta_ms: list[int]
    """b's time minus a's: positive where b is behind."""
    a: ComparedSchema
    b: ComparedSchema


class ComparisonRoutes(Routes):
    """``compare?a=CAR:LAP&b=CAR:LAP``."""

    @get(
        f"{SESSION_PATH}/compare",
        tag="session",
        summary="Two laps on a common axis of distance",
        description="Only laps that were known at `at`. Both begin and end at the line at their official times, so "
        "that the last `delta_ms` is the difference of the lap times. 404 also when there are too few samples.",
        parameters=(
            Parameter("a", LAP_SCHEMA, "A driver number and its lap.", "4:23", required=True),
            Parameter("b", LAP_SCHEMA, "A driver number and its lap.", "1:23", required=True),
        ),
        answer=ComparisonSchema,
        returns="Both laps at every point of the axis, about 5 m apart.",
    )
    async def compare(self, request: web.Request) -> web.Response:
        """Two laps along the track: where b gains on a, and speed, throttle, brake and gear of both."""
        query = session_query(self._feed, request)
        laps = [_lap(query, request, name) for name in ("a", "b")]
        a, b = (driven_of(query, lap, MARGIN_MS) for lap in laps)
        try:
            # In a thread: the first comparison of a session indexes its line, which takes 0.1 s.
            found = await asyncio.to_thread(_compare, a, b, query.head_bytes)
        except TooFewSamplesError as error:
            raise not_found(f"these laps cannot be compared: {error}") from None
        return json_response(
            {
                "distance_m": rounded(found.distance_m, 1),
                "delta_ms": rounded(found.delta_ms),
                "a": _compared(laps[0], found.a),
                "b": _compared(laps[1], found.b),
            }
        )


def _lap(query: SessionQuery, request: web.Request, name: str) -> Entry:
    match = LAP.fullmatch(request.query.get(name, ""))
    if match is None:
        raise bad_request(f"{name} is not a car and a lap, as in {name}=4:23")
    return query.lap(match[1], int(match[2]))


def _compare(a: Driven, b: Driven, head: bytes) -> Comparison:
    return compare(a, b, _line(head))


@lru_cache(maxsize=4)
def _line(head: bytes) -> ReferenceLine | None:
    outline = parse_head(head)["outline"]
    return ReferenceLine(outline) if outline else None


def _compared(lap: Entry, driven: Resampled) -> dict[str, Any]:
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
