"""Every recorded session there is: what ``f1stream check`` finds lies within its bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from f1stream.conformance.compare import check_source
from tests.support.required import DATA, missing

WITHOUT_SESSION_INFO = {"2023_hungarian_practice1", "2025-03-23_Chinese__2025-03-23_Race"}
"""They are refused with a sentence about what to add."""
EXCEPTIONS = {
    ("2022_saudi_qualifying", "laps"):
        "MSC crashed on lap 13 and was brought in an hour later: FastF1 has the lap, the feed measured nothing of it",
    ("2023_azerbaijan_qualifying", "laps"): "GAS stopped on lap 6 and was brought in, likewise",
    ("2025_singapore_practice3_reconnects", "laps"):
        "joined for eight minutes with four losses: laps into the garage that ended meanwhile have no record",
}  # fmt: skip
"""By recording and check: why the bound cannot be met."""


def recordings() -> list[Path]:
    """Every recording and archive, also those that the rules were not developed with."""
    folders = [*(DATA / "sessions").glob("*/"), *(DATA / "livetiming_frozen").glob("*/")]
    found = [next(iter(folder.glob("recording.jsonl*")), folder) for folder in folders]
    return sorted([*found, DATA / "mexico2025_qualifying/raw", DATA / "aus2025_race"])


def name(path: Path) -> str:
    """Of the folder that holds the recording."""
    return path.parent.name if path.is_file() or path.name == "raw" else path.name


@pytest.mark.parametrize("path", recordings(), ids=name)
def test_a_recorded_session_is_within_bounds(path: Path) -> None:
    if not path.exists():
        missing("the recorded sessions are not there")
    found = check_source(str(path))
    if name(path) in WITHOUT_SESSION_INFO:
        assert "it has no SessionInfo. Add the answer to subscribing" in found.error
        return
    beyond = {check.name: check.details for check in found.checks if not check.passed}
    excepted = {check for recording, check in EXCEPTIONS if recording == name(path)}
    assert found.error == ""
    assert {check: details for check, details in beyond.items() if check not in excepted} == {}
    assert excepted <= beyond.keys(), "an exception that is no longer needed"
