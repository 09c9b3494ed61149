"""An invalid value of an answer is null and listed; the rest of the answer is used."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyrate_limiter import Duration, Rate

from f1stream.jolpica.client import BadAnswer, JolpicaClient, open_jolpica
from f1stream.jolpica.rate_limit import PER_SECOND, rate_limits
from f1stream.jolpica.repair import repaired
from f1stream.jolpica.resources import BY_NAME, Query
from f1stream.jolpica.sync import SyncReport
from f1stream.settings import Settings
from tests.support.jolpica_server import JolpicaServer, captured, laps_answer

ALBON = {"driverId": "albon", "givenName": "Alexander", "familyName": "Albon"}
WILLIAMS = {"constructorId": "williams", "name": "Williams"}
RESULT = {
    "number": "23", "position": "5", "positionText": "5", "points": "10", "grid": "6", "laps": "57",
    "status": "Finished", "Driver": ALBON, "Constructor": WILLIAMS, "Time": {"millis": "5400000", "time": "+12.773"},
    "FastestLap": {"rank": "7", "lap": "43", "Time": {"time": "1:24.597"}},
}  # fmt: skip
STANDING = {"position": "5", "points": "10", "wins": "0", "Driver": ALBON, "Constructors": [WILLIAMS]}
LAP = {"driverId": "albon", "lap": "17", "position": "5", "time": "1:24.597"}
STOP = {"driverId": "albon", "stop": "1", "lap": "17", "time": "15:30:01", "duration": "23.456"}
RACE = {
    "season": "2025", "round": "1", "raceName": "Australian Grand Prix", "date": "2025-03-16",
    "Circuit": {"circuitId": "albert_park", "circuitName": "Albert Park",
                "Location": {"locality": "Melbourne", "country": "Australia", "lat": "-37.8497", "long": "144.968"}},
    "FirstPractice": {"date": "2025-03-14", "time": "01:30:00Z"},
}  # fmt: skip


def without(row: dict[str, Any], *path: str) -> dict[str, Any]:
    row = copy.deepcopy(row)
    holder = row
    for name in path[:-1]:
        holder = holder[name]
    del holder[path[-1]]
    return row


def with_value(row: dict[str, Any], value: object, *path: str) -> dict[str, Any]:
    row = copy.deepcopy(row)
    holder = row
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = value
    return row


@pytest.mark.parametrize(
    ("resource", "row", "path", "value"),
    [
        ("driverstandings", STANDING, ("position",), "-"), ("driverstandings", STANDING, ("points",), ""),
        ("results", RESULT, ("points",), "-5"), ("results", RESULT, ("points",), "ten"),
        ("results", RESULT, ("points",), 10), ("results", RESULT, ("position",), "\\N"),
        ("results", RESULT, ("Time", "millis"), "-1"), ("results", RESULT, ("FastestLap", "Time", "time"), ""),
        ("laps", LAP, ("time",), ""), ("laps", LAP, ("time",), "-1:24.597"), ("laps", LAP, ("time",), "0"),
        ("pitstops", STOP, ("duration",), ""), ("pitstops", STOP, ("duration",), "-23.456"),
        ("races", RACE, ("FirstPractice", "time"), "TBC"),
        ("races", RACE, ("Circuit", "Location", "lat"), "south"),
    ],
)  # fmt: skip
def test_a_bad_value_is_null_and_listed(
    resource: str, row: dict[str, Any], path: tuple[str, ...], value: Any
) -> None:
    bad = with_value(row, value, *path)
    kept, flaws = repaired(BY_NAME[resource].model, bad, "albon")
    assert kept == without(row, *path)
    (flaw,) = flaws
    assert (flaw.row, flaw.field, flaw.value) == ("albon", ".".join(path), repr(value))
    assert not flaw.row_left_out
    assert bad == with_value(row, value, *path), "the row that was sent is not changed"


@pytest.mark.parametrize("points", ["12.5", "0.5", "12.50", "0"])
def test_half_points_are_no_bad_value(points: str) -> None:
    for name, row in (("results", RESULT), ("driverstandings", STANDING)):
        assert repaired(BY_NAME[name].model, row | {"points": points}, "albon") == (row | {"points": points}, [])


@pytest.mark.parametrize("duration", ["23.456", "1:02.345", "50:37.323", "1:02:03.456"])
def test_a_long_stop_is_no_bad_value(duration: str) -> None:
    row = STOP | {"duration": duration}
    assert repaired(BY_NAME["pitstops"].model, row, "albon") == (row, [])


def test_several_bad_values_of_a_row_are_each_listed() -> None:
    bad = RESULT | {"points": "-", "laps": "", "Time": {"millis": "x", "time": "+1.0"}}
    kept, flaws = repaired(BY_NAME["results"].model, bad, "albon")
    assert kept == without(without(RESULT, "points"), "laps") | {"Time": {"time": "+1.0"}}
    assert {flaw.field for flaw in flaws} == {"points", "laps", "Time.millis"}


def test_a_row_without_a_required_value_is_left_out() -> None:
    """A session needs a day, a team a name, a lap a driver: without it they are left out."""
    kept, _ = repaired(BY_NAME["races"].model, with_value(RACE, "soon", "FirstPractice", "date"), "race")
    assert kept == without(RACE, "FirstPractice")
    teams = STANDING | {"Constructors": [{"constructorId": "", "name": "?"}, WILLIAMS, {"constructorId": "x"}]}
    kept, flaws = repaired(BY_NAME["driverstandings"].model, teams, "albon")
    assert kept == STANDING
    assert len(flaws) == 2
    kept, (flaw,) = repaired(BY_NAME["laps"].model, LAP | {"driverId": ""}, "row 3")
    assert kept is None
    assert flaw.row_left_out
    assert str(flaw) == "row 3 driverId '' (String should have at least 1 character): its row is left out"


@pytest.mark.parametrize("row", [None, [], "row", 7, {}])
def test_something_other_than_a_row_is_left_out(row: Any) -> None:
    kept, flaws = repaired(BY_NAME["laps"].model, row, "row 1")
    assert kept is None
    assert flaws[-1].row_left_out


@pytest.fixture
def server() -> Iterator[JolpicaServer]:
    with JolpicaServer() as server:
        yield server


@pytest.fixture
async def api(server: JolpicaServer, tmp_path: Path) -> AsyncIterator[JolpicaClient]:
    settings = Settings(_env_file=None, home=tmp_path, jolpica_url=server.url, jolpica_retry_seconds=0.1)
    async with open_jolpica(settings, (Rate(1_000, 1_000),)) as api:
        yield api


async def test_the_rest_of_an_answer_is_used(server: JolpicaServer, api: JolpicaClient, jolpica_data: Path) -> None:
    server.answers["2025/1/results"] = captured(jolpica_data, "2025/1/results")
    rows = server.answers["2025/1/results"]["RaceTable"]["Races"][0]["Results"]
    rows[3]["points"], rows[7]["Driver"]["driverId"] = "12.5 points", ""
    answered = await api.read(Query(2025, 1, "results"))
    assert len(answered.rows) == 19
    assert "points" not in answered.rows[3]
    assert [(flaw.field, flaw.row_left_out) for flaw in answered.flaws] == [
        ("points", False), ("Driver.driverId", True),
    ]  # fmt: skip
    assert not answered.complete
    assert "2025/1/results.json?limit=100&offset=0" in answered.url
    assert answered.body


async def test_a_lap_on_two_pages_is_one_lap_with_a_bad_time_on_each(
    server: JolpicaServer, api: JolpicaClient
) -> None:
    """Of 20 cars on 6 laps the sixth lap begins the second page; of 15 the seventh is on both."""
    laps = [(lap, f"driver_{car}", car, "1:30.000") for lap in range(1, 9) for car in range(1, 16)]
    bad = {(7, "driver_2"): "", (7, "driver_14"): "-1:30.000"}
    race = {key: RACE[key] for key in ("season", "round", "raceName", "date", "Circuit")}
    server.answers["2025/1/laps"] = laps_answer(
        race, [(lap, driver, place, bad.get((lap, driver), text)) for lap, driver, place, text in laps]
    )
    answered = await api.read(Query(2025, 1, "laps"))
    assert server.asked("2025/1/laps") == 2
    assert sorted((int(row["lap"]), row["driverId"]) for row in answered.rows) == sorted(
        (lap, driver) for lap, driver, *_ in laps
    )
    assert {(int(row["lap"]), row["driverId"]) for row in answered.rows if "time" not in row} == set(bad)
    assert [flaw.row for flaw in answered.flaws] == ["driver_2:7", "driver_14:7"]


async def test_many_empty_values_are_not_another_shape(server: JolpicaServer, api: JolpicaClient) -> None:
    """After a red flag the API has no duration of any stop."""
    race = {key: RACE[key] for key in ("season", "round", "raceName", "date", "Circuit")}
    stops = [STOP | {"driverId": f"driver_{car}", "duration": ""} for car in range(20)]
    server.answers["2025/1/pitstops"] = {"RaceTable": {"Races": [race | {"PitStops": stops}]}}
    answered = await api.read(Query(2025, 1, "pitstops"))
    assert len(answered.rows) == len(answered.flaws) == 20
    for stop in stops:
        stop["duration"] = "PT23S"
    with pytest.raises(BadAnswer, match="duration is wrong in 20 of 20 rows"):
        await api.read(Query(2025, 1, "pitstops"))
    for stop in stops:
        stop["driverId"] = ""
    with pytest.raises(BadAnswer, match="no row can be used"):
        await api.read(Query(2025, 1, "pitstops"))


def test_bad_values_are_reported_and_the_run_is_complete() -> None:
    outcome = SyncReport(answered=1, requests=1, flaws=["2025/1/laps albon:17 time '' (…): null"])
    assert outcome.complete
    assert outcome.sentences()[1] == (
        "1 invalid values, listed in RAW.JOLPICA_QUARANTINE: 2025/1/laps albon:17 time '' (…): null."
    )


def test_the_hourly_limit_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("F1STREAM_JOLPICA_REQUESTS_PER_HOUR", "200")
    second, hour = rate_limits(Settings(_env_file=None))
    assert second == PER_SECOND
    assert (hour.limit, hour.interval) == (200, int(Duration.HOUR))
