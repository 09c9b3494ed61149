"""Gaps over time, from the columns of the tape."""

from __future__ import annotations

import asyncio
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from aiohttp import web
from pydantic import Field

from models.frame import FRAME_MS
from web.api.operation import INTEGER, SESSION_PATH, Parameter, Routes, Schema, get
from web.api.requests import SessionQuery, integer_parameter, parse_head, session_query
from web.api.responses import bad_request, json_response
from web.gap_columns import GAPS, PLACES, UNKNOWN, GapColumns
from web.keyframe_group import KeyframeGroup

STEP_MS = 1_000
POINTS = 2_000
"""Points in one answer; a request for more is answered with 400."""
COLUMNS = GAPS + PLACES


class CarGapsSchema(Schema):
    """Columns of a car."""

    gap: list[int | None]
    interval: list[int | None]
    laps_down: list[int | None]
    position: list[int | None]


class GapsSchema(Schema):
    """Columns by car, each as long as `t`."""

    step_ms: int = Field(ge=FRAME_MS)
    t: list[int] = Field(max_length=POINTS)
    cars: dict[str, CarGapsSchema]
    """By driver number."""


class GapRoutes(Routes):
    """``gaps?from=&to=&step=``."""

    @get(
        f"{SESSION_PATH}/gaps",
        tag="session",
        summary="Gap, interval, laps down and position over time",
        description=f"From the pictures every `step` ms between `from` and `to`, at most {POINTS:,} of them: 400 for "
        "more. Times after `at` or outside the tape are left out.",
        parameters=(
            Parameter("from", INTEGER, "Session ms; the first picture by default. At most `to`."),
            Parameter("to", INTEGER, "Session ms; the last picture by default."),
            Parameter("step", INTEGER | {"minimum": FRAME_MS, "default": STEP_MS}, "Session ms between two points."),
        ),
        answer=GapsSchema,
        returns="Columns by car, each as long as `t`.",
    )
    async def gaps(self, request: web.Request) -> web.Response:
        """Gap, interval, laps down and position of every car, every ``step`` ms of session time."""
        query = session_query(self._feed, request)
        query.picture()
        times = _times(query, request)
        blocks = [
            Block(_names(query, group), group.columns, places, group.rows()[places], group.start)
            for group, places in query.tape.rows_at(times)
        ]
        return await asyncio.to_thread(_answer, times.step, blocks)


class Block(NamedTuple):
    """Rows of one keyframe group. ``names``: the cars in the order of the head; ``places``: indexes of the rows."""

    names: tuple[str, ...]
    columns: GapColumns
    places: list[int]
    rows: Any
    start: int


def _answer(step: int, blocks: list[Block]) -> web.Response:
    t: list[int] = []
    cars: dict[str, dict[str, list[int | None]]] = {}
    # The cars rarely change within a run: usually all groups are joined into one.
    for (names, _), same_cars in groupby(blocks, key=lambda block: (block.names, block.columns.cars)):
        joined = list(same_cars)
        rows = np.concatenate([block.rows for block in joined])
        for place, car in enumerate(names):
            columns = cars.setdefault(car, {name: [None] * len(t) for name in COLUMNS})
            for name in COLUMNS:
                columns[name] += _values(joined[0].columns.column(rows, name, car, place), len(rows))
        t += [(block.start + place) * FRAME_MS for block in joined for place in block.places]
        for car in cars.keys() - set(names):
            for name in COLUMNS:
                cars[car][name] += [None] * len(rows)
    return json_response({"step_ms": step, "t": t, "cars": cars})


def _times(query: SessionQuery, request: web.Request) -> range:
    span = query.tape.span()
    assert span is not None  # noqa: S101 - there is a picture
    unit = "milliseconds of session time"
    first, last, step = (integer_parameter(request, name, unit) for name in ("from", "to", "step"))
    step = STEP_MS if step is None else step
    if step < FRAME_MS:
        raise bad_request(f"step is at least {FRAME_MS} ms, the time between two pictures")
    if first is not None and last is not None and first > last:
        raise bad_request(f"from ({first} ms) lies after to ({last} ms)")
    first = span[0] if first is None else max(first, span[0])
    last = min(span[1] if last is None else last, span[1], query.until)
    times = range(first, last + 1, step)
    if len(times) > POINTS:
        raise bad_request(f"that makes {len(times)} points, an answer has at most {POINTS}: use a greater step")
    return times


def _names(query: SessionQuery, group: KeyframeGroup) -> tuple[str, ...]:
    head = parse_head(query.tape.head_of(group.start) or b"{}")
    return tuple(entry["driver_number"] for entry in head["cars"])


def _values(column: Any, length: int) -> list[int | None]:
    """A column as JSON values; nulls for a column that does not exist."""
    if column is None:
        return [None] * length
    values: list[int | None] = column.tolist()
    for place in np.flatnonzero(column == UNKNOWN).tolist():
        values[place] = None
    return values
