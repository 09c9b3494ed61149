"""What all tests share: real recordings, and what must not be skipped in CI."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from figures import figures

from f1stream.sources.archive import read_archive
from f1stream.sources.session import Session

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"


def missing(what: str) -> None:
    """Skip with a reason; in CI a missing part is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}; in CI that is a failure")
    pytest.skip(what)


@pytest.fixture(scope="session")
def archive_path() -> Path:
    """The 2025 Australian Grand Prix as a session archive."""
    path = DATA / "aus2025_race"
    if not path.is_dir():
        missing(f"the recorded session at {path} is not there")
    return path


@pytest.fixture(scope="session")
def aus_session(archive_path: Path) -> Session:
    """The same, read."""
    return read_archive(archive_path)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What was measured, at the end where it is read."""
    if figures:
        terminalreporter.section("measured")
        for line in figures:
            terminalreporter.write_line(line)
