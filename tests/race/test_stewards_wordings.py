"""Every message of race control in every recording is read, or is on a list with a reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from f1stream.race.penalties import Case, penalties_of_car, update_cases
from f1stream.race.stewards import read_message
from f1stream.sources.livetiming.recording.reader import open_recording
from models import RaceControl
from tests.support.required import DATA, missing

ABOUT = re.compile(
    "INCIDENT|INVESTIGAT|PENALT|STEWARD|WARNING|NOTED|NO FURTHER|REPRIMAND|CORRECTION|SERVED|BLACK AND WHITE|REVIEW"
)
"""Words that may make a message one of the stewards."""
NOT_OF_A_CASE = {
    r"FIRST LAP INCIDENTS AT TURNS \d+ AND \d+ ALL NOTED": "it names no car",
    r"(FIA STEWARDS: )?LAP \d+ TURN \d+ INCIDENT (NOTED|REVIEWED NO FURTHER INVESTIGATION)": "it names no car",
    r"A \d+ MIN WARNING WILL BE GIVEN BEFORE Q\d RESUMES": "it is about time",
    r"BLACK AND WHITE FLAG FOR CAR \d+ \(\w{3}\) - .*": "a flag: it is shown as one, and decides no case",
    r"CORRECTION: SPRINT WILL START AT \d\d:\d\d": "it is about time",
    r"CORRECTION: FIRST CAR TO TAKE THE FLAG - CAR \d+ \(\w{3}\)": "it is about the flag",
}


def recordings_at_hand() -> list[Path]:
    """A path for each recorded session; for sessions in streams only race control's stream."""
    if not (DATA / "sessions").is_dir():
        return []
    named = {
        "RaceControlMessages.jsonStream",
        "RaceControlMessages.jsonStream.gz",
        "recording.jsonl.gz",
        "live.txt.gz",
    }
    return sorted(path for path in DATA.rglob("*") if path.name in named)


def said(data: Any) -> Iterator[tuple[str, str]]:
    """When, and what, of one message of the topic, whether its parts are a list or numbered."""
    rows = data.get("Messages", []) if isinstance(data, dict) else []
    for row in rows if isinstance(rows, list) else rows.values():
        if isinstance(row, dict) and "Message" in row:
            yield row.get("Utc", ""), row["Message"]


def texts(path: Path) -> list[str]:
    """Race control's messages, each once: a snapshot after a reconnect repeats all of them."""
    topic = (message.data for message in open_recording(path) if message.topic == "RaceControlMessages")
    return [text for _, text in dict.fromkeys(row for data in topic for row in said(data))]


def after(messages: list[str]) -> tuple[Case, ...]:
    cases: tuple[Case, ...] = ()
    for text in messages:
        cases = update_cases(cases, RaceControl(session_time_ms=0, category="Other", message=text))
    return cases


def states(cases: tuple[Case, ...], number: str) -> list[tuple[str, str]]:
    return [(penalty.kind, penalty.state) for penalty in penalties_of_car(cases, number)]


@pytest.fixture(scope="module")
def all_said() -> dict[Path, list[str]]:
    paths = recordings_at_hand()
    if not paths:
        missing(f"the recorded sessions at {DATA / 'sessions'} are not there")
    return {path: texts(path) for path in paths}


def test_every_recorded_message_of_the_stewards_is_understood_or_has_a_reason(
    all_said: dict[Path, list[str]],
) -> None:
    about = {text.strip() for messages in all_said.values() for text in messages if ABOUT.search(text)}
    unknown = {text for text in about if read_message(text) is None}
    assert len(about) > 150
    everything = {text.strip() for messages in all_said.values() for text in messages}
    assert {text for text in everything - about if read_message(text)} == set()
    assert {text for text in unknown if not any(re.fullmatch(known, text) for known in NOT_OF_A_CASE)} == set()
    unseen = [known for known in NOT_OF_A_CASE if not any(re.fullmatch(known, text) for text in unknown)]
    assert unseen == [], "every reason on the list is used"


def test_no_case_is_open_at_the_end_of_a_recorded_session(all_said: dict[Path, list[str]]) -> None:
    """But for those that the stewards look at after it."""
    left = {
        str(path.relative_to(DATA)): [(case.cars, case.penalty.state) for case in after(messages)]
        for path, messages in all_said.items()
    }
    open_ones = {
        path: [cars for cars, state in cases if state in {"noted", "investigated"}] for path, cases in left.items()
    }
    assert {path: cars for path, cars in open_ones.items() if cars} == {}
    assert sum(state == "after_race" for cases in left.values() for _, state in cases) > 10


def test_azerbaijan_2018(all_said: dict[Path, list[str]]) -> None:
    (messages,) = (messages for path, messages in all_said.items() if path.parent.name == "2018_azerbaijan_race")
    cases = after(messages)
    assert {number for case in cases for number in case.cars} == {"3", "33", "7", "31", "9", "20", "11", "18", "10"}
    assert states(cases, "14") == states(cases, "27") == []  # noted, no investigation necessary
    assert states(cases, "9") == [("time", "given")]
    assert states(cases, "11") == [("time", "given"), ("incident", "after_race")]


@pytest.mark.parametrize(
    ("cars", "numbers"),
    [
        ("CARS 14 (ALO),27 (HUL)  AND 8 (GRO)", ("14", "27", "8")),
        ("CARS 55 (SAI), 18 (STR), 22 (TSU), 63 (RUS), 44 (HAM)", ("55", "18", "22", "63", "44")),
        ("CARS 10 (GAS), 11 (PER), AND 23 (ALB)", ("10", "11", "23")),
        ("CARS 14 (ALO) & 8 (GRO)", ("14", "8")),
        ("CARS 44 AND 1", ("44", "1")),
        ("CAR 137 (ANT)", ("137",)),
    ],
)
def test_cars_of_an_incident(cars: str, numbers: tuple[str, ...]) -> None:
    found = read_message(f"TURN 2 INCIDENT INVOLVING {cars} NOTED - CAUSING A COLLISION")
    assert found is not None
    assert (found.cars, found.verdict, found.reason) == (numbers, "noted", "CAUSING A COLLISION")


@pytest.mark.parametrize(
    "outcome",
    [
        "NO INVESTIGATION NECESSARY", "NOTED - NO INVESTIGATION NECESSARY", "REVIEWED NO INVESTIGATION NECESSARY",
        "REVIEWED NO FURTHER INVESTIGATION - IMPEDING", "NO FURTHER ACTION", "REVIEWED - NO FURTHER ACTION",
    ],
)  # fmt: skip
def test_an_incident_that_is_not_investigated_is_closed(outcome: str) -> None:
    assert after(["TURN 2 INCIDENT INVOLVING CARS 14 (ALO) AND 8 (GRO) NOTED"]) != ()
    assert (
        after(
            [
                "TURN 2 INCIDENT INVOLVING CARS 14 (ALO) AND 8 (GRO) NOTED",
                f"TURN 2 INCIDENT INVOLVING CARS 14 (ALO),8 (GRO)  {outcome}",
            ]
        )
        == ()
    )


@pytest.mark.parametrize(
    "when", ["THE RACE", "THE SESSION", "THE SPRINT", "QUALIFYING", "SPRINT QUALIFYING", "THE SPRINT SHOOTOUT"]
)
def test_an_incident_is_investigated_after_any_session(when: str) -> None:
    cases = after([f"TURN 1 INCIDENT INVOLVING CAR 3 (RIC) WILL BE INVESTIGATED AFTER {when} - IMPEDING"])
    assert states(cases, "3") == [("incident", "after_race")]


@pytest.mark.parametrize(
    "decision",
    [
        "WARNING FOR CAR 5 (BOR) - MOVING UNDER BRAKING (16:19:05)",
        "REPRIMAND (DRIVING) FOR CAR 5 (BOR) - MOVING UNDER BRAKING",
        "3 PLACE GRID PENALTY FOR CAR 5 (BOR) - MOVING UNDER BRAKING",
        "THREE PLACE GRID PENALTY FOR CAR 5 (BOR) - MOVING UNDER BRAKING",
    ],
)
def test_a_decision_that_costs_nothing_in_this_session_closes_the_incident(decision: str) -> None:
    incident = "TURN 4 INCIDENT INVOLVING CARS 5 (BOR) AND 6 (HAD) UNDER INVESTIGATION - MOVING UNDER BRAKING"
    other = "INCIDENT INVOLVING CAR 5 (BOR) NOTED - UNSAFE RELEASE"
    cases = after([incident, other, f"FIA STEWARDS: {decision}"])
    assert [case.penalty.reason for case in cases] == ["UNSAFE RELEASE"]
    assert after([f"FIA STEWARDS: {decision}"]) == ()


def test_a_decision_may_leave_out_cars_that_had_no_part_in_the_incident() -> None:
    noted = "LAP 1 TURN 1 INCIDENT INVOLVING CARS 30 (LAW), 27 (HUL) AND 5 (BOR) NOTED"
    investigated = "FIA STEWARDS: TURN 1 INCIDENT INVOLVING CARS 30 (LAW) AND 27 (HUL) UNDER INVESTIGATION"
    assert [case.cars for case in after([noted, investigated])] == [("30", "27")]
    elsewhere = "FIA STEWARDS: TURN 9 INCIDENT INVOLVING CARS 30 (LAW) AND 27 (HUL) NO FURTHER ACTION"
    assert [case.cars for case in after([noted, elsewhere])] == [("30", "27", "5")]


@pytest.mark.parametrize("prefix", ["CORRECTION::", "CORRECTION:", "FIA STEWARDS: CORRECTION::"])
def test_a_correction_with_other_cars_takes_the_wrong_car_off_the_table(prefix: str) -> None:
    pit_lane = "PIT LANE INCIDENT INVOLVING CARS 81 (PIA) AND {} UNDER INVESTIGATION - UNSAFE RELEASE"
    cases = after(
        [
            "TURN 12 INCIDENT INVOLVING CARS 6 (HAD) AND 10 (GAS) NOTED - CAUSING A COLLISION",
            f"FIA STEWARDS: {pit_lane.format('63 (RUS)')}",
            f"{prefix} {pit_lane.format('12 (ANT)')}",
        ]
    )
    assert states(cases, "63") == []
    assert states(cases, "12") == states(cases, "81") == [("incident", "investigated")]
    assert states(cases, "6") == [("incident", "noted")]


def test_a_correction_may_name_none_of_the_cars() -> None:
    cases = after(
        [
            "INCIDENT INVOLVING CAR 63 (RUS) NOTED - PIT LANE SPEEDING",
            "CORRECTION:: INCIDENT INVOLVING CAR 12 (ANT) NOTED - PIT LANE SPEEDING",
        ]
    )
    assert [case.cars for case in cases] == [("12",)]


def test_a_correction_of_a_penalty_replaces_it() -> None:
    wrong = "FIA STEWARDS: 10 SECOND TIME PENALTY FOR CAR 30 (LAW) - CAUSING A COLLISION"
    (seconds,) = after([wrong, "CORRECTION: 5 SECOND TIME PENALTY FOR CAR 30 (LAW) - CAUSING A COLLISION"])
    assert (seconds.cars, seconds.penalty.seconds) == (("30",), 5)
    (car,) = after([wrong, "CORRECTION:: 10 SECOND TIME PENALTY FOR CAR 43 (COL) - CAUSING A COLLISION"])
    assert (car.cars, car.penalty.seconds) == (("43",), 10)
