"""What the Dockerfile builds, without Docker: its commands in a folder, and processes from the wheel."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.figures import figures
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"
NOT_SENT = shutil.ignore_patterns("__pycache__", "target", "logs", "dbt_packages")
"""As in Dockerfile.dockerignore."""
INSTALLED = "/opt/f1stream"
PORTS = ("EMBEDDED_BROKER", "EMBEDDED_WAREHOUSE", "WEB", "RACE", "ARCHIVE", "SCHEDULE", "LIVE")


def build_stage() -> Iterator[tuple[str, str]]:
    """Instructions of the first stage, in their order."""
    stage = DOCKERFILE.read_text().partition(" AS build\n")[2].partition("\nFROM ")[0]
    for line in stage.splitlines():
        kind, _, rest = line.partition(" ")
        assert kind in {"WORKDIR", "COPY", "RUN"}, f"{kind} is not done here"
        yield kind, rest


def copied() -> Iterator[str]:
    """What the build takes from the project."""
    for kind, rest in build_stage():
        if kind == "COPY":
            yield from rest.split()[:-1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the image has as /opt/f1stream."""
    folder = tmp_path_factory.mktemp("image")
    build, installed = folder / "build", folder / "f1stream"
    build.mkdir()
    for kind, rest in build_stage():
        if kind == "COPY":
            *sources, target = rest.split()
            for source in sources:
                into = build / target / Path(source).name if target.endswith("/") else build / target
                into.parent.mkdir(parents=True, exist_ok=True)
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, into, ignore=NOT_SENT)
                else:
                    shutil.copy(ROOT / source, into)
        elif kind == "RUN":
            command = rest.replace(INSTALLED, str(installed))
            if command.startswith("python "):
                command = sys.executable + command.removeprefix("python")
            done = subprocess.run(["sh", "-ec", command], cwd=build, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{rest}: {done.stderr[-2000:]}"
    return installed


def test_what_is_sent_to_the_builder_is_what_is_copied_and_nothing_else() -> None:
    ignore = (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text()
    assert set(re.findall(r"^!(.+)$", ignore, re.MULTILINE)) == set(copied())
    assert "\n*\n" in ignore, "everything else is not left out"


@pytest.mark.system
def test_all_processes_run_a_race_from_the_wheel_in_a_clean_environment(installed: Path, tmp_path: Path) -> None:
    environment = {
        "PATH": f"{installed / 'bin'}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "F1STREAM_JOLPICA_URL": os.environ["F1STREAM_JOLPICA_URL"],
        **{f"F1STREAM_{name}_PORT": str(free_port()) for name in PORTS},
    }

    def run(*command: str) -> str:
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"{command}: {(done.stdout + done.stderr)[-3000:]}"
        return done.stdout

    where = run("python", "-c", "import f1stream, agents, models, web; print(f1stream.__file__, web.__file__)")
    assert all(path.startswith(str(installed)) for path in where.split()), where
    report = tmp_path / "report.json"
    run("f1stream", "demo", "--source", "sim:cars=4,laps=2", "--speed", "max", "--exit-when-done",
        "--report", str(report))  # fmt: skip
    result = json.loads(report.read_text())  # what is not accounted for would have been exit code 1
    assert len(result["final_order"]) == 4
    assert result["warehouse"]["laps"] == result["laps"] == 8
    assert result["seconds"]["marts"], "dbt has not built the marts"
    for module in ("race", "archive"):
        assert "worker" in run("faust", "-A", f"agents.{module}", "worker", "--help")
    size = sum(file.stat().st_size for file in installed.rglob("*") if not file.is_symlink())
    figures.append(f"what the image adds to its base: {size / 1e6:,.0f} MB")
