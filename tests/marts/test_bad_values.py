"""Half points, and answers of the API with bad values, in the marts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from f1stream.embedded.running import embedded_warehouse
from f1stream.jolpica.sync import SyncReport
from f1stream.settings import Settings
from f1stream.warehouse.connection import Warehouse
from f1stream.warehouse.schema import create
from tests.marts.conftest import NOW
from tests.support.jolpica_server import JolpicaServer, laps_answer, season_of
from tests.support.marts_rig import MartsRig
from tests.support.ports import free_port

pytestmark = pytest.mark.system
WITHOUT = ("--indirect-selection", "cautious", "--exclude", "test_type:generic", "test_type:unit")
"""Options that leave out tests of upstream data, and tests of models that are not built here."""
FACTS = (
    "+fact_events", "+fact_race_results", "+fact_sprint_results", "+fact_driver_standings", "points_exceptions",
    "stg_jolpica__pit_stops", "stg_jolpica__laps",
)  # fmt: skip
"""The models that these tests query."""
TIMES = {
    "FirstPractice": "11:30Z", "SecondPractice": "15:00:00.5Z", "ThirdPractice": "14:30:00+03:00",
    "Qualifying": "15:00:00Z",
}  # fmt: skip
"""Start times that ``ClockTime`` accepts; the API has always sent the last form."""


@pytest.fixture(scope="module")
def marts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MartsRig]:
    settings = Settings(_env_file=None, home=tmp_path_factory.mktemp("marts"), embedded_warehouse_port=free_port())
    with embedded_warehouse(settings), closing(Warehouse(settings)) as warehouse:
        list(create(warehouse, "F1STREAM"))
        with closing(MartsRig(settings)) as rig:
            yield rig


@pytest.fixture(scope="module")
def landed(marts: MartsRig, jolpica_data: Path) -> SyncReport:
    """Bahrain as the only race of 2023: half points for all cars, and some bad values."""
    answers = season_of(2023, 1, jolpica_data)
    race = answers["2023/1/results"]["RaceTable"]["Races"][0]
    standings = answers["2023/1/driverstandings"]["StandingsTable"]["StandingsLists"][0]["DriverStandings"]
    for row in [*race["Results"], *standings]:
        row["points"] = str(Decimal(row["points"]) / 2)
    race["Results"][3]["points"] = "many"
    race["Results"][4]["FastestLap"] = {"lap": "-", "rank": "x", "Time": {"time": ""}}
    standings[-1]["position"] = "-"
    stops = answers["2023/1/pitstops"]["RaceTable"]["Races"][0]["PitStops"]
    stops[0]["duration"], stops[1]["duration"] = "", "-23.456"
    laps = [(lap, f"driver_{car}", car, "1:30.000") for lap in range(1, 9) for car in range(1, 16)]
    laps[100] = (*laps[100][:3], "")
    calendar = answers["2023/races"]["RaceTable"]["Races"][0]
    for session, time in TIMES.items():
        calendar[session] = {"date": "2023-03-03", "time": time}
    of = {name: value for name, value in race.items() if name != "Results"}
    answers["2023/1/laps"] = laps_answer(of, laps)
    with JolpicaServer() as server:
        server.answers = answers
        outcome = marts.sync(server, [2023], NOW)
    assert marts.dbt("bad values", "build", *WITHOUT, "--select", *FACTS)
    return outcome


def test_half_points_are_in_the_marts(marts: MartsRig, landed: SyncReport) -> None:
    for mart in ("FACT_RACE_RESULTS", "FACT_DRIVER_STANDINGS"):
        rows = marts.rows(
            f"select f.points from MARTS.{mart} f join MARTS.FACT_EVENTS e on e.event_key = f.event_key"
            " where e.season = 2023 and f.points is not null order by f.points desc"
        )
        assert [row["points"] for row in rows][:2] == [Decimal("13.00"), Decimal("9.00")]
        assert Decimal("0.50") in {row["points"] for row in rows}


def test_one_bad_value_is_null_and_the_rest_of_the_answer_is_there(marts: MartsRig, landed: SyncReport) -> None:
    assert landed.quarantined == landed.unanswered == []
    assert len(landed.flaws) == 8
    nulls = {
        "RESULTS": ("points", 1, 20), "DRIVER_STANDINGS": ("position", 1, 20), "PIT_STOPS": ("lane_ms", 2, None),
        "LAPS": ("lap_time_ms", 1, 120),
    }  # fmt: skip
    for name, (column, missing, rows) in nulls.items():
        (found,) = marts.rows(
            f"select count(*) as n, count_if({column} is null) as missing"
            f" from STAGING.STG_JOLPICA__{name} where season = 2023"
        )
        assert found["missing"] == missing, name
        assert rows is None or found["n"] == rows, name
    listed = marts.rows("select resource, reason from RAW.JOLPICA_QUARANTINE where season = 2023 order by resource")
    assert [row["resource"] for row in listed] == ["driverstandings", "laps", "pitstops", "results"]
    assert "position '-'" in listed[0]["reason"]


def test_a_start_time_of_another_form_is_null(marts: MartsRig, landed: SyncReport) -> None:
    """It used to fail the build."""
    assert marts.rows(
        "select first_practice_starts_at as fp1, second_practice_starts_at as fp2, third_practice_starts_at as fp3,"
        " qualifying_starts_at as q from MARTS.FACT_EVENTS where season = 2023"
    ) == [{"fp1": None, "fp2": None, "fp3": None, "q": datetime(2023, 3, 3, 15)}]


def test_points_add_up_where_all_of_them_can_be_read(marts: MartsRig, landed: SyncReport) -> None:
    tests = {name: result["status"] for name, result in marts.builds["bad values"][1].items() if "add_up" in name}
    assert set(tests.values()) == {"pass"}


def test_a_key_that_is_null_or_twice_fails(marts: MartsRig, landed: SyncReport) -> None:
    (events,) = marts.rows("select count(*) as n from MARTS.FACT_EVENTS")
    marts.warehouse.execute("insert into MARTS.FACT_EVENTS select * from MARTS.FACT_EVENTS")
    marts.warehouse.execute("insert into MARTS.FACT_EVENTS (season) values (2023)")
    assert not marts.dbt("keys", "test", "--select", "primary_key_fact_events_event_key")
    (result,) = marts.builds["keys"][1].values()
    assert (result["status"], result["failures"]) == ("fail", events["n"] + 1)


def test_foreign_keys_without_their_rows_are_counted_and_null_is_none(marts: MartsRig, landed: SyncReport) -> None:
    """Of all columns of a mart together."""
    for table, key in (("DIM_DRIVER", "driver_key"), ("DIM_CONSTRUCTOR", "constructor_key")):
        marts.warehouse.execute(f"create or replace table MARTS.{table} as select 'known' as {key}")
    marts.warehouse.execute("delete from MARTS.FACT_DRIVER_STANDINGS")
    marts.warehouse.execute(
        "insert into MARTS.FACT_DRIVER_STANDINGS (driver_key, constructor_key)"
        " values ('known', 'a'), ('b', 'known'), ('c', 'd'), (null, null)"
    )
    assert marts.dbt("foreign keys", "test", "--select", "fact_driver_standings,test_name:foreign_keys")
    found = {result["status"]: result["failures"] for result in marts.builds["foreign keys"][1].values()}
    assert found == {"pass": 0, "warn": 4}, "unknown drivers only warn; null refers to no event"
