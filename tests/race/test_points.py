"""Points and standings, against whole recorded seasons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from f1stream.race.points import Running, championship, points
from models import StandingRow

SPRINTS_2024 = (5, 6, 11, 19, 21, 23)


def table(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text())["MRData"]


def results(folder: Path, kind: str) -> list[dict[str, Any]]:
    races = table(folder, kind)["RaceTable"]["Races"]
    return list(races[0]["Results" if kind == "results" else "SprintResults"])


def full_name(driver: dict[str, Any]) -> str:
    return f"{driver['givenName']} {driver['familyName']}"


def standings(folder: Path) -> tuple[list[StandingRow], list[StandingRow]]:
    """Standings after a round, as in the marts."""
    (of_drivers,) = table(folder, "driverstandings")["StandingsTable"]["StandingsLists"]
    (of_teams,) = table(folder, "constructorstandings")["StandingsTable"]["StandingsLists"]
    drivers = [
        StandingRow(position=int(row["position"]), name=full_name(row["Driver"]), code=row["Driver"]["code"],
                    team_name=row["Constructors"][-1]["name"], points=float(row["points"]), wins=int(row["wins"]))
        for row in of_drivers["DriverStandings"]
    ]  # fmt: skip
    teams = [
        StandingRow(position=int(row["position"]), name=row["Constructor"]["name"], code=None, team_name=None,
                    points=float(row["points"]), wins=int(row["wins"]))
        for row in of_teams["ConstructorStandings"]
    ]  # fmt: skip
    return drivers, teams


def running(rows: list[dict[str, Any]]) -> list[Running]:
    return [Running(r["Driver"]["code"], full_name(r["Driver"]), r["Constructor"]["name"]) for r in rows]


def fastest(rows: list[dict[str, Any]]) -> str | None:
    return next((r["Driver"]["code"] for r in rows if r.get("FastestLap", {}).get("rank") == "1"), None)


@pytest.fixture(scope="module")
def season_2024(jolpica_data: Path) -> Path:
    return jolpica_data / "jolpica" / "derived_f1db" / "2024"


def as_standing(rows: list[Any]) -> list[StandingRow]:
    return [
        StandingRow(position=r.position, name=r.name, code=r.code, team_name=r.team_name, points=r.points, wins=0)
        for r in rows
    ]


@pytest.mark.parametrize("number", range(1, 25))
def test_standings_of_2024_follow_from_the_round_before(season_2024: Path, number: int) -> None:
    folder = season_2024 / str(number)
    drivers, teams = standings(season_2024 / str(number - 1)) if number > 1 else ([], [])
    had = {row.name: row.points for row in (*drivers, *teams)}
    if number in SPRINTS_2024:
        made = championship(drivers, teams, running(results(folder, "sprint")), season=2024, sprint=True)
        drivers, teams = as_standing(made[0]), as_standing(made[1])
    rows = results(folder, "results")
    made = championship(drivers, teams, running(rows), season=2024, sprint=False, fastest_lap=fastest(rows))
    for ours, recorded in zip(made, standings(folder), strict=True):
        assert {row.name: row.points for row in ours} == {row.name: row.points for row in recorded}
        assert [row.points for row in ours] == [row.points for row in recorded]
        assert [row.position for row in ours] == list(range(1, len(ours) + 1))
        if number not in SPRINTS_2024:
            assert all(row.points_before == had.get(row.name, 0) for row in ours)
        assert all(row.points == row.points_before + row.gained for row in ours)


def test_points_of_every_recorded_result(jolpica_data: Path) -> None:
    """All recorded answers, and those derived for 2024."""
    seen: set[tuple[int, str]] = set()
    for path in sorted((jolpica_data / "jolpica").glob("*/20*/*/*.json")):
        season, kind = int(path.parts[-3]), path.stem
        if kind in ("results", "sprint"):
            rows = results(path.parent, kind)
            best = fastest(rows)
            for row in rows:
                has = row["Driver"]["code"] == best
                computed = points(int(row["position"]), sprint=kind == "sprint", season=season, fastest_lap=has)
                assert computed == float(row["points"]), (path, row["Driver"]["code"])
            seen.add((season, kind))
    grands_prix, sprints = (2018, *range(2020, 2027)), range(2023, 2026)
    assert seen == {*((season, "results") for season in grands_prix), *((season, "sprint") for season in sprints)}


def test_points_by_season() -> None:
    assert [points(p, sprint=False, season=2010) for p in (1, 2, 10, 11)] == [25, 18, 1, 0]
    assert [points(1, sprint=False, season=s, fastest_lap=True) for s in (2018, 2019, 2024, 2025)] == [25, 26, 26, 25]
    assert points(11, sprint=False, season=2024, fastest_lap=True) == 0
    assert [points(p, sprint=True, season=2021) for p in (1, 3, 4)] == [3, 1, 0]
    assert [points(p, sprint=True, season=2022, fastest_lap=True) for p in (1, 8, 9)] == [8, 1, 0]
    with pytest.raises(ValueError, match="no table of points for a Grand Prix of 2009"):
        points(1, sprint=False, season=2009)
    with pytest.raises(ValueError, match="sprint of 2020"):
        points(1, sprint=True, season=2020)


def standing(position: int, name: str, had: float, code: str | None = None, team: str | None = None) -> StandingRow:
    return StandingRow(position=position, name=name, code=code, team_name=team, points=had, wins=0)


DRIVERS = [
    standing(1, "Max Verstappen", 61, "VER", "Red Bull"),
    standing(2, "Isack Hadjar", 18, "HAD", "RB F1 Team"),
    standing(3, "Yuki Tsunoda", 3, "TSU", "RB F1 Team"),
    standing(4, "Liam Lawson", 0, "LAW", "Red Bull"),
]
TEAMS = [standing(1, "Red Bull", 61), standing(2, "RB F1 Team", 21)]


def test_drivers_who_changed_teams_score_for_the_new_one() -> None:
    """Tsunoda and Lawson in Japan 2025: their standings still name the team before."""
    order = [
        Running("TSU", "Yuki Tsunoda", "Red Bull Racing"),
        Running("LAW", "Liam Lawson", "Racing Bulls"),
        Running("VER", "Max Verstappen", "Red Bull Racing"),
        Running("HAD", "Isack Hadjar", "Racing Bulls"),
    ]
    drivers, teams = championship(DRIVERS, TEAMS, order, season=2025, sprint=False)
    assert [(row.name, row.gained, row.position_before) for row in teams] == [
        ("Red Bull", 40, 1),
        ("RB F1 Team", 30, 2),
    ]
    assert [(row.code, row.points, row.team_name) for row in drivers] == [
        ("VER", 76, "Red Bull"), ("HAD", 30, "RB F1 Team"), ("TSU", 28, "Red Bull"), ("LAW", 18, "RB F1 Team"),
    ]  # fmt: skip


def test_newcomers_start_at_nothing_and_ties_go_to_who_was_ahead() -> None:
    order = [Running("BOR", "Gabriel Bortoleto", "Kick Sauber"), Running("HAD", "Isack Hadjar", "Racing Bulls")]
    drivers, teams = championship(
        [standing(1, "Isack Hadjar", 7, "HAD", "RB F1 Team")], [standing(1, "RB F1 Team", 7)], order,
        season=2025, sprint=False,
    )  # fmt: skip
    assert [(r.code, r.position, r.position_before, r.points) for r in drivers] == [
        ("HAD", 1, 1, 25),
        ("BOR", 2, None, 25),
    ]
    assert [(r.name, r.points, r.points_before) for r in teams] == [("RB F1 Team", 25, 7), ("Kick Sauber", 25, 0)]


def test_who_does_not_take_part_keeps_the_points() -> None:
    drivers, teams = championship(DRIVERS, TEAMS, [], season=2025, sprint=True)
    assert [(row.code, row.points, row.gained) for row in drivers] == [(r.code, r.points, 0) for r in DRIVERS]
    assert [row.points for row in teams] == [61, 21]
