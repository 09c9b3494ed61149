"""Gaps over time, from the tape's columns."""

from __future__ import annotations

import asyncio
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from aiohttp import web

from models.frame import FRAME_MS
from web.api.requests import SessionQuery, integer_parameter, parse_header, session_query
from web.api.responses import bad_request, json_response
from web.feed import Feed
from web.gap_columns import GAPS, PLACES, UNKNOWN, GapColumns
from web.tape import KeyframeGroup

STEP_MS = 1_000
POINTS = 2_000
"""In one answer."""
COLUMNS = GAPS + PLACES


class GapRoutes:
    """``gaps?from=&to=&step=``."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def routes(self) -> list[web.RouteDef]:
        """Where."""
        return [web.get("/api/sessions/{key}/gaps", self.gaps)]

    async def gaps(self, request: web.Request) -> web.Response:
        """Gap, interval, laps down and position of every car, every ``step`` ms of session time."""
        query = session_query(self._feed, request)
        query.picture()
        times = _times(query, request)
        shown = [
            Block(_names(query, group), group.columns, places, group.rows()[places], group.start)
            for group, places in query.tape.shown(times)
        ]
        return await asyncio.to_thread(_answer, times.step, shown)


class Block(NamedTuple):
    """Of one group the rows that are shown. ``names``: the cars as the head has them."""

    names: tuple[str, ...]
    columns: GapColumns
    places: list[int]
    rows: Any
    start: int


def _answer(step: int, shown: list[Block]) -> web.Response:
    t: list[int] = []
    cars: dict[str, dict[str, list[int | None]]] = {}
    # Within a run the cars stay the same: all keyframe groups are one block.
    for (names, _), found in groupby(shown, key=lambda block: (block.names, block.columns.cars)):
        blocks = list(found)
        rows = np.concatenate([block.rows for block in blocks])
        for place, car in enumerate(names):
            told = cars.setdefault(car, {name: [None] * len(t) for name in COLUMNS})
            for name in COLUMNS:
                told[name] += _listed(blocks[0].columns.column(rows, name, car, place), len(rows))
        t += [(block.start + place) * FRAME_MS for block in blocks for place in block.places]
        for car in cars.keys() - set(names):
            for name in COLUMNS:
                cars[car][name] += [None] * len(rows)
    return json_response({"step_ms": step, "t": t, "cars": cars})


def _times(query: SessionQuery, request: web.Request) -> range:
    span = query.tape.range()
    assert span is not None  # noqa: S101 - there is a picture
    of = "milliseconds of session time"
    first, last, step = (integer_parameter(request, name, of) for name in ("from", "to", "step"))
    step = STEP_MS if step is None else step
    if step < FRAME_MS:
        raise bad_request(f"step is at least {FRAME_MS} ms: there are no more pictures")
    if first is not None and last is not None and first > last:
        raise bad_request(f"from ({first} ms) lies after to ({last} ms)")
    first = span[0] if first is None else max(first, span[0])
    last = min(span[1] if last is None else last, span[1], query.until)
    times = range(first, last + 1, step)
    if len(times) > POINTS:
        raise bad_request(f"that makes {len(times)} points, and an answer has at most {POINTS}: take a greater step")
    return times


def _names(query: SessionQuery, group: KeyframeGroup) -> tuple[str, ...]:
    head = parse_header(query.tape.head_of(group.start) or b"{}")
    return tuple(entry["driver_number"] for entry in head["cars"])


def _listed(column: Any, length: int) -> list[int | None]:
    """A column as JSON has it; ``None`` for one that there is not."""
    if column is None:
        return [None] * length
    listed: list[int | None] = column.tolist()
    for place in np.flatnonzero(column == UNKNOWN).tolist():
        listed[place] = None
    return listed
