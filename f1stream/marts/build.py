"""Builds the marts: ``dbt build`` in a child process, and its result."""

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
"""Seconds. A build that takes longer is killed and fails."""
NAMED = 3
"""This many failed nodes are named in the error, and their messages from the warehouse logged."""
LAST_LINES = 10
"""Lines of dbt's output that are logged when it fails before its first node."""


class BuildFailed(UserError):
    """The marts could not be built; the text is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Build:
    """The result of a successful build."""

    nodes: int
    """Models, seeds, snapshots and tests."""
    rows: int
    """Rows written by models, seeds and snapshots, as far as the warehouse reports them."""
    warnings: list[str]
    """Failed tests of upstream data."""
    seconds: float

    def summary(self) -> str:
        """A sentence for the user."""
        warned = f", {len(self.warnings)} warnings ({', '.join(self.warnings[:NAMED])})" if self.warnings else ""
        return f"Marts built: {self.nodes} nodes, {self.rows:,} rows written in {self.seconds:.0f} s{warned}."


def build(settings: Settings) -> Build:
    """Run ``dbt build`` without unit tests in a child process that ends with this one. Raises BuildFailed.

    Unit tests have fixed rows: they test the project, not the data. CI and ``f1stream dbt build`` run them.
    """
    logs = settings.folder("logs")
    results = settings.home / "dbt" / "target" / "run_results.json"
    results.unlink(missing_ok=True)
    output_file = logs / "dbt.log"
    command = [sys.executable, "-m", "f1stream.marts.project", "build", "--exclude-resource-type", "unit_test"]
    with output_file.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env=environment_for(settings, "dbt"),
        )  # fmt: skip
        try:
            code = process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise BuildFailed(f"dbt build was ended after {TIMEOUT_S / 3600:.0f} hours; see {output_file}.") from None
        finally:
            process.kill()
            process.wait()
    if not results.is_file():
        log.error("dbt: %s", "\n".join(output_file.read_text(errors="replace").splitlines()[-LAST_LINES:]))
        raise BuildFailed(f"dbt build ended with code {code} before its first node; see {output_file}.")
    result = json.loads(results.read_text())
    by_status: dict[str, list[str]] = {}
    for node in result["results"]:
        by_status.setdefault(node["status"], []).append(node["unique_id"].split(".", 2)[-1])
    failed = by_status.get("error", []) + by_status.get("fail", [])
    if code != 0 or failed:
        for node in [each for each in result["results"] if each["status"] in {"error", "fail"}][:NAMED]:
            log.error("dbt, %s: %s", node["unique_id"], node["message"])
        named = ", ".join(failed[:NAMED]) + (f" and {len(failed) - NAMED} more" if len(failed) > NAMED else "")
        raise BuildFailed(f"dbt build ended with code {code}; failed: {named or 'no node'}. See {output_file}.")
    rows = sum(node["adapter_response"].get("rows_affected") or 0 for node in result["results"] if _writes(node))
    return Build(len(result["results"]), rows, by_status.get("warn", []), result["elapsed_time"])


def _writes(node: dict[str, object]) -> bool:
    return str(node["unique_id"]).partition(".")[0] in {"model", "seed", "snapshot"}
