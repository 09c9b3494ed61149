"""Messages of a session: race control, weather, team radio."""

from __future__ import annotations

from typing import Literal

from aiohttp import web
from pydantic.json_schema import SkipJsonSchema

from web.api.operation import SESSION_PATH, Routes, Schema, get
from web.api.requests import session_query
from web.api.responses import json_list

RECORDINGS = "https://livetiming.formula1.com/static/"
"""Where Formula 1 publishes recordings, below ``SessionInfo.path``."""
BY_TIME = "In the order in which they became known."


class RaceControlMessageSchema(Schema):
    """A message of race control. Absent fields were not sent."""

    t: int
    """When it became known."""
    kind: Literal["race_control"]
    session_time_ms: int
    """When it was sent."""
    category: str
    message: str
    status: str | SkipJsonSchema[None] = None
    flag: str | SkipJsonSchema[None] = None
    scope: str | SkipJsonSchema[None] = None
    sector: int | SkipJsonSchema[None] = None
    driver_number: str | SkipJsonSchema[None] = None
    lap: int | SkipJsonSchema[None] = None


class RaceControlSchema(Schema):
    """Race control's messages."""

    race_control: list[RaceControlMessageSchema]


class WeatherReadingSchema(Schema):
    """The weather at a time."""

    t: int
    kind: Literal["weather"]
    session_time_ms: int
    air_temp: float
    """Degrees Celsius."""
    track_temp: float
    humidity: float
    """Per cent."""
    pressure: float
    """hPa."""
    rainfall: bool
    wind_direction: float
    """Degrees."""
    wind_speed: float
    """m/s."""


class WeatherSchema(Schema):
    """The weather over time."""

    weather: list[WeatherReadingSchema]


class RadioMessageSchema(Schema):
    """A recording of the team radio."""

    t: int
    kind: Literal["team_radio"]
    session_time_ms: int
    driver_number: str
    path: str


class RadioSchema(Schema):
    """Recordings of the team radio."""

    base: str | None
    """The address below which Formula 1 publishes the recordings."""
    radio: list[RadioMessageSchema]


class MessageRoutes(Routes):
    """``race-control``, ``weather`` and ``radio``: entries in the order of ``t``."""

    @get(
        f"{SESSION_PATH}/race-control",
        tag="session",
        summary="The messages of race control",
        operation_id="raceControl",
        answer=RaceControlSchema,
        returns=BY_TIME,
    )
    async def race_control(self, request: web.Request) -> web.Response:
        """Race control's messages."""
        query = session_query(self._feed, request)
        return json_list("race_control", query.tape.history.messages("race_control", query.at))

    @get(
        f"{SESSION_PATH}/weather",
        tag="session",
        summary="The weather, about once a minute",
        answer=WeatherSchema,
        returns=BY_TIME,
    )
    async def weather(self, request: web.Request) -> web.Response:
        """The weather, about once a minute."""
        query = session_query(self._feed, request)
        return json_list("weather", query.tape.history.messages("weather", query.at))

    @get(
        f"{SESSION_PATH}/radio",
        tag="session",
        summary="Recorded messages between drivers and teams",
        answer=RadioSchema,
        returns=BY_TIME,
    )
    async def radio(self, request: web.Request) -> web.Response:
        """Recordings of the team radio; each ``path`` is below ``base``, which is null when it is not known."""
        query = session_query(self._feed, request)
        path = query.head["info"].get("path")
        entries = query.tape.history.messages("team_radio", query.at)
        return json_list("radio", entries, base=RECORDINGS + path if path else None)
