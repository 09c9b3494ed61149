"""Topic ``marts``: what the page shows of the marts, published once after each build.

A reader needs no warehouse: the newest record of a key is what the marts say.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from models.base import Record


class ResultRow(Record):
    """One car of a classification, best first. Source: ``MARTS.FACT_RACE_RESULTS``."""

    position: int | None
    """None for a car that is not classified."""
    position_text: str
    """The position, or R, D, W, … as the official results have it."""
    driver_number: str | None
    driver_code: str | None
    driver_name: str
    team_name: str | None
    laps: int
    time_ms: int | None
    """From the lights; None for a car that is not on the winner's lap."""
    points: float
    grid_position: int | None
    """None or 0 from the pit lane."""
    fastest_lap_ms: int | None
    status: str
    source: Literal["stream", "jolpica"]
    """Built from the session's own laps, or official."""


class SessionResult(Record):
    """The result of a session that is in the warehouse. Key ``session:<session_key>``."""

    kind: Literal["session"] = "session"
    session_key: str
    built_ms: int
    """Unix ms."""
    season: int | None
    round: int | None
    """None for a session that is no event of the calendar, as a simulated one."""
    rows: list[ResultRow]


class StandingRow(Record):
    """A driver or a team in the standings. Source: ``MARTS.FACT_DRIVER_STANDINGS``, ``_CONSTRUCTOR_STANDINGS``."""

    position: int | None
    name: str
    code: str | None
    """Three letters, of a driver."""
    team_name: str | None
    """Of a driver, after that round."""
    points: float
    wins: int


class RoundResult(Record):
    """One car in the result of an event's race, best first. Source: ``MARTS.FACT_RACE_RESULTS``."""

    position: int | None
    """None for a car that is not classified."""
    position_text: str
    driver_code: str | None
    driver_name: str
    team_name: str | None
    points: float
    status: str


class ChampionshipRow(Record):
    """A driver or a team in the championship if the race ended as it stands."""

    position: int
    position_before: int | None
    """In the standings before the race; None for one that was in none."""
    name: str
    code: str | None
    """Three letters, of a driver."""
    team_name: str | None
    """Of a driver: the present one."""
    points: float
    points_before: float
    gained: float


class Round(Record):
    """An event of the season, with the standings after it where it has been held."""

    round: int
    event_name: str
    race_date: str
    """ISO 8601."""
    status: Literal["scheduled", "held", "cancelled"]
    drivers: list[StandingRow]
    constructors: list[StandingRow]
    results: list[RoundResult] = Field(default=[])
    """Of its race; empty where it has not been held."""


class Season(Record):
    """A season by rounds. Key ``season:<year>``."""

    kind: Literal["season"] = "season"
    season: int
    built_ms: int
    """Unix ms."""
    rounds: list[Round]


Marts = Annotated[SessionResult | Season, Field(discriminator="kind")]
