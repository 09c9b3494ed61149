"""When a session started, by the rule and by the race; the cases are those of the dbt unit test."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from f1stream.race.car_facts import apply_lap
from f1stream.race.session_facts import apply_message
from f1stream.race.state import Race
from models import Entry, LapUpdate, RaceControl, SessionStatus
from models.session_start import start_after
from tests.support.required import ROOT

MODEL = ROOT / "dbt" / "models" / "marts" / "dimensions" / "dim_session.yml"
ROW = re.compile(r"\('([^']*)', (\d+), '(\w+)', (\d+), '([^']*)'\)")


@dataclass
class Case:
    """One session of the dbt unit test."""

    facts: list[SessionStatus | RaceControl] = field(default_factory=list)
    first_lap_end_ms: int | None = None
    started_ms: int | None = None


def cases() -> dict[str, Case]:
    (unit,) = yaml.safe_load(MODEL.read_text())["unit_tests"]
    given = {each["input"]: each["rows"] for each in unit["given"]}
    found = {row["session_key"]: Case(started_ms=row["started_ms"]) for row in unit["expect"]["rows"]}
    for key, _, kind, at, payload in ROW.findall(given["ref('stg_stream__messages')"]):
        fields: dict[str, Any] = {"session_time_ms": int(at), **json.loads(payload)}
        fact = SessionStatus(**fields) if kind == "session_status" else RaceControl(category="Other", **fields)
        found[key].facts.append(fact)
    for lap in given["ref('stg_stream__laps')"]:
        case = found[lap["session_key"]]
        if not lap["is_generated"]:
            case.first_lap_end_ms = min(lap["end_ms"], case.first_lap_end_ms or lap["end_ms"])
    return found


CASES = cases()
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def test_the_cases_of_the_dbt_unit_test_are_read() -> None:
    assert len(CASES) == 8
    assert sum(len(case.facts) for case in CASES.values()) == 25
    assert all(case.facts for case in CASES.values())


@each_case
def test_an_aborted_start_is_none(case: Case) -> None:
    started_ms = None
    for fact in case.facts:
        over = case.first_lap_end_ms is not None and fact.session_time_ms >= case.first_lap_end_ms
        started_ms = start_after(started_ms, fact, over)
    assert started_ms == case.started_ms


@each_case
def test_the_race_starts_when_the_rule_says(case: Case) -> None:
    race = Race.of([Entry(driver_number="4", tla="NOR", name="N", team="T", team_color="ffffff", grid_position=1)])
    end_ms = case.first_lap_end_ms
    for fact in case.facts:
        if end_ms is not None and fact.session_time_ms >= end_ms and race.laps_led == 0:
            lap = LapUpdate(emitted_ms=end_ms, lap_number=1, end_ms=end_ms, lap_time_ms=None, compound=None,
                            tyre_life=None, speed_st=None, deleted=False, official=True)  # fmt: skip
            apply_lap(race, race.cars["4"], lap)
        apply_message(race, fact)
    assert race.started_ms == case.started_ms
