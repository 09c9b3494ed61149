"""Topic ``marts``: what the page shows of the marts, published once after each build.

A reader needs no warehouse: the newest record of a key is what the marts say.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from models.base import Record
from models.bounds import CarNumber, Code, Key, LapNumber, Name, Points, Position, SpanMs, UtcMs, Year

MOST_ROWS = 500
"""Of a result, or of the standings."""
MOST_ROUNDS = 100
"""Of a season."""


class ResultRow(Record):
    """One car of a classification, best first. Source: ``MARTS.FACT_RACE_RESULTS``."""

    position: Position | None
    """None for a car that is not classified."""
    position_text: Code
    """The position, or R, D, W, … as the official results have it."""
    driver_number: CarNumber | None
    driver_code: Code | None
    driver_name: Name
    team_name: Name | None
    laps: LapNumber
    time_ms: SpanMs | None
    """From the lights; None for a car that is not on the winner's lap."""
    points: Points
    grid_position: Position | None
    """None or 0 from the pit lane."""
    fastest_lap_ms: SpanMs | None
    status: Name
    source: Literal["stream", "jolpica"]
    """Built from the session's own laps, or official."""


class SessionResult(Record):
    """The result of a session that is in the warehouse. Key ``session:<session_key>``."""

    kind: Literal["session"] = "session"
    session_key: Key
    built_ms: UtcMs
    """Unix ms."""
    season: Year | None
    round: Position | None
    """None for a session that is no event of the calendar, as a simulated one."""
    rows: list[ResultRow] = Field(max_length=MOST_ROWS)


class StandingRow(Record):
    """A driver or a team in the standings. Source: ``MARTS.FACT_DRIVER_STANDINGS``, ``_CONSTRUCTOR_STANDINGS``."""

    position: Position | None
    name: Name
    code: Code | None
    """Three letters, of a driver."""
    team_name: Name | None
    """Of a driver, after that round."""
    points: Points
    wins: Position


class RoundResult(Record):
    """One car in the result of an event's race, best first. Source: ``MARTS.FACT_RACE_RESULTS``."""

    position: Position | None
    """None for a car that is not classified."""
    position_text: Code
    driver_code: Code | None
    driver_name: Name
    team_name: Name | None
    points: Points
    status: Name


class ChampionshipRow(Record):
    """A driver or a team in the championship if the race ended as it stands."""

    position: Position
    position_before: Position | None
    """In the standings before the race; None for one that was in none."""
    name: Name
    code: Code | None
    """Three letters, of a driver."""
    team_name: Name | None
    """Of a driver: the present one."""
    points: Points
    points_before: Points
    gained: Points


class Round(Record):
    """An event of the season, with the standings after it where it has been held."""

    round: Position
    event_name: Name
    race_date: Code
    """ISO 8601."""
    status: Literal["scheduled", "held", "cancelled"]
    drivers: list[StandingRow] = Field(max_length=MOST_ROWS)
    constructors: list[StandingRow] = Field(max_length=MOST_ROWS)
    results: list[RoundResult] = Field(default=[], max_length=MOST_ROWS)
    """Of its race; empty where it has not been held."""


class Season(Record):
    """A season by rounds. Key ``season:<year>``."""

    kind: Literal["season"] = "season"
    season: Year
    built_ms: UtcMs
    """Unix ms."""
    rounds: list[Round] = Field(max_length=MOST_ROUNDS)


Marts = Annotated[SessionResult | Season, Field(discriminator="kind")]
