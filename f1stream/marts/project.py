"""Running dbt on the project, with a profile made from the settings."""

from __future__ import annotations

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
"""Fields of a profile that dbt reads from the environment, under names that it never prints."""
THREADS = 4
NICENESS = 10
"""Of a job's build: on a machine that also races, the race comes first."""
TARGETS = ("dev", "pr", "staging", "prod")


def folder() -> Path:
    """Where the dbt project is: beside the sources, or within the installed package."""
    beside = Path(__file__).resolve().parents[2] / "dbt"
    return beside if (beside / "dbt_project.yml").is_file() else Path(__file__).resolve().parents[1] / "dbt_project"


def default_target(settings: Settings) -> str:
    """As set; without it, production for the embedded warehouse and development for Snowflake."""
    return settings.dbt_target or ("prod" if settings.embedded_warehouse else "dev")


def profile(settings: Settings) -> tuple[dict[str, Any], dict[str, str]]:
    """The profile, with secrets named only, and the environment that holds them."""
    client = settings.warehouse_client()
    field = {"private_key_file": "private_key_path", "private_key_file_pwd": "private_key_passphrase"}
    output: dict[str, Any] = {field.get(name, name): value for name, value in client.items()}
    if output.get("authenticator") == "SNOWFLAKE_JWT":  # dbt tells it from the key
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
    own = f"DEV_{getpass.getuser()}".upper().replace("-", "_").replace(".", "_")
    schemas = {"dev": own, "pr": "PR", "staging": "PREPROD", "prod": "MARTS"}
    outputs = {
        target: output | {"schema": (settings.dbt_schema if target != "prod" else "") or schemas[target]}
        for target in TARGETS
    }
    return {"f1stream": {"target": default_target(settings), "outputs": outputs}}, environment


def schema_of_marts(settings: Settings) -> str:
    """Where dbt builds the marts: production has a schema for each layer, the other targets one for everything."""
    outputs = profile(settings)[0]["f1stream"]["outputs"]
    return str(outputs[default_target(settings)]["schema"])


def run_dbt(settings: Settings, arguments: Sequence[str]) -> bool:
    """Run dbt in this process, as its own command line would; returns whether it succeeded."""
    from dbt.cli.main import dbtRunner  # noqa: PLC0415 - dbt takes seconds to import

    home = settings.folder("dbt").resolve()
    told, environment = profile(settings)
    (home / "profiles.yml").write_text(json.dumps(told, indent=1))  # JSON is YAML
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
    done = dbtRunner().invoke(list(arguments))
    if isinstance(done.exception, SystemExit):  # a signal's; dbt takes it for an error like any other
        raise done.exception
    return bool(done.success)


def manifest(settings: Settings) -> dict[str, Any]:
    """What dbt says of the project: every node, source and exposure. Needs no warehouse."""
    if not run_dbt(settings, ["parse", "--quiet"]):
        raise RuntimeError("dbt could not parse the project; what it said is above.")
    told: dict[str, Any] = json.loads((settings.home / "dbt" / "target" / "manifest.json").read_text())
    return told


if __name__ == "__main__":  # the child of a job, which holds the lock for it
    os.nice(NICENESS)
    terminate_with_parent()
    raise SystemExit(0 if run_dbt(settings(), sys.argv[1:]) else 1)
