"""The resources of the Jolpica API: the path of each, its rows in an answer, and what identifies a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from f1stream.jolpica import models

Row = dict[str, Any]
"""A row as sent by the API."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of answer; ``RAW.JOLPICA_<NAME>`` holds its rows."""

    name: str
    model: type[BaseModel]
    rows: Callable[[dict[str, Any]], Iterator[Row]]
    """Extract the rows from an answer's ``MRData``. Raises KeyError, TypeError or AttributeError without them."""
    identity: Callable[[Row], str]
    """The row's entity within its season and round."""
    of_round: bool = True
    """Whether it is queried by round; else by season."""
    since: int = 1950
    """The first season with data."""
    session: str = "Race"
    """The session after which it is published."""
    pages: int = 1
    """The usual number of pages of an answer."""

    @property
    def table(self) -> str:
        """The qualified table name."""
        return f"RAW.JOLPICA_{self.name.upper()}"

    def path(self, season: int, round_: int | None) -> str:
        """The path below the API's base URL."""
        return f"{season}/{round_}/{self.name}" if self.of_round else f"{season}/{self.name}"


def _listed(table: str, rows: str) -> Callable[[dict[str, Any]], Iterator[Row]]:
    return lambda data: iter(data[table][rows])


def _of_race(rows: str) -> Callable[[dict[str, Any]], Iterator[Row]]:
    """Rows of a race, each with the race's name and date: rounds are renumbered, these stay."""

    def found(data: dict[str, Any]) -> Iterator[Row]:
        for race in data["RaceTable"]["Races"]:
            of = {"raceName": race["raceName"], "circuitId": race["Circuit"]["circuitId"], "date": race["date"]}
            for row in race[rows]:
                yield row | {"Race": of}

    return found


def _timings(data: dict[str, Any]) -> Iterator[Row]:
    for lap in _of_race("Laps")(data):
        for timing in lap["Timings"]:
            yield timing | {"lap": lap["number"], "Race": lap["Race"]}


def _standings(rows: str) -> Callable[[dict[str, Any]], Iterator[Row]]:
    return lambda data: (row for table in data["StandingsTable"]["StandingsLists"] for row in table[rows])


def _race(row: Row) -> str:
    return f"{row['Circuit']['circuitId']}:{row['raceName']}"


def _driver(row: Row) -> str:
    return str(row["Driver"]["driverId"])


RACES = Resource("races", models.JolpicaRace, _listed("RaceTable", "Races"), _race, of_round=False)
ALL = (
    RACES,
    Resource("circuits", models.JolpicaCircuit, _listed("CircuitTable", "Circuits"),
             lambda row: str(row["circuitId"]), of_round=False),
    Resource("drivers", models.JolpicaDriver, _listed("DriverTable", "Drivers"), lambda row: str(row["driverId"]),
             of_round=False),
    Resource("constructors", models.Constructor, _listed("ConstructorTable", "Constructors"),
             lambda row: str(row["constructorId"]), of_round=False),
    Resource("status", models.Status, _listed("StatusTable", "Status"), lambda row: str(row["statusId"]),
             of_round=False),
    Resource("qualifying", models.QualifyingResult, _of_race("QualifyingResults"), _driver, since=1994,
             session="Qualifying"),
    Resource("sprint", models.Result, _of_race("SprintResults"), _driver, since=2021, session="Sprint"),
    Resource("results", models.Result, _of_race("Results"), _driver),
    Resource("driverstandings", models.DriverStanding, _standings("DriverStandings"), _driver),
    Resource("constructorstandings", models.ConstructorStanding, _standings("ConstructorStandings"),
             lambda row: str(row["Constructor"]["constructorId"]), since=1958),
    Resource("pitstops", models.PitStop, _of_race("PitStops"), lambda row: f"{row['driverId']}:{row['stop']}",
             since=2011),
    Resource("laps", models.LapTiming, _timings, lambda row: f"{row['driverId']}:{row['lap']}", since=1996, pages=12),
)  # fmt: skip
"""In the order of the queries; laps, which have the most pages, come last."""
BY_NAME = {resource.name: resource for resource in ALL}


@dataclass(frozen=True, slots=True, order=True)
class Query:
    """A query: one answer of the API, of one or more pages."""

    season: int
    round: int | None
    """None for a resource of the season."""
    name: str

    @property
    def resource(self) -> Resource:
        """The resource."""
        return BY_NAME[self.name]

    @property
    def path(self) -> str:
        """The path below the API's base URL."""
        return self.resource.path(self.season, self.round)

    def __str__(self) -> str:
        return self.path
