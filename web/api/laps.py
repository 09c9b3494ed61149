"""Laps as they were known at a time."""

from __future__ import annotations

from typing import Literal

from aiohttp import web
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from web.api.operation import SESSION_PATH, Parameter, Routes, Schema, get
from web.api.requests import session_query
from web.api.responses import json_list


class LapSchema(Schema):
    """A lap in its last revision."""

    t: int
    """When this revision became known."""
    kind: Literal["lap"]
    car: str
    lap: int = Field(ge=1)
    ms: int | None
    """The lap time."""
    end: int
    start: int | None
    pos: int | None
    """The car's position at the end of the lap."""
    s: list[int | None] = Field(min_length=3, max_length=3)
    """The sector times."""
    tyre: str | None
    life: int | None
    """Laps on the set of tyres, including this one."""
    stint: int | None
    fresh: bool | None
    status: str | None
    """Every track status during the lap."""
    in_: Literal[True] | SkipJsonSchema[None] = Field(default=None, alias="in")
    """It ended in the pit lane."""
    out: Literal[True] | SkipJsonSchema[None] = None
    """It began in the pit lane."""
    deleted: Literal[True] | SkipJsonSchema[None] = None
    """The stewards deleted its time."""
    made: Literal[True] | SkipJsonSchema[None] = None
    """Estimated for a car that retired on it; its end is not an official time."""


class LapsSchema(Schema):
    """Laps by car and number."""

    laps: list[LapSchema]


class LapRoutes(Routes):
    """``laps?car=``."""

    @get(
        f"{SESSION_PATH}/laps",
        tag="session",
        summary="Laps, by car and number",
        description="Each lap in its last revision at that time. Cars are in the order of their numbers.",
        parameters=(Parameter("car", {"type": "string"}, "Only laps of this driver number.", "4"),),
        answer=LapsSchema,
        returns="The laps.",
    )
    async def laps(self, request: web.Request) -> web.Response:
        """The laps of all cars or of one, by car and number, each in its last revision at that time."""
        query = session_query(self._feed, request)
        known = query.tape.history.laps(query.at)
        only = request.query.get("car")
        cars = sorted(known, key=_by_number) if only is None else [query.car(only)]
        return json_list("laps", [lap for car in cars for _, lap in sorted(known.get(car, {}).items())])


def _by_number(car: str) -> tuple[int, str]:
    return len(car), car
