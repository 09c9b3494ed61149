"""A car's samples of one lap."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiohttp import web

from f1stream.race.compare import Driven, Samples
from web.api.operation import INTEGER, SESSION_PATH, Parameter, Routes, Schema, get
from web.api.requests import SessionQuery, integer_parameter, required, session_query
from web.api.responses import json_response, not_found
from web.history import Entry
from web.sample_store import UNKNOWN_DRS


class TelemetrySchema(Schema):
    """The samples of a lap, column by column."""

    car: str
    lap: int
    start_ms: int
    end_ms: int
    t: list[int]
    x: list[int]
    y: list[int]
    speed: list[float]
    throttle: list[int | None]
    """Per cent."""
    brake: list[bool]
    gear: list[int]
    """As recorded; corrupt car data has other values than 0 to 8."""
    drs: list[int | None]
    """The feed's codes: 10, 12 and 14 are open."""


class TelemetryRoutes(Routes):
    """``telemetry?car=&lap=``."""

    @get(
        f"{SESSION_PATH}/telemetry",
        tag="session",
        summary="A car's samples of a lap",
        description="Only of a lap that was known at `at`. Columns are empty when there are no samples.",
        parameters=(
            Parameter("car", {"type": "string", "minLength": 1}, "Driver number.", "4", required=True),
            Parameter("lap", INTEGER, example=23, required=True),
        ),
        answer=TelemetrySchema,
        returns="The samples, column by column.",
    )
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
