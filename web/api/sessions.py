"""The list of sessions, and the picture of a session at a time."""

from __future__ import annotations

from typing import Annotated, Literal

import orjson
from aiohttp import web
from pydantic import Field

from models.frame import FRAME_MS, CarStatus
from web.api.operation import SESSION_PATH, OpenSchema, Routes, Schema, get
from web.api.requests import parse_head, session_query
from web.api.responses import API_PREFIX, json_response, model_response
from web.feed import now_ms
from web.tape import Tape


class SessionSummarySchema(Schema):
    """A session that has a tape."""

    session_key: str
    epoch: int
    """The run: Unix ms at which its source started."""
    name: str | None = Field(examples=["Race"])
    meeting: str | None = Field(examples=["Australian Grand Prix"])
    simulated: bool
    source: str | None
    from_ms: int | None
    """Session time of the first picture."""
    to_ms: int | None
    """Session time of the newest picture."""
    ended: bool
    damaged: str | None
    """Why no further picture follows although the session has not ended. Publish the session again."""
    age_ms: int | None
    """Time since the newest picture arrived at this server."""


class SessionsSchema(Schema):
    """Sessions, the newest run first."""

    sessions: list[SessionSummarySchema]


class HeadInfoSchema(OpenSchema):
    """The session."""

    name: str
    type: str
    meeting: str
    circuit: str
    total_laps: int | None = None
    t0_utc_ms: int
    """Unix ms of session time 0."""
    start_ms: int
    simulated: bool = False
    path: str | None = None


class HeadCarSchema(OpenSchema):
    """A car of the entry list."""

    driver_number: str
    tla: str
    name: str
    team: str
    team_color: str
    grid_position: int | None
    pit_lane_start: bool = False


class HeadSchema(OpenSchema):
    """The session, its cars in the order of the frame's columns, its track."""

    kind: Literal["head"]
    session_key: str
    epoch: int
    t: int
    """The head holds from the picture at this session time on."""
    info: HeadInfoSchema
    cars: list[HeadCarSchema]
    outline: list[Annotated[list[int], Field(min_length=2, max_length=2)]] | None
    """X, Y of the reference line, from the finish line on."""


class CarStateSchema(OpenSchema):
    """The state of a car; ``models.frame.CarState`` has all fields."""

    position: int = 0
    status: CarStatus = "grid"
    lap: int = 0
    """Laps completed."""
    laps_down: int = 0
    last_lap_ms: int | None = None
    best_lap_ms: int | None = None
    compound: str | None = None
    tyre_age: int | None = None


class RaceStateSchema(OpenSchema):
    """The state of the session; ``models.frame.RaceState`` has all fields."""

    status: str = ""
    lap: int = 0
    ended: bool = False


class FrameSchema(OpenSchema):
    """A whole picture. Columns are in the order of the head's cars."""

    kind: Literal["key"]
    t: int
    key_t: int
    x: list[int | None]
    y: list[int | None]
    speed: list[int | None]
    age: list[int | None]
    gap: list[int | None]
    interval: list[int | None]
    drs: list[int | None] = Field(default=[])
    cars: dict[str, CarStateSchema]
    """By driver number."""
    race: RaceStateSchema


class StateSchema(Schema):
    """A picture with its head."""

    head: HeadSchema
    frame: FrameSchema


class SessionRoutes(Routes):
    """``/api/sessions`` and ``state``."""

    @get(
        f"{API_PREFIX}sessions",
        tag="session",
        summary="Every session that can be shown, the newest run first",
        answer=SessionsSchema,
        returns="The sessions.",
    )
    async def sessions(self, _: web.Request) -> web.Response:
        """Every session with a tape, the newest run first."""
        tapes = sorted(self._feed.tapes, key=lambda tape: tape.run_id, reverse=True)
        return model_response(SessionsSchema(sessions=[_summary(tape) for tape in tapes]))

    @get(
        f"{SESSION_PATH}/state",
        tag="session",
        summary="The whole picture",
        description="The latest picture at or before `at`, with the head that held then. 404 before the first one.",
        answer=StateSchema,
        returns="Head and picture.",
    )
    async def state(self, request: web.Request) -> web.Response:
        """The head and the whole picture."""
        query = session_query(self._feed, request)
        picture = query.picture()
        head = query.tape.head_of(picture["t"] // FRAME_MS)
        return json_response({"head": orjson.Fragment(head or b"null"), "frame": picture})


def _summary(tape: Tape) -> SessionSummarySchema:
    info = parse_head(tape.head or b"{}").get("info", {})
    span = tape.span()
    return SessionSummarySchema(
        session_key=tape.session_key,
        epoch=tape.run_id,
        name=info.get("name"),
        meeting=info.get("meeting"),
        simulated=info.get("simulated", False),
        source=info.get("source"),
        from_ms=span[0] if span else None,
        to_ms=span[1] if span else None,
        ended=tape.ended,
        damaged=tape.damaged,
        age_ms=max(0, now_ms() - tape.arrived_ms) if tape.arrived_ms else None,
    )
