"""``f1stream check`` on small recordings: what agrees passes, and each kind of difference is found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from f1stream.cli import app
from f1stream.conformance.checks import Check
from f1stream.conformance.compare import Report, check_source
from f1stream.sources.timestamps import utc_ms, utc_text

T0_MS = 1_760_000_000_000
CARS = {"4": "NOR", "81": "PIA"}
Line = list[Any]


def line(at_s: float, topic: str, data: dict[str, Any]) -> Line:
    return [topic, data, utc_text(T0_MS + round(at_s * 1000))]


def timing(at_s: float, number: str, **change: Any) -> Line:
    return line(at_s, "TimingData", {"Lines": {number: change}})


def practice(*more: Line, order: tuple[str, str] = ("4", "81")) -> list[Line]:
    """Two cars go out, drive a lap and come in, the first one the quicker; the feed has them in ``order``."""
    info = {"Key": 1, "Type": "Practice", "Name": "Practice 1", "Meeting": {"Name": "Test"}, "GmtOffset": "00:00:00"}
    grid = {number: {"InPit": True, "Position": str(n)} for n, number in enumerate(CARS, 1)}
    lines = [
        line(0, "SessionInfo", info),
        line(1, "DriverList", {number: {"Tla": tla, "Line": n} for n, (number, tla) in enumerate(CARS.items(), 1)}),
        line(2, "TimingData", {"Lines": grid}),
        line(60, "SessionStatus", {"Status": "Started"}),
    ]
    for number, time in (("4", "1:20.000"), ("81", "1:21.000")):
        lines += [
            timing(70, number, InPit=False, PitOut=True, NumberOfLaps=1),
            timing(130, number, Sectors={"1": {"Value": "30.000"}}),
            timing(160, number, NumberOfLaps=2),
            timing(245, number, NumberOfLaps=3, LastLapTime={"Value": time}, BestLapTime={"Value": time, "Lap": 2}),
            timing(310, number, Sectors={"1": {"Value": "40.000"}}),
            timing(340, number, InPit=True),
        ]
    places = {number: {"Position": str(n)} for n, number in enumerate(order, 1)}
    lines += [line(246, "TimingData", {"Lines": places}), line(400, "SessionStatus", {"Status": "Finished"}), *more]
    return sorted(lines, key=lambda each: each[2])


def recorded(path: Path, lines: list[Line]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))
    return path


def report(tmp_path: Path, lines: list[Line]) -> Report:
    return check_source(str(recorded(tmp_path / "practice.jsonl", lines)))


def named(found: Report, name: str) -> Check:
    return next(check for check in found.checks if check.name == name)


def test_a_session_that_agrees_passes_every_check(tmp_path: Path) -> None:
    found = report(tmp_path, practice())
    assert (found.error, found.passed) == ("", True)
    results = {check.name: check.result for check in found.checks}
    assert (results["end"], results["laps"], results["bests"], results["order"]) == ("1/1", "2/2", "2/2", "100.0%")
    assert (results["unknown"], results["damaged"]) == ("0", "0")


def test_another_order_at_the_end_is_beyond_the_bound_and_described(tmp_path: Path) -> None:
    found = report(tmp_path, practice(order=("81", "4")))
    assert not found.passed
    assert not named(found, "end").passed
    assert named(found, "end").details == ("end, 0:06:40: NOR PIA, the feed PIA NOR",)
    assert not named(found, "order").passed
    assert named(found, "order").details == ("order, 0:04:20 to 0:06:40: place 1 is NOR, the feed's PIA",)


def test_an_order_that_differs_for_less_than_the_lag_is_the_same(tmp_path: Path) -> None:
    swap = [line(at, "TimingData", {"Lines": {number: {"Position": str(n)} for n, number in enumerate(order, 1)}})
            for at, order in ((298, ("81", "4")), (303, ("4", "81")))]  # fmt: skip
    found = report(tmp_path, practice(*swap))
    assert named(found, "order").passed
    assert float(named(found, "lag").result.rstrip("%")) > 0


def test_a_best_lap_that_our_laps_do_not_have_is_beyond_the_bound(tmp_path: Path) -> None:
    found = report(tmp_path, practice(timing(399, "81", BestLapTime={"Value": "1:19.000", "Lap": 2})))
    assert not named(found, "own").passed
    assert named(found, "own").details == ("own of PIA: {1: 81000}, the feed's {1: 79000}",)
    assert named(found, "bests").passed, "viewers see the feed's"


def test_an_unknown_topic_is_beyond_the_bound_and_an_unknown_field_is_listed(tmp_path: Path) -> None:
    found = report(tmp_path, practice(line(300, "Surprise", {}), timing(301, "4", Wings=2)))
    assert not named(found, "unknown").passed
    assert named(found, "unknown").details == (
        "unknown topic Surprise", "unknown field TimingData.Lines.#.Wings",
    )  # fmt: skip
    assert named(report(tmp_path, practice(timing(301, "4", Wings=2))), "unknown").passed


def test_a_recording_without_timing_has_nothing_compared(tmp_path: Path) -> None:
    found = report(tmp_path, [each for each in practice() if each[0] != "TimingData"])
    assert (found.error, found.verdict) == ("", "nothing compared")
    assert report(tmp_path, practice()).verdict == "passed"


def test_a_driver_listed_after_the_start_is_compared_too(tmp_path: Path) -> None:
    late = [
        line(200, "DriverList", {"16": {"Tla": "LEC", "Line": 3}}),
        timing(201, "16", InPit=False, PitOut=True, NumberOfLaps=1, Position="3"),
        timing(300, "16", NumberOfLaps=2),
    ]
    found = report(tmp_path, practice(*late))
    assert named(found, "laps").result == "3/3", found


def test_of_several_sessions_the_one_whose_key_is_named_is_compared(tmp_path: Path) -> None:
    first = practice(order=("81", "4"))
    second = [[topic, data | {"Key": 2} if topic == "SessionInfo" else data, utc_text(utc_ms(utc) + 3_600_000)]
              for topic, data, utc in practice()]  # fmt: skip
    path = recorded(tmp_path / "day.jsonl", [*first, *second])
    assert check_source(str(path)).verdict == "passed"
    assert check_source(f"{path}#2").verdict == "passed"
    assert check_source(f"recording:{path}#1").verdict == "failed"
    assert "no session 3" in check_source(f"{path}#3").error


def test_an_unreadable_source_is_a_line_of_the_table(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(tmp_path / "none.jsonl")])
    assert result.exit_code == 1
    assert "none.jsonl does not exist" in " ".join(result.output.split())


def test_the_command_ends_with_1_only_when_something_is_beyond_its_bound(tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    for folder, order in ((good, ("4", "81")), (bad, ("81", "4"))):
        folder.mkdir()
        recorded(folder / "practice.jsonl", practice(order=order))
    passed = CliRunner().invoke(app, ["check", str(good / "practice.jsonl")])
    assert passed.exit_code == 0, passed.output
    both = CliRunner().invoke(app, ["check", str(tmp_path)])
    assert both.exit_code == 1
    assert "end, 0:06:40: NOR PIA, the feed PIA NOR" in both.output
    rows = [row.split() for row in both.output.splitlines() if "1/1" in row or "0/1" in row]
    assert [row[-1] for row in rows] == ["failed", "passed"]  # by name


def test_differences_without_a_bound_are_printed_when_asked_for(tmp_path: Path) -> None:
    path = recorded(tmp_path / "practice.jsonl", practice(timing(301, "4", Wings=2)))
    assert "Wings" not in CliRunner().invoke(app, ["check", str(path)]).output
    assert (
        "unknown field TimingData.Lines.#.Wings" in CliRunner().invoke(app, ["check", str(path), "--details"]).output
    )


@pytest.mark.parametrize("name", ["nothing here", "sim:"])
def test_a_folder_without_recordings_is_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "nothing here").mkdir()
    source = str(tmp_path / name) if name == "nothing here" else name
    result = CliRunner().invoke(app, ["check", source])
    assert result.exit_code == 1
    assert "Traceback" not in result.output
