"""Runs dbt on the project, with a profile generated from the settings."""

from __future__ import annotations

import gc
import getpass
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from f1stream.processes import terminate_with_parent
from f1stream.settings import Settings, settings

SECRETS = {
    "password": "PASSWORD", "token": "TOKEN", "private_key": "KEY", "private_key_passphrase": "KEY_PASSPHRASE",
}  # fmt: skip
"""Profile fields that dbt reads from the environment; it never prints variables named ``DBT_ENV_SECRET_…``."""
THREADS = 4
"""Models that dbt builds at a time."""
NICENESS = 10
"""Of a job's build: on a machine that also runs a race, the race has priority."""
TARGETS = ("dev", "pr", "staging", "prod")
"""Build targets; the schemas of each are in ``docs/marts.md``."""


def folder() -> Path:
    """Folder of the dbt project: beside the sources, or in the installed package."""
    beside = Path(__file__).resolve().parents[2] / "dbt"
    return beside if (beside / "dbt_project.yml").is_file() else Path(__file__).resolve().parents[1] / "dbt_project"


def default_target(settings: Settings) -> str:
    """F1STREAM_DBT_TARGET; without it ``prod`` for the embedded warehouse and ``dev`` for Snowflake."""
    return settings.dbt_target or ("prod" if settings.embedded_warehouse else "dev")


def profile(settings: Settings) -> tuple[dict[str, Any], dict[str, str]]:
    """The profile, which refers to secrets by name, and the environment variables that hold them."""
    client = settings.warehouse_client()
    field = {"private_key_file": "private_key_path", "private_key_file_pwd": "private_key_passphrase"}
    output: dict[str, Any] = {field.get(name, name): value for name, value in client.items()}
    if output.get("authenticator") == "SNOWFLAKE_JWT":  # dbt infers it from the key
        del output["authenticator"]
    environment = {}
    for name, variable in SECRETS.items():
        if name in output:
            value = output[name]
            environment[f"DBT_ENV_SECRET_F1STREAM_{variable}"] = value.decode() if isinstance(value, bytes) else value
            output[name] = "{{ env_var('DBT_ENV_SECRET_F1STREAM_" + variable + "') }}"
    output |= {
        "type": "snowflake", "database": settings.snowflake_database, "threads": THREADS, "connect_retries": 1,
        "query_tag": "f1stream-dbt",
    }  # fmt: skip
    outputs = {target: output | {"schema": _schema(settings, target)} for target in TARGETS}
    return {"f1stream": {"target": default_target(settings), "outputs": outputs}}, environment


def schema_of_marts(settings: Settings) -> str:
    """The schema of the marts: target ``prod`` has a schema per layer, the other targets one for all layers."""
    return _schema(settings, default_target(settings))


def _schema(settings: Settings, target: str) -> str:
    own = f"DEV_{getpass.getuser()}".upper().replace("-", "_").replace(".", "_")
    schemas = {"dev": own, "pr": "PR", "staging": "PREPROD", "prod": "MARTS"}
    return (settings.dbt_schema if target != "prod" else "") or schemas[target]


def run_dbt(settings: Settings, arguments: Sequence[str]) -> bool:
    """Run dbt in this process with command-line arguments; returns whether it succeeded."""
    from dbt.cli.main import dbtRunner  # noqa: PLC0415 - dbt takes seconds to import

    home = settings.folder("dbt").resolve()
    profiles, environment = profile(settings)
    (home / "profiles.yml").write_text(json.dumps(profiles, indent=1))  # JSON is valid YAML
    os.environ.update(
        environment
        | {
            "DBT_PROJECT_DIR": str(folder()),
            "DBT_PROFILES_DIR": str(home),
            "DBT_TARGET_PATH": str(home / "target"),
            "DBT_LOG_PATH": str(home / "logs"),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }
    )
    result = dbtRunner().invoke(list(arguments))
    if isinstance(result.exception, SystemExit):  # raised by a signal handler; dbt catches it like any error
        raise result.exception
    return bool(result.success)


def manifest(settings: Settings) -> dict[str, Any]:
    """dbt's manifest: every node, source and exposure of the project. Needs no warehouse."""
    if not run_dbt(settings, ["parse", "--quiet"]):
        raise RuntimeError("dbt could not parse the project; its error is above.")
    content: dict[str, Any] = json.loads((settings.home / "dbt" / "target" / "manifest.json").read_text())
    return content


def needed_schemas(manifest: dict[str, Any]) -> set[str]:
    """The schemas in which a build creates tables or views; dbt creates those that its role does not see."""
    return {
        node["schema"]
        for node in manifest["nodes"].values()
        if (node["config"]["store_failures"] if node["resource_type"] == "test" else
            node["resource_type"] in {"model", "seed", "snapshot"})
    }  # fmt: skip


if __name__ == "__main__":  # the child of a job, which holds the lock
    os.nice(NICENESS)
    gc.set_threshold(10_000, 50, 100)  # the manifest stays: each collection goes through all of it
    terminate_with_parent()
    raise SystemExit(0 if run_dbt(settings(), sys.argv[1:]) else 1)
