"""Which session the demo shows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from f1stream.demo import Demo
from f1stream.settings import settings
from f1stream.sources.session import SourceError
from tests.support.ports import free_port


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    assert os.environ["F1STREAM_FASTF1_URL"].startswith("http://127.0.0.1"), "tests ask no server of others"
    monkeypatch.setenv("F1STREAM_HOME", str(tmp_path))
    monkeypatch.setenv("F1STREAM_FASTF1_CACHE", str(tmp_path / "cache"))
    for port in ("EMBEDDED_BROKER", "WEB", "RACE", "ARCHIVE", "SCHEDULE", "EMBEDDED_WAREHOUSE"):
        monkeypatch.setenv(f"F1STREAM_{port}_PORT", str(free_port()))
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def prepared(source: str | None) -> str:
    plan = Demo(source, "1", False, None)
    plan.prepare()
    return plan.session


def test_a_race_is_simulated_when_there_is_no_network(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepared(None) == "sim:"
    told = " ".join(capsys.readouterr().out.split())
    assert "2025 Australian Grand Prix, Race, cannot be had (there is no network); a simulated race instead" in told


def test_race_that_was_fetched_before_is_shown_without_asking(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = home / "archives" / "2025-australian-grand-prix-race"
    folder.mkdir(parents=True)
    (folder / "session.json").write_text("{}")
    assert prepared(None) == prepared("fastf1:2025/Australian Grand Prix/R") == f"archive:{folder}"
    assert capsys.readouterr().out == ""


def test_what_was_asked_for_is_shown_or_nothing(home: Path) -> None:
    assert prepared("sim:laps=3") == "sim:laps=3"
    with pytest.raises(SourceError, match="is not available"):
        prepared("fastf1:2025/Australia/R")
