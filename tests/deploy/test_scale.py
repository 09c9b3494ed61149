"""`make bench-scale` does what it says, on a small race: nothing is lost, and both frameworks come to the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.kafka_cluster import jars
from tests.support.required import ROOT, missing

pytestmark = pytest.mark.system
SMALL = ("--sessions", "1", "--workers", "1", "--laps", "1", "--cars", "4", "--rounds", "1", "--no-warm-up")
Report = dict[str, list[dict[str, Any]]]


@pytest.fixture
def measured(tmp_path: Path) -> Report:
    """What it has measured. It ends in an error when samples are lost, or states or updates differ."""
    jars()
    if not (ROOT / ".venv-quix" / ".ready").exists():
        missing("There is no .venv-quix: run `make quix-setup`.")
    report = tmp_path / "scale.json"
    command = [sys.executable, "-m", "tests.bench.scale", *SMALL, "--json", str(report)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(report.read_text())


def test_all_that_was_published_is_raced_and_every_framework_has_counted_it(measured: Report) -> None:
    (cell,) = measured["cells"]
    assert cell["samples"] == cell["published"] > 1_000
    assert cell["frames"] > 100
    names = [job["name"] for job in measured["frameworks"]]
    assert names == ["Faust", "Quix Streams", "Faust, by batches"]
    assert len({(job["packets"], job["samples"]) for job in measured["frameworks"]}) == 1
