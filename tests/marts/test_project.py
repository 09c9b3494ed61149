"""The dbt project: its layers, its documentation, and the generated profile."""

from __future__ import annotations

import json
import os
import re
import sys
from collections import defaultdict
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from dbt.adapters.snowflake.auth import private_key_from_string
from dbt.adapters.snowflake.connections import SnowflakeCredentials
from snowflake.connector.auth import AuthByKeyPair
from typer.testing import CliRunner

from f1stream import cli
from f1stream.marts import project
from f1stream.marts.diagram import FILE, tables
from f1stream.marts.project import folder, profile, schema_of_marts
from f1stream.marts.publish import EVENTS, RESULTS, STANDINGS
from f1stream.settings import Settings
from f1stream.warehouse import schema


@pytest.fixture(scope="module")
def models(manifest: dict[str, Any]) -> dict[str, Any]:
    return {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}


def test_only_staging_reads_what_was_loaded(models: dict[str, Any]) -> None:
    for name, model in models.items():
        reads_sources = any(parent.startswith("source.") for parent in model["depends_on"]["nodes"])
        assert reads_sources == ("staging" in model["fqn"]), name


def test_staging_reads_no_marts(models: dict[str, Any]) -> None:
    for name, model in models.items():
        if "staging" in model["fqn"]:
            assert all("stg_stream__runs" in parent or parent.startswith("source.")
                       for parent in model["depends_on"]["nodes"]), name  # fmt: skip


def test_every_source_table_has_one_staging_model(manifest: dict[str, Any], models: dict[str, Any]) -> None:
    for source in manifest["sources"]:
        readers = [name for name, model in models.items() if source in model["depends_on"]["nodes"]]
        own = [name for name in readers if name != "stg_stream__runs"] or readers
        assert len(own) == 1, source


def test_every_model_and_every_column_is_described(models: dict[str, Any]) -> None:
    for name, model in models.items():
        assert model["description"], name
        assert model["columns"], name
        for column in model["columns"].values():
            assert column["description"], f"{name}.{column['name']}"


def test_every_mart_has_a_contract_and_a_tested_key(manifest: dict[str, Any], models: dict[str, Any]) -> None:
    tests = [
        node for node in manifest["nodes"].values() if node["resource_type"] == "test" and node.get("test_metadata")
    ]
    for name, model in models.items():
        if "marts" not in model["fqn"] or name == "telemetry":
            continue
        assert model["contract"]["enforced"], name
        kinds = {test["test_metadata"]["name"] for test in tests if test["attached_node"] == model["unique_id"]}
        assert "primary_key" in kinds, name


def test_every_foreign_key_is_tested(manifest: dict[str, Any], models: dict[str, Any]) -> None:
    keys = {model["unique_id"]: name for name, model in models.items()}
    tested = {
        (keys[node["attached_node"]], column)
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test"
        and (node.get("test_metadata") or {}).get("name") in {"foreign_keys", "primary_key"}
        for column in node["test_metadata"]["kwargs"].get("to") or [node["column_name"]]
    }
    for name, model in models.items():
        if "marts" in model["fqn"] and name != "telemetry":
            for column in model["columns"]:
                if column.endswith("_key"):
                    assert (name, column) in tested, f"{name}.{column}"


def test_every_model_with_a_rule_has_a_unit_test(manifest: dict[str, Any]) -> None:
    tested = {unit["model"] for unit in manifest["unit_tests"].values()}
    assert tested >= {
        "stg_stream__runs", "stg_stream__laps", "stg_stream__messages", "fact_events", "dim_driver_team",
        "dim_session", "dim_session_entry",
        "fact_penalties", "fact_track_status", "fact_stints", "fact_lap_telemetry", "fact_lap_corners",
        "fact_pit_stop_telemetry",
        "fact_race_laps", "fact_pit_stops", "fact_race_results", "page_results", "page_standings",
    }  # fmt: skip


def test_only_changed_sessions_samples_are_read(manifest: dict[str, Any], models: dict[str, Any]) -> None:
    """All other nodes of a build do without the samples: they are by far the largest table."""
    readers: dict[str, set[str]] = defaultdict(set)
    for node in manifest["nodes"].values():
        for parent in node.get("depends_on", {}).get("nodes", []):
            readers[parent].add(node["name"])
    incremental = {"fact_lap_telemetry", "fact_lap_corners", "fact_pit_stop_telemetry"}
    assert readers["source.f1stream.stream.telemetry"] == {"stg_stream__telemetry"}
    assert readers["model.f1stream.stg_stream__telemetry"] == {"telemetry", *incremental}
    assert readers["model.f1stream.telemetry"] == set()
    for name in ("stg_stream__telemetry", "telemetry"):
        assert models[name]["config"]["materialized"] == "view"
    for name in incremental:
        assert models[name]["config"]["materialized"] == "incremental"
        assert models[name]["config"]["on_schema_change"] == "append_new_columns"
        assert "changed_samples(" in models[name]["raw_code"]
        assert "stg_stream__telemetry" not in models[name]["raw_code"]


def test_only_the_samples_have_a_clustering_key(models: dict[str, Any]) -> None:
    """Other tables are a few micro-partitions: automatic clustering would only cost."""
    assert {name for name, model in models.items() if model["config"].get("cluster_by")} == set()
    ddl = Path(schema.__file__).parent / "ddl"
    clustered = [line for file in ddl.iterdir() for line in file.read_text().splitlines() if "cluster by" in line]
    assert [line.split("(")[0] for line in clustered] == ["create table if not exists RAW.TELEMETRY "]


def test_secrets_are_in_the_environment_and_not_in_the_profile() -> None:
    settings = Settings(
        _env_file=None, snowflake_account="acme-1", snowflake_user="dbt", snowflake_password="marked-secret"
    )
    profiles, environment = profile(settings)
    assert "marked-secret" not in json.dumps(profiles)
    assert environment == {"DBT_ENV_SECRET_F1STREAM_PASSWORD": "marked-secret"}
    assert profiles["f1stream"]["target"] == "dev"
    output = profiles["f1stream"]["outputs"]["dev"]
    assert output["password"] == "{{ env_var('DBT_ENV_SECRET_F1STREAM_PASSWORD') }}"
    assert output["account"] == "acme-1"


def test_a_key_pair_is_a_path_and_a_passphrase(tmp_path: Path) -> None:
    settings = Settings(
        _env_file=None, snowflake_account="acme-1", snowflake_user="dbt", snowflake_private_key_passphrase="marked",
        snowflake_private_key_file=tmp_path / "key.p8",
    )  # fmt: skip
    profiles, environment = profile(settings)
    output = profiles["f1stream"]["outputs"]["prod"]
    assert output["private_key_path"] == str(tmp_path / "key.p8")
    assert "authenticator" not in output
    assert environment == {"DBT_ENV_SECRET_F1STREAM_KEY_PASSPHRASE": "marked"}


@pytest.mark.parametrize("provider", ["AWS", "AZURE", "GCP", "OIDC"])
def test_dbt_logs_in_by_workload_identity_as_the_connector_does(tmp_path: Path, provider: str) -> None:
    (tmp_path / "token").write_text("marked-token")
    settings = Settings(
        _env_file=None, snowflake_account="acme-1", snowflake_workload_identity=provider,
        snowflake_token_file=tmp_path / "token",
    )  # fmt: skip
    profiles, environment = profile(settings)
    output = profiles["f1stream"]["outputs"]["prod"]
    assert "marked-token" not in json.dumps(profiles)
    del output["type"], output["threads"]
    if provider == "OIDC":
        assert output["token"] == "{{ env_var('DBT_ENV_SECRET_F1STREAM_TOKEN') }}"
        output["token"] = environment["DBT_ENV_SECRET_F1STREAM_TOKEN"]
    login = SnowflakeCredentials.from_dict(output).auth_args()
    client = settings.warehouse_client()
    assert {name: login.get(name) for name in client.keys() - {"account", "user"}} == {
        name: value for name, value in client.items() if name not in {"account", "user"}
    }
    assert client["authenticator"] == "WORKLOAD_IDENTITY"


@pytest.mark.parametrize("passphrase", ["", "marked"])
def test_a_private_key_from_the_environment_is_one_that_the_connector_and_dbt_load(passphrase: str) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    sealed = serialization.BestAvailableEncryption(b"marked") if passphrase else serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed).decode()
    settings = Settings(
        _env_file=None, snowflake_account="acme-1", snowflake_user="dbt", snowflake_private_key=pem,
        snowflake_private_key_passphrase=passphrase,
    )  # fmt: skip
    client = settings.warehouse_client()
    connector = AuthByKeyPair(client["private_key"], client.get("private_key_passphrase"))
    connector.prepare(account="ACME-1", user="DBT")  # signs a token with it
    profiles, environment = profile(settings)
    output = profiles["f1stream"]["outputs"]["prod"]
    assert output["private_key"] == "{{ env_var('DBT_ENV_SECRET_F1STREAM_KEY') }}"
    assert client["private_key"] not in json.dumps(profiles)
    loaded = private_key_from_string(
        environment["DBT_ENV_SECRET_F1STREAM_KEY"], environment.get("DBT_ENV_SECRET_F1STREAM_KEY_PASSPHRASE")
    )
    assert loaded.private_numbers() == key.private_numbers()


def test_a_pull_request_has_a_schema_of_its_own_and_production_its_layers() -> None:
    settings = Settings(_env_file=None, dbt_target="pr", dbt_schema="PR_12")
    profiles = profile(settings)[0]["f1stream"]
    assert profiles["target"] == "pr"
    assert {name: output["schema"] for name, output in profiles["outputs"].items()} == {
        "dev": "PR_12", "pr": "PR_12", "staging": "PR_12", "prod": "MARTS"
    }  # fmt: skip


def test_the_schema_of_the_marts_needs_no_login(tmp_path: Path) -> None:
    """A token file is replaced while a job runs; the job reads the schema after the build."""
    settings = Settings(_env_file=None, snowflake_account="acme-1", snowflake_token_file=tmp_path / "none")
    assert schema_of_marts(settings.model_copy(update={"dbt_target": "prod"})) == "MARTS"
    assert schema_of_marts(settings.model_copy(update={"dbt_target": "pr", "dbt_schema": "PR_12"})) == "PR_12"


@pytest.mark.parametrize(
    ("account", "succeeds", "tables"), [("", True, [["F1STREAM"]]), ("", False, [["F1STREAM"]]), ("acme-1", True, [])]
)
def test_dbt_s_own_options_reach_it_and_its_success_is_the_command_s(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, account: str, succeeds: bool, tables: list[list[str]]
) -> None:
    """Tables of a new release are created before, in the embedded warehouse only."""
    reached: list[list[str]] = []
    settings = Settings(_env_file=None, home=tmp_path, snowflake_account=account)
    monkeypatch.setattr("f1stream.settings.settings", lambda: settings)
    monkeypatch.setattr("f1stream.warehouse.ensure_tables.ensure_tables", lambda _, name: reached.append([name]))
    monkeypatch.setattr("f1stream.embedded.running.embedded_warehouse", nullcontext)
    monkeypatch.setattr(project, "run_dbt", lambda _, arguments: bool(reached.append(arguments)) or succeeds)
    ran = CliRunner().invoke(cli.app, ["dbt", "build", "--full-refresh", "--select", "fact_laps+", "--help"])
    assert reached == [*tables, ["build", "--full-refresh", "--select", "fact_laps+", "--help"]]
    assert ran.exit_code == (0 if succeeds else 1)
    assert (folder() / "dbt_project.yml").is_file()


def test_the_committed_diagram_is_what_the_manifest_says(manifest: dict[str, Any]) -> None:
    assert FILE.read_text() == tables(manifest), "`make diagram` writes it"
    assert "    fact_events |o--o{ fact_race_results : event_key" in FILE.read_text()


def test_the_pages_exposure_names_the_marts_that_are_read_for_it(manifest: dict[str, Any]) -> None:
    (exposure,) = (each for each in manifest["exposures"].values() if each["name"] == "live_page")
    queries = RESULTS + STANDINGS + EVENTS
    read = {f"model.f1stream.{name.lower()}" for name in re.findall(r"\{marts\}\.(\w+)", queries)}
    assert set(exposure["depends_on"]["nodes"]) == read


def test_the_apps_exposure_names_the_marts_that_it_queries(manifest: dict[str, Any]) -> None:
    (exposure,) = (each for each in manifest["exposures"].values() if each["name"] == "streamlit_app")
    app = Path(__file__).resolve().parents[2] / "deploy" / "streamlit"
    asked = {name for file in app.glob("*.py") for name in re.findall(r"MARTS\.(\w+)", file.read_text())}
    assert set(exposure["depends_on"]["nodes"]) == {f"model.f1stream.{name.lower()}" for name in asked}


def test_a_signal_that_dbt_catches_still_ends_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def runner(exception: BaseException | None) -> Any:
        done = SimpleNamespace(success=False, exception=exception)
        return SimpleNamespace(dbtRunner=lambda: SimpleNamespace(invoke=lambda _: done))

    monkeypatch.setattr(os, "environ", dict(os.environ))
    settings = Settings(_env_file=None, home=tmp_path)
    monkeypatch.setattr(project, "os", SimpleNamespace(environ={}))
    monkeypatch.setitem(sys.modules, "dbt.cli.main", runner(SystemExit(143)))
    with pytest.raises(SystemExit) as ended:
        project.run_dbt(settings, ["build"])
    assert ended.value.code == 143
    monkeypatch.setitem(sys.modules, "dbt.cli.main", runner(RuntimeError()))
    assert project.run_dbt(settings, ["build"]) is False
