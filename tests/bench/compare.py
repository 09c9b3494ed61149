"""``make bench-compare BASE=COMMIT``: the benchmarks of two commits in turns, and the ratio of each figure.

Each commit runs its own benchmarks, with the libraries of this environment. They alternate (A B A B), so that a
machine that becomes slower does so for both.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.support.required import DATA, ROOT

Figures = dict[str, dict[str, Any]]
"""By name: value and unit, as ``Results.write`` writes them."""
ROUNDS = 2


def main() -> None:
    """Compare the working tree with a commit."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.compare", description=__doc__)
    parser.add_argument("base", metavar="COMMIT", help="the commit to compare the working tree with")
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks to run, by default all")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="runs of each commit (default %(default)s)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "base"
        subprocess.run(["git", "worktree", "add", "--detach", "--quiet", str(base), asked.base], cwd=ROOT, check=True)
        try:
            (Path(folder) / "shared").symlink_to(DATA.parent)
            if (jars := ROOT / "deploy/kafka/target").is_dir():
                (base / "deploy/kafka/target").symlink_to(jars)
            runs: dict[Path, list[Figures]] = {base: [], ROOT: []}
            for _ in range(asked.rounds):
                for tree, found in runs.items():
                    found.append(measured(tree, asked.names, Path(folder) / "figures.json"))
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(base)], cwd=ROOT, check=True)
    show(asked.base, runs[base], runs[ROOT])


def measured(tree: Path, names: list[str], file: Path) -> Figures:
    """The figures of one run of the benchmarks in ``tree``."""
    print(f"-- {tree}", flush=True)
    subprocess.run(
        [sys.executable, "-m", "tests.bench", *names, "--json", str(file)], cwd=tree, check=True,
        env={**os.environ, "PYTHONPATH": str(tree)},
    )  # fmt: skip
    figures: Figures = json.loads(file.read_text())["figures"]
    return figures


def show(name: str, before: list[Figures], after: list[Figures]) -> None:
    """Print a table: the median of each figure, and every run."""
    table = Table("", name, "here", "ratio", "unit", "runs")
    for figure, of in after[0].items():
        if figure not in before[0]:
            continue
        one, other = ([float(run[figure]["value"]) for run in runs if figure in run] for runs in (before, after))
        ratio = median(other) / median(one) if median(one) else float("nan")
        runs = f"{' '.join(f'{value:,.2f}' for value in one)} | {' '.join(f'{value:,.2f}' for value in other)}"
        table.add_row(figure, f"{median(one):,.2f}", f"{median(other):,.2f}", f"{ratio:.2f}", str(of["unit"]), runs)
    Console(width=170).print(table)


if __name__ == "__main__":
    main()
