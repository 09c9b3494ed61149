"""Stints as they were known at a time."""

from __future__ import annotations

from aiohttp import web

from web.api.operation import SESSION_PATH, OpenSchema, Routes, Schema, get
from web.api.requests import session_query
from web.api.responses import json_response


class StintSchema(OpenSchema):
    """A stint on one set of tyres."""

    compound: str
    first_lap: int
    laps: int
    """Laps completed on the set in this session."""
    tyre_life_before: int | None
    fresh: bool | None


class CarStintsSchema(Schema):
    """The stints of a car, the current one last."""

    stints: list[StintSchema]


class StintsSchema(Schema):
    """The stints of every car."""

    t: int
    """The time of the picture."""
    cars: dict[str, CarStintsSchema]
    """By driver number."""


class StintRoutes(Routes):
    """``stints``."""

    @get(
        f"{SESSION_PATH}/stints",
        tag="session",
        summary="Stints by car, the current one last",
        answer=StintsSchema,
        returns="The stints of every car in the picture at `t`.",
    )
    async def stints(self, request: web.Request) -> web.Response:
        """All stints by car, from the picture; the current one last."""
        picture = session_query(self._feed, request).picture()
        cars = {number: {"stints": car.get("stints") or []} for number, car in picture["cars"].items()}
        return json_response({"t": picture["t"], "cars": cars})
