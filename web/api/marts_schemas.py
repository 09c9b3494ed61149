"""Models of the answers that come from the marts; ``models.marts`` has the records behind them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from web.api.operation import Schema

RoundStatus = Literal["scheduled", "held", "cancelled"]


class ResultRowSchema(Schema):
    """A car in a result."""

    position: int | None
    position_text: str
    driver_number: str | None
    driver_code: str | None
    driver_name: str
    team_name: str | None
    laps: int
    time_ms: int | None
    points: float
    grid_position: int | None
    fastest_lap_ms: int | None
    status: str
    source: Literal["stream", "jolpica"]


class ResultSchema(Schema):
    """The result of a session."""

    kind: Literal["session"]
    session_key: str
    built_ms: int
    """Unix ms."""
    season: int | None
    round: int | None
    rows: list[ResultRowSchema]


class StandingSchema(Schema):
    """A driver or constructor in the standings."""

    position: int | None
    name: str
    code: str | None
    team_name: str | None
    points: float
    wins: int


class StandingsSchema(Schema):
    """Both championships."""

    drivers: list[StandingSchema]
    constructors: list[StandingSchema]


class FinisherSchema(Schema):
    """A car in the result of a race."""

    position: int | None
    position_text: str
    driver_code: str | None
    driver_name: str
    team_name: str | None
    points: float
    status: str


class RoundAroundSchema(Schema):
    """A round as it may be known at the time."""

    round: int
    event_name: str
    race_date: date
    status: RoundStatus
    """Always `scheduled` for the session's own event before its flag and for later ones."""
    winner: FinisherSchema | SkipJsonSchema[None] = None
    podium: Annotated[list[FinisherSchema], Field(max_length=3)] | SkipJsonSchema[None] = None


class SeasonAroundSchema(Schema):
    """The season around a session."""

    season: int
    round: int | None
    """The session's own; null after the last race."""
    label: str
    """Which round the standings are from."""
    note: str
    """Why there are no standings."""
    standings: StandingsSchema | None
    rounds: list[RoundAroundSchema]


class ProjectedStandingSchema(Schema):
    """A driver or constructor in the championship if the race ended in its current order."""

    position: int
    position_before: int | None
    """Null for one that was in no standings."""
    name: str
    code: str | None
    team_name: str | None
    points: float
    points_before: float
    gained: float


class ChampionshipSchema(Schema):
    """The championships if the race ended in its current order."""

    season: int
    t: int
    """Session time of the order, ms."""
    label: str
    """Which round the standings before are from."""
    drivers: list[ProjectedStandingSchema]
    constructors: list[ProjectedStandingSchema]


class SeasonSummarySchema(Schema):
    """A season that the marts have."""

    season: int
    built_ms: int
    """Unix ms."""


class SeasonsSchema(Schema):
    """Seasons, the newest first."""

    seasons: list[SeasonSummarySchema]


class RoundSessionSchema(Schema):
    """A session of an event."""

    name: str = Field(examples=["Practice 1"])
    starts_ms: int
    """Unix ms."""


class CalendarEventSchema(Schema):
    """An event of the calendar."""

    round: int
    event_name: str
    race_date: date
    cancelled: bool
    sessions: list[RoundSessionSchema]
    """In order, as far as their times are known."""


class CalendarSchema(Schema):
    """The events of a season."""

    season: int | None
    """Null when the marts have none."""
    events: list[CalendarEventSchema]


class RoundSchema(Schema):
    """A round with the standings after it and the result of its race."""

    round: int
    event_name: str
    race_date: date
    status: RoundStatus
    drivers: list[StandingSchema]
    constructors: list[StandingSchema]
    results: list[FinisherSchema]
    sessions: list[RoundSessionSchema]


class SeasonSchema(Schema):
    """A season by rounds."""

    kind: Literal["season"]
    season: int
    built_ms: int
    """Unix ms."""
    rounds: list[RoundSchema]
