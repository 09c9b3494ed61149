from __future__ import annotations

import sys
from pathlib import Path

import pytest

from f1stream.marts import build
from f1stream.settings import Settings

RESULTS = """{"elapsed_time": 1.0, "results": [
 {"unique_id": "model.f1stream.fact_laps", "status": "error", "message": "invalid identifier 'LAP'",
  "adapter_response": {}}]}"""


def dbt(home: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A shell script in place of dbt: a real build that fails takes minutes."""
    program = home / "dbt.sh"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    return Settings(_env_file=None, home=home)


def test_the_warehouses_error_of_a_failed_model_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    target = tmp_path / "dbt" / "target"
    target.mkdir(parents=True)
    (tmp_path / "results").write_text(RESULTS)
    settings = dbt(tmp_path, f"cp {tmp_path}/results {target}/run_results.json; exit 1", monkeypatch)
    with pytest.raises(build.BuildFailed, match="failed: fact_laps"):
        build.build(settings)
    assert "invalid identifier 'LAP'" in caplog.text


def test_the_reason_why_dbt_did_not_begin_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = dbt(tmp_path, "echo no such account; exit 2", monkeypatch)
    with pytest.raises(build.BuildFailed, match="code 2 before its first node"):
        build.build(settings)
    assert "no such account" in caplog.text


def test_unit_tests_are_left_to_developers_and_ci(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their rows are fixed: on one version of the project the result is fixed too. They take a third of a build."""
    target = tmp_path / "dbt" / "target"
    target.mkdir(parents=True)
    (tmp_path / "results").write_text('{"elapsed_time": 1.0, "results": []}')
    script = f'echo "$@" > {tmp_path}/asked; cp {tmp_path}/results {target}/run_results.json'
    settings = dbt(tmp_path, script, monkeypatch)
    build.build(settings)
    assert (tmp_path / "asked").read_text().split()[-3:] == ["build", "--exclude-resource-type", "unit_test"]
