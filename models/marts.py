"""Topic ``marts``: the results and standings that the page shows, published once after each build of the marts.

A reader needs no warehouse: the newest record of each key is the current content of the marts.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from models.base import Record
from models.bounds import CarNumber, Code, Key, LapNumber, Name, Points, Position, SpanMs, UtcMs, Year

MOST_ROWS = 500
"""Rows of one result or of one table of standings; a record with more is refused."""
MOST_SESSIONS = 10
"""Sessions of one event; a record with more is refused."""
MOST_ROUNDS = 100
"""Rounds of one season; a record with more is refused."""


class ResultRow(Record):
    """One car in the result of a session, best first. Source: ``MARTS.PAGE_RESULTS``."""

    position: Position | None
    """None for a car that is not classified."""
    position_text: Code
    """The position, or a letter as in the official results: R retired, D disqualified, W withdrawn, …"""
    driver_number: CarNumber | None
    driver_code: Code | None
    driver_name: Name
    team_name: Name | None
    laps: LapNumber
    time_ms: SpanMs | None
    """Race time in ms since the lights went out; None for a car that is not on the winner's lap."""
    points: Points
    grid_position: Position | None
    """None or 0 for a start from the pit lane."""
    fastest_lap_ms: SpanMs | None
    status: Name
    source: Literal["stream", "jolpica"]
    """``stream``: computed from the session's laps; ``jolpica``: the official result."""


class SessionResult(Record):
    """The result of a race session in the warehouse. Key ``session:<session_key>``."""

    kind: Literal["session"] = "session"
    session_key: Key
    built_ms: UtcMs
    """Time of the build, Unix ms."""
    season: Year | None
    round: Position | None
    """None for a session outside the calendar, such as a simulated one."""
    rows: list[ResultRow] = Field(max_length=MOST_ROWS)


class StandingRow(Record):
    """A driver or a constructor in the standings. Source: ``MARTS.PAGE_STANDINGS``."""

    position: Position | None
    name: Name
    code: Code | None
    """A driver's three letters; None for a constructor."""
    team_name: Name | None
    """A driver's team at that round; None for a constructor."""
    points: Points
    wins: Position


class RoundResult(Record):
    """One car in the result of an event's race, best first. Source: ``MARTS.PAGE_RESULTS``."""

    position: Position | None
    """None for a car that is not classified."""
    position_text: Code
    driver_code: Code | None
    driver_name: Name
    team_name: Name | None
    points: Points
    status: Name


class ChampionshipRow(Record):
    """A driver or a constructor in the championship standings if the race ended in its current order."""

    position: Position
    position_before: Position | None
    """Position in the standings before the race; None for one that was not in them."""
    name: Name
    code: Code | None
    """A driver's three letters; None for a constructor."""
    team_name: Name | None
    """A driver's current team; None for a constructor."""
    points: Points
    points_before: Points
    gained: Points


class RoundSession(Record):
    """A session of an event in the calendar. Source: ``MARTS.FACT_EVENTS``."""

    name: Name
    """As the feed names it: ``Practice 1``, ``Sprint``, ``Race``, …"""
    starts_ms: UtcMs


class Round(Record):
    """An event of the season, with its race's result and the standings after it."""

    round: Position
    event_name: Name
    race_date: Code
    """ISO 8601 date (UTC)."""
    status: Literal["scheduled", "held", "cancelled"]
    drivers: list[StandingRow] = Field(max_length=MOST_ROWS)
    constructors: list[StandingRow] = Field(max_length=MOST_ROWS)
    results: list[RoundResult] = Field(default=[], max_length=MOST_ROWS)
    """Result of its race; empty before it is held, as are the standings."""
    sessions: list[RoundSession] = Field(default=[], max_length=MOST_SESSIONS)
    """Its sessions in order, as far as their times are known."""


class Season(Record):
    """A season: its rounds in order. Key ``season:<year>``."""

    kind: Literal["season"] = "season"
    season: Year
    built_ms: UtcMs
    """Time of the build, Unix ms."""
    rounds: list[Round] = Field(max_length=MOST_ROUNDS)


Marts = Annotated[SessionResult | Season, Field(discriminator="kind")]
