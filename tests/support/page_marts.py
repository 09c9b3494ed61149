"""What the marts might say of the small synthetic race and its season, as records of topic ``marts``."""

from __future__ import annotations

from typing import Any

from models import ResultRow, Round, RoundResult, RoundSession, Season, SessionResult, StandingRow

BUILT_MS = 1_700_100_000_000
THIS_ROUND = 3
EVENTS = (
    ("First Grand Prix", "2023-10-29"),
    ("Second Grand Prix", "2023-11-05"),
    ("Test Grand Prix", "2023-11-15"),  # the head's session is of the 14th
    ("Last Grand Prix", "2023-11-26"),
)
TEAMS = {"NOR": "McLaren F1", "PIA": "McLaren F1", "VER": "Red Bull"}


def row(position: int | None, number: str, code: str, **named: Any) -> ResultRow:
    values = {
        "position": position, "position_text": str(position or "R"), "driver_number": number, "driver_code": code,
        "driver_name": f"First {code.title()}", "team_name": TEAMS[code], "laps": 9, "time_ms": None, "points": 0.0,
        "grid_position": 2, "fastest_lap_ms": 61_000, "status": "Finished" if position else "Retired",
        "source": "stream",
    }  # fmt: skip
    return ResultRow(**values | named)


def result(session: str = "test_race", built_ms: int = BUILT_MS, **named: Any) -> SessionResult:
    """Number 4 wins, number 81 is on its lap, number 1 a lap down."""
    rows = [
        row(1, "4", "NOR", time_ms=5_526_304, points=25.0, grid_position=3),
        row(2, "81", "PIA", time_ms=5_528_199, points=18.0, fastest_lap_ms=59_813),
        row(3, "1", "VER", laps=8, points=7.5, grid_position=1, fastest_lap_ms=None),
    ]
    values = {"session_key": session, "built_ms": built_ms, "season": 2023, "round": THIS_ROUND, "rows": rows}
    return SessionResult(**values | named)


def standing(position: int, code: str, points: float, wins: int = 0) -> StandingRow:
    return StandingRow(
        position=position, name=f"First {code.title()}", code=code, team_name=TEAMS[code], points=points, wins=wins
    )


def team(position: int, name: str, points: float, wins: int = 0) -> StandingRow:
    return StandingRow(position=position, name=name, code=None, team_name=None, points=points, wins=wins)


def finisher(position: int, code: str, points: float) -> RoundResult:
    return RoundResult(
        position=position, position_text=str(position), driver_code=code, driver_name=f"First {code.title()}",
        team_name=TEAMS[code], points=points, status="Finished",
    )  # fmt: skip


def season(held: int = THIS_ROUND, built_ms: int = BUILT_MS, year: int = 2023) -> Season:
    """Standings after each of ``held`` rounds: number 1 leads by more and more, until this round."""
    rounds = []
    for number, (name, date) in enumerate(EVENTS, 1):
        first, second = ("NOR", "VER") if number >= THIS_ROUND else ("VER", "NOR")
        there = number <= held
        rounds.append(
            Round(
                round=number,
                event_name=name,
                race_date=date,
                status="held" if there else "scheduled",
                drivers=[standing(1, first, 25.0 * number, number), standing(2, second, 10.5)] if there else [],
                constructors=[team(1, TEAMS[first], 26.0 * number, number)] if there else [],
                results=[finisher(1, first, 25.0), finisher(2, second, 18.0)] if there else [],
                sessions=[RoundSession(name="Race", starts_ms=BUILT_MS + number * 1_000)] if number > 2 else [],
            )
        )
    return Season(season=year, built_ms=built_ms, rounds=rounds)
