"""Points, and the championship if the race ended in its present order.

Source of the tables: the FIA Formula One Sporting Regulations of each season, article "World Championship"
(points) and, for sprints, their own article.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from models.marts import ChampionshipRow, StandingRow

GRAND_PRIX = (25, 18, 15, 12, 10, 8, 6, 4, 2, 1)
"""Since 2010."""
SPRINT_2021 = (3, 2, 1)
SPRINT = (8, 7, 6, 5, 4, 3, 2, 1)
"""Since 2022."""
FASTEST_LAP = range(2019, 2025)
"""Seasons in which the fastest lap gave a point to a driver in the top ten; abolished for 2025."""


class Running(NamedTuple):
    """One car of the race."""

    code: str
    name: str
    team: str
    """The feed's name of it."""


def points(position: int, *, sprint: bool, season: int, fastest_lap: bool = False) -> int:
    """Points of a driver who is classified at ``position`` in a race over the full distance.

    2010 to 2018: 25, 18, 15, 12, 10, 8, 6, 4, 2, 1 (Sporting Regulations 2010). 2019 to 2024: one more for the
    fastest lap of the race, in the top ten and never in a sprint (introduced 2019, removed from those of 2025).
    Sprints: 3, 2, 1 in 2021, and 8 to 1 since 2022. Not included: the double points of the last race of 2014, and
    the reduced ones of shortened races.

    Raises ValueError for a season before these tables.
    """
    if season < (2021 if sprint else 2010):
        raise ValueError(
            f"no table of points for a {'sprint' if sprint else 'Grand Prix'} of {season}; take a later one"
        )
    table = (SPRINT_2021 if season == 2021 else SPRINT) if sprint else GRAND_PRIX
    extra = fastest_lap and not sprint and season in FASTEST_LAP and 1 <= position <= 10
    return (table[position - 1] if 1 <= position <= len(table) else 0) + extra


def championship(
    drivers: Sequence[StandingRow],
    constructors: Sequence[StandingRow],
    running: Sequence[Running],
    *,
    season: int,
    sprint: bool,
    fastest_lap: str | None = None,
) -> tuple[list[ChampionshipRow], list[ChampionshipRow]]:
    """Drivers and constructors if the race ended now: ``running`` in race order, the standings before it.

    A driver or team without a standing starts at 0. With equal points the standing before decides, then the race.
    ``fastest_lap``: the code of the driver who has it.
    """
    teams = _teams(drivers, constructors, running)
    gained: Counter[str] = Counter()
    of_team: Counter[str] = Counter()
    for position, car in enumerate(running, 1):
        won = points(position, sprint=sprint, season=season, fastest_lap=car.code == fastest_lap)
        gained[_key(car)] += won
        of_team[teams[car.team]] += won
    here = {_key(car): car for car in running}
    known = {_key(row) for row in drivers}
    new = [(None, car.name, car.code, car.team, 0.0) for key, car in here.items() if key not in known]
    before = [(row.position, row.name, row.code, row.team_name, row.points) for row in drivers]
    of_drivers = [
        _row(place, name, code, teams[here[key].team] if (key := code or name) in here else team, had, gained[key])
        for place, name, code, team, had in [*before, *new]
    ]
    names = {row.name for row in constructors}
    entered = [(None, name, 0.0) for name in dict.fromkeys(teams.values()) if name not in names]
    of_constructors = [
        _row(place, name, None, None, had, of_team[name])
        for place, name, had in [*((row.position, row.name, row.points) for row in constructors), *entered]
    ]
    return _ranked(of_drivers), _ranked(of_constructors)


def _key(who: StandingRow | Running) -> str:
    return who.code or who.name


def _row(
    before: int | None, name: str, code: str | None, team: str | None, had: float, gained: int
) -> ChampionshipRow:
    return ChampionshipRow(position=0, position_before=before, name=name, code=code, team_name=team,
                           points=had + gained, points_before=had, gained=gained)  # fmt: skip


def _ranked(rows: list[ChampionshipRow]) -> list[ChampionshipRow]:
    def standing(row: ChampionshipRow) -> tuple[float, float]:
        return -row.points, float("inf") if row.position_before is None else row.position_before

    return [row.model_copy(update={"position": n}) for n, row in enumerate(sorted(rows, key=standing), 1)]


def _teams(
    drivers: Sequence[StandingRow], constructors: Sequence[StandingRow], running: Sequence[Running]
) -> dict[str, str]:
    """By the feed's name of a team: its name in the standings, or the feed's where it is in none.

    The two name teams differently ("Racing Bulls", "RB F1 Team"), but have the same drivers, so teams are matched by
    drivers. A driver who has changed teams points to the former one: between equals the more similar name is taken,
    and no team is taken twice.
    """
    of_driver = {_key(row): row.team_name for row in drivers}
    votes = Counter((car.team, team) for car in running if (team := of_driver.get(_key(car))) is not None)
    feed, known = dict.fromkeys(car.team for car in running), [row.name for row in constructors]

    def likeness(pair: tuple[str, str]) -> tuple[bool, int, int]:
        team, name = pair
        return team == name, votes[pair], len({*team.lower().split()} & {*name.lower().split()})

    found: dict[str, str] = {}
    pairs = ((team, name) for team in feed for name in known if team == name or votes[team, name])
    for team, name in sorted(pairs, key=likeness, reverse=True):
        if team not in found and name not in found.values():
            found[team] = name
    return {team: found.get(team, team) for team in feed}
