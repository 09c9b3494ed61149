"""What the command line says of itself, and refuses."""

from __future__ import annotations

from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from f1stream import cli
from f1stream.marts import project


def test_version() -> None:
    done = CliRunner().invoke(cli.app, ["--version"])
    assert (done.exit_code, done.output) == (0, f"f1stream {version('f1stream')}\n")


def test_append_without_a_recording_is_refused() -> None:
    done = CliRunner().invoke(cli.app, ["live", "--append"])
    assert done.exit_code == 2
    assert "--append goes with --record" in done.output


def test_dbt_without_a_command_shows_its_help(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[list[str]] = []
    monkeypatch.setenv("F1STREAM_HOME", str(tmp_path))
    monkeypatch.setattr(cli, "embedded_warehouse", nullcontext)
    monkeypatch.setattr(project, "run_dbt", lambda _, arguments: asked.append(arguments) or True)
    assert CliRunner().invoke(cli.app, ["dbt"]).exit_code == 0
    assert asked == [["--help"]]
