"""Building the marts: dbt in a process of its own, and what it said."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from dataclasses import dataclass

from f1stream.child_environment import environment_for
from f1stream.errors import UserError
from f1stream.settings import Settings

log = logging.getLogger(__name__)

TIMEOUT_S = 2 * 3600.0
NAMED = 3
"""So many nodes that failed are named, and what the warehouse said of each is logged."""
LAST_LINES = 10


class BuildFailed(UserError):
    """The marts could not be built; the text is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Build:
    """What a build did."""

    nodes: int
    rows: int
    """Written by models, seeds and snapshots, as far as the warehouse told."""
    warnings: list[str]
    """Tests on what upstream says that did not hold."""
    seconds: float

    def summary(self) -> str:
        """For the user."""
        warned = f", {len(self.warnings)} warnings ({', '.join(self.warnings[:NAMED])})" if self.warnings else ""
        return f"Marts built: {self.nodes} nodes, {self.rows:,} rows written in {self.seconds:.0f} s{warned}."


def build(settings: Settings) -> Build:
    """``dbt build`` without unit tests, in a child process that ends with this one. Raises BuildFailed.

    Unit tests have fixed rows: they check the project, not the data, and run in CI and with ``f1stream dbt build``.
    """
    logs = settings.folder("logs")
    results = settings.home / "dbt" / "target" / "run_results.json"
    results.unlink(missing_ok=True)
    said = logs / "dbt.log"
    command = [sys.executable, "-m", "f1stream.marts.project", "build", "--exclude-resource-type", "unit_test"]
    with said.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env=environment_for(settings, "dbt"),
        )  # fmt: skip
        try:
            code = process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise BuildFailed(f"dbt build was ended after {TIMEOUT_S / 3600:.0f} hours; see {said}.") from None
        finally:
            process.kill()
            process.wait()
    if not results.is_file():
        log.error("dbt: %s", "\n".join(said.read_text(errors="replace").splitlines()[-LAST_LINES:]))
        raise BuildFailed(f"dbt build ended with code {code} before its first node; see {said}.")
    told = json.loads(results.read_text())
    by_status: dict[str, list[str]] = {}
    for node in told["results"]:
        by_status.setdefault(node["status"], []).append(node["unique_id"].split(".", 2)[-1])
    failed = by_status.get("error", []) + by_status.get("fail", [])
    if code != 0 or failed:
        for node in [each for each in told["results"] if each["status"] in {"error", "fail"}][:NAMED]:
            log.error("dbt, %s: %s", node["unique_id"], node["message"])
        named = ", ".join(failed[:NAMED]) + (f" and {len(failed) - NAMED} more" if len(failed) > NAMED else "")
        raise BuildFailed(f"dbt build ended with code {code}; failed: {named or 'no node'}. See {said}.")
    rows = sum(node["adapter_response"].get("rows_affected") or 0 for node in told["results"] if _writes(node))
    return Build(len(told["results"]), rows, by_status.get("warn", []), told["elapsed_time"])


def _writes(node: dict[str, object]) -> bool:
    return str(node["unique_id"]).partition(".")[0] in {"model", "seed", "snapshot"}
