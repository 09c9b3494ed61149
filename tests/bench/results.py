"""The figures of a benchmark run: printed one by one, and written as JSON with the versions of what was measured."""

from __future__ import annotations

import json
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import psutil

from tests.support.required import ROOT

LIBRARIES = (
    "aiohttp", "aiokafka", "duckdb", "dbt-core", "fakesnow", "faust-streaming", "numpy", "pyarrow", "pydantic",
    "snowflake-connector-python", "tansu",
)  # fmt: skip
WIDTH = 62


class Results:
    """Figures by name, each with its unit."""

    def __init__(self) -> None:
        self.figures: dict[str, tuple[float, str]] = {}

    def add(self, name: str, value: float, unit: str) -> None:
        """Keep and print a figure."""
        self.figures[name] = (value, unit)
        print(f"{name:<{WIDTH}} {value:>12,.{0 if abs(value) >= 1_000 else 2}f} {unit}", flush=True)

    def write(self, path: Path) -> None:
        """Write all figures as JSON."""
        found = {name: {"value": value, "unit": unit} for name, (value, unit) in self.figures.items()}
        path.write_text(json.dumps({"machine": machine(), "figures": found}, indent=1) + "\n")


def machine() -> dict[str, object]:
    """What the figures depend on beside the code: the commit, the machine and the versions."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    cpu = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
           if line.startswith("model name")]  # fmt: skip
    return {
        "commit": commit.stdout.strip(),
        "cpu": cpu[0] if cpu else platform.processor(),
        "cores": psutil.cpu_count(),
        "memory_mb": psutil.virtual_memory().total // 2**20,
        "system": platform.platform(),
        "python": platform.python_version(),
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except ModuleNotFoundError:
        return ""
