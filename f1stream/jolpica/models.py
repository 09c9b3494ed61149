"""The fields of the Jolpica API's answers that f1stream uses. Every value is a string; other fields are kept.

The warehouse stores a row as sent, without the values that these models reject, because the marts could not be built
from them. Fields that identify a row are required, all others may be missing.
Source: the API's documentation and recorded answers from 1979 to 2026.
"""

from __future__ import annotations

from datetime import date as Date  # noqa: N812 - a field has that name
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Degrees = Annotated[str, Field(pattern=r"^-?[0-9]{1,3}(\.[0-9]{1,15})?$")]
"""Latitude or longitude as text."""
Whole = Annotated[str, Field(pattern=r"^[0-9]{1,18}$")]
"""A count, position or number of ms as text."""
Points = Annotated[str, Field(pattern=r"^[0-9]{1,4}(\.[0-9]{1,4})?$")]
"""Half points are given for shortened races: ``12.5``."""
Identifier = Annotated[str, Field(min_length=1)]
_TIME = r"^([0-9]{1,3}:)?[0-9]?[0-9]:[0-9][0-9]\.[0-9]{1,9}$|^[0-9]{1,5}\.[0-9]{1,9}$"
LapTime = Annotated[str, Field(pattern=_TIME)]
"""``1:23.456``, ``1:02:03.456`` or ``23.456``."""
QualifyingTime = Annotated[str, Field(pattern=f"^$|{_TIME}")]
"""As LapTime; empty for a car without a time."""
ClockTime = Annotated[
    str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?(Z|[+-][0-9][0-9]:[0-9][0-9])?$")
]
"""``13:00:00Z``; pit stops have local time without a zone."""


class _Row(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class JolpicaPlace(_Row):
    """The location of a circuit."""

    locality: str
    country: str
    lat: Degrees | None = None
    long: Degrees | None = None


class JolpicaCircuit(_Row):
    """A row of ``circuits``."""

    circuit_id: Annotated[Identifier, Field(alias="circuitId")]
    circuit_name: Annotated[str, Field(alias="circuitName")]
    place: Annotated[JolpicaPlace, Field(alias="Location")]


class JolpicaDriver(_Row):
    """A row of ``drivers``. ``permanentNumber`` is the present one, not the season's; a result has the race's."""

    driver_id: Annotated[Identifier, Field(alias="driverId")]
    given_name: Annotated[str, Field(alias="givenName")]
    family_name: Annotated[str, Field(alias="familyName")]
    code: str | None = None
    permanent_number: Annotated[Whole | None, Field(alias="permanentNumber")] = None
    date_of_birth: Annotated[Date | None, Field(alias="dateOfBirth")] = None
    nationality: str | None = None


class Constructor(_Row):
    """A row of ``constructors``."""

    constructor_id: Annotated[Identifier, Field(alias="constructorId")]
    name: str
    nationality: str | None = None


class SessionStart(_Row):
    """The start of a session (UTC); older seasons have no times."""

    date: Date
    time: ClockTime | None = None


class JolpicaRace(_Row):
    """A row of ``races``: an event. Sessions that it does not have are missing."""

    season: Whole
    round: Whole
    name: Annotated[Identifier, Field(alias="raceName")]
    circuit: Annotated[JolpicaCircuit, Field(alias="Circuit")]
    date: Date
    time: ClockTime | None = None
    first_practice: Annotated[SessionStart | None, Field(alias="FirstPractice")] = None
    second_practice: Annotated[SessionStart | None, Field(alias="SecondPractice")] = None
    third_practice: Annotated[SessionStart | None, Field(alias="ThirdPractice")] = None
    qualifying: Annotated[SessionStart | None, Field(alias="Qualifying")] = None
    sprint: Annotated[SessionStart | None, Field(alias="Sprint")] = None
    sprint_qualifying: Annotated[SessionStart | None, Field(alias="SprintQualifying")] = None
    sprint_shootout: Annotated[SessionStart | None, Field(alias="SprintShootout")] = None


class RaceTime(_Row):
    """The winner's time, or the gap of another car. The text of a lapped car is its gap modulo whole laps."""

    millis: Whole | None = None
    time: str | None = None


class FastestTime(_Row):
    """The time of a fastest lap."""

    time: LapTime | None = None


class JolpicaFastestLap(_Row):
    """A car's best lap of the race."""

    rank: Whole | None = None
    lap: Whole | None = None
    time: Annotated[FastestTime | None, Field(alias="Time")] = None


class Result(_Row):
    """A row of ``results`` and ``sprint``; retirements show in ``positionText`` and ``status`` only."""

    number: str | None = None
    position: Whole | None
    position_text: Annotated[str | None, Field(alias="positionText")]
    points: Points | None
    grid: Whole | None = None
    laps: Whole | None
    status: str | None
    driver: Annotated[JolpicaDriver, Field(alias="Driver")]
    constructor: Annotated[Constructor | None, Field(alias="Constructor")] = None
    time: Annotated[RaceTime | None, Field(alias="Time")] = None
    fastest_lap: Annotated[JolpicaFastestLap | None, Field(alias="FastestLap")] = None


class QualifyingResult(_Row):
    """A row of ``qualifying``."""

    number: str | None = None
    position: Whole | None
    driver: Annotated[JolpicaDriver, Field(alias="Driver")]
    constructor: Annotated[Constructor | None, Field(alias="Constructor")] = None
    q1: Annotated[QualifyingTime | None, Field(alias="Q1")] = None
    q2: Annotated[QualifyingTime | None, Field(alias="Q2")] = None
    q3: Annotated[QualifyingTime | None, Field(alias="Q3")] = None


class LapTiming(_Row):
    """A row of ``laps``: one lap of one car."""

    lap: Whole
    driver_id: Annotated[Identifier, Field(alias="driverId")]
    position: Whole | None = None
    time: LapTime | None = None


class PitStop(_Row):
    """A row of ``pitstops``: ``duration`` is the time in the pit lane, in seconds or ``m:ss.fff``."""

    driver_id: Annotated[Identifier, Field(alias="driverId")]
    lap: Whole | None
    stop: Whole
    time: str | None = None
    duration: LapTime | None = None


class DriverStanding(_Row):
    """A row of ``driverstandings``: a driver with all teams that they scored or drove for in the season."""

    position: Whole | None = None
    points: Points | None
    wins: Whole | None
    driver: Annotated[JolpicaDriver, Field(alias="Driver")]
    constructors: Annotated[list[Constructor], Field(alias="Constructors")]


class ConstructorStanding(_Row):
    """A row of ``constructorstandings``."""

    position: Whole | None = None
    points: Points | None
    wins: Whole | None
    constructor: Annotated[Constructor, Field(alias="Constructor")]


class Status(_Row):
    """A row of ``status``: the number of cars of the season with this finishing status."""

    status_id: Annotated[Identifier, Field(alias="statusId")]
    status: str
    count: Whole | None


class Page(BaseModel):
    """The frame around the rows of every answer."""

    model_config = ConfigDict(extra="allow", frozen=True)
    limit: Annotated[int, Field(ge=1)]
    offset: Annotated[int, Field(ge=0)]
    total: Annotated[int, Field(ge=0)]
    """Number of rows, not of races."""
