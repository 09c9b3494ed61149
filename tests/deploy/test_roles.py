"""Production's processes under the roles of deploy/terraform: a double of Snowflake refuses what these may not do."""

from __future__ import annotations

import base64
import io
import os
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
import snowflake.connector
from pyrate_limiter import Rate
from typer.testing import CliRunner

from f1stream import cli, doctor, topics
from f1stream import settings as f1stream_settings
from f1stream.jobs.runs import Ended
from f1stream.jobs.work import JOBS, Job, run_job
from f1stream.jolpica import client
from f1stream.sources.packing import pack
from f1stream.sources.spec import open_source
from f1stream.warehouse import stage_files, tables
from f1stream.warehouse.connection import Warehouse
from f1stream.warehouse.loader import Loader
from f1stream.warehouse.partition_batch import LoadedOffset, Partition, PartitionBatch
from f1stream.warehouse.schema import create
from tests.support.certificates import certificates
from tests.support.jolpica_server import JolpicaServer, season_of
from tests.support.marts_rig import run_dbt
from tests.support.snowflake_door import SnowflakeDoor
from tests.support.snowflake_rights import built, schemas
from tests.support.warehouse_server import Server

pytestmark = pytest.mark.system
PROCESSES = {"schedule": ("F1STREAM_SCHEDULE", "TRANSFORMER"), "archive": ("F1STREAM_ARCHIVE", "LOADER")}
"""User and primary role of each process that uses the warehouse."""
INCREMENTAL = "fact_lap_telemetry"
ONE_OF_EACH = ("+dim_circuit", f"+{INCREMENTAL}", "points_systems", "+config.materialized:snapshot")
"""Views, tables, a seed, and snapshots if there are some; ``--store-failures`` adds a table of each test."""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """What Terraform and `f1stream warehouse init` have made, as SYSADMIN."""
    server = Server(tmp_path_factory.mktemp("emulator"))
    try:
        with closing(Warehouse(server.settings)) as owner:
            list(create(owner, "F1STREAM"))
            for schema in schemas():
                owner.execute(f"create schema if not exists F1STREAM.{schema}")
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificate")
    certificates(folder, "DNS:*.snowflakecomputing.com")
    return folder


@pytest.fixture
def door(
    emulator: Server,
    certificate: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[SnowflakeDoor]:
    """Snowflake, and the settings of the process that the test is about."""
    user, role = PROCESSES[request.param]
    with SnowflakeDoor(certificate, emulator.port, emulator.settings.embedded_password()) as door:
        for name, value in {
            **door.environment(), "F1STREAM_HOME": str(tmp_path), "F1STREAM_SNOWFLAKE_ACCOUNT": "org-account",
            "F1STREAM_SNOWFLAKE_USER": user, "F1STREAM_SNOWFLAKE_PASSWORD": "no secret",
            "F1STREAM_SNOWFLAKE_ROLE": role, "F1STREAM_DBT_TARGET": "prod",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        f1stream_settings.settings.cache_clear()
        yield door
        f1stream_settings.settings.cache_clear()


def f1stream(*arguments: str) -> str:
    """What a command prints; fails if it does."""
    ran = CliRunner().invoke(cli.app, arguments)
    assert ran.exit_code == 0, f"{ran.output}\n{ran.exception}"
    return ran.output


@pytest.mark.parametrize("door", ["schedule"], indirect=True)
def test_jobs_and_jolpica_run_under_the_schedulers_roles(
    door: SnowflakeDoor, jolpica_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlimited = client.shared_bucket
    monkeypatch.setattr(client, "shared_bucket", lambda home, _: unlimited(home, (Rate(100_000, 1_000),)))
    with JolpicaServer() as jolpica:
        jolpica.answers = season_of(datetime.now(UTC).year, 1, jolpica_data)
        monkeypatch.setenv("F1STREAM_JOLPICA_URL", jolpica.url)
        f1stream_settings.settings.cache_clear()
        f1stream("jobs", "run", "calendar")
        f1stream("jolpica", "sync")
        f1stream("jolpica", "backfill", "--from", str(datetime.now(UTC).year), "--rounds", "1")
        assert "complete" in f1stream("jobs")
    assert door.refused == []


@pytest.mark.parametrize("door", ["schedule"], indirect=True)
def test_dbt_builds_under_the_schedulers_role_in_every_schema(door: SnowflakeDoor) -> None:
    """One node of each kind of object: what dbt has created it owns. All nodes would take half a minute.

    An incremental model is built twice: the second build inserts into what the first one has created.
    """
    arguments = ["--store-failures", "--indirect-selection", "buildable", "--exclude-resource-type", "unit_test"]
    assert run_dbt(f1stream_settings.settings(), ["build", "--quiet", *arguments, "--select", *ONE_OF_EACH])
    assert run_dbt(f1stream_settings.settings(), ["run", "--quiet", "--select", INCREMENTAL])
    written = [re.match(r"\s*(delete|insert)\b", sql, re.I) for sql in door.statements if INCREMENTAL in sql.lower()]
    deleted, *again = [found[1].lower() for found in written if found]
    assert (deleted, again) == ("delete", ["delete", "insert", "delete"]), "the post-hook is the last of each build"
    created = {
        found[1].upper() for sql in door.statements if (found := re.search(r"^create .*?\.(\w+)\.", sql, re.I))
    }
    assert created == set(built())
    assert [sql for sql in door.statements if re.match("create schema", sql, re.I)] == []
    assert door.refused == []


@pytest.mark.parametrize("door", ["archive"], indirect=True)
def test_the_archive_worker_loads_under_its_role(door: SnowflakeDoor) -> None:
    """All statements of its start and of a flush: Kafka has no part in them."""
    (make,) = open_source("sim:cars=2,laps=2,seed=3")
    records: dict[str, list[Any]] = defaultdict(list)
    for item in pack(make(), 1_000, 10_000):
        message = SimpleNamespace(
            topic=item.topic, partition=0, offset=len(records[item.topic]), key=item.key,
            value=topics.encode(item.record), headers=item.headers.encode(), timestamp=1_742_097_600.0,
        )  # fmt: skip
        records[item.topic].append(tables.BY_TOPIC[item.topic].decode_record(message, 0))
    with closing(Warehouse(f1stream_settings.settings())) as warehouse:
        loader = Loader(warehouse, "test")
        assert loader.offsets() == {}
        for topic, found in records.items():
            loader.begin_at({Partition(topic, 0): LoadedOffset(0, 0)})
            assert loader.load([PartitionBatch(Partition(topic, 0), 0, 0, found)]).total() > 0
    assert door.refused == []


@pytest.mark.parametrize("door", ["schedule"], indirect=True)
def test_doctor_names_the_schemas_that_dbt_needs_and_the_role_does_not_see(
    door: SnowflakeDoor, emulator: Server, manifest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def found() -> list[tuple[str, str]]:
        return [(each.about, each.level) for each in doctor.warehouse(f1stream_settings.settings())]

    monkeypatch.setattr(doctor, "manifest", lambda _: manifest)  # another run of dbt would take seconds
    fine = [(about, "ok") for about in ("warehouse", "tables", "rights")]
    assert found() == [*fine, ("schemas", "ok")]
    emulator.client().execute("drop schema F1STREAM.AUDIT")
    try:
        assert found() == [*fine, ("schemas", "problem")]
        last = list(doctor.warehouse(f1stream_settings.settings()))[-1]
        assert "TRANSFORMER sees no schema AUDIT" in last.text
    finally:
        emulator.client().execute("create schema F1STREAM.AUDIT")
    assert door.refused == []


@pytest.mark.parametrize("door", ["schedule"], indirect=True)
def test_without_tables_and_the_right_to_create_them_it_is_said_who_has_to(
    door: SnowflakeDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("F1STREAM_SNOWFLAKE_DATABASE", "NOTHING")
    ran = CliRunner().invoke(cli.app, ["jobs"])
    assert "run `f1stream warehouse init` with a role that may create them" in str(ran.exception)
    assert door.refused == ["create database if not exists NOTHING"]


@pytest.mark.parametrize("door", ["archive"], indirect=True)
def test_a_renewed_token_is_used_at_the_next_login(
    door: SnowflakeDoor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    monkeypatch.setenv("F1STREAM_SNOWFLAKE_TOKEN_FILE", str(file))
    with closing(Warehouse(f1stream_settings.settings())) as warehouse:
        for content in ("first", "second"):
            file.write_text(content)
            warehouse.execute("select 1")
            warehouse.close()
        file.unlink()
        with pytest.raises(snowflake.connector.DatabaseError, match="F1STREAM_SNOWFLAKE_TOKEN_FILE: no token"):
            warehouse.execute("select 1")
    assert [(login["AUTHENTICATOR"], login["TOKEN"]) for login in door.logins] == [
        ("OAUTH", "first"), ("OAUTH", "second"),
    ]  # fmt: skip


@pytest.mark.parametrize("door", ["archive"], indirect=True)
@pytest.mark.parametrize("provider", ["AWS", "OIDC"])
def test_a_workload_logs_in_with_its_identity_and_no_secret(
    door: SnowflakeDoor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    """What the installed connector sends; AWS attests a role by a signed request, which needs no network."""
    monkeypatch.setenv("F1STREAM_SNOWFLAKE_WORKLOAD_IDENTITY", provider)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA0000000000000000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the task's role")
    if provider == "OIDC":
        claims = {"iss": "https://issuer.example", "sub": "archive", "aud": "snowflakecomputing.com"}
        (tmp_path / "token").write_text(jwt.encode(claims, "x" * 32, "HS256"))
        monkeypatch.setenv("F1STREAM_SNOWFLAKE_TOKEN_FILE", str(tmp_path / "token"))
    with closing(Warehouse(f1stream_settings.settings())) as warehouse:
        assert warehouse.rows("select count(*) as n from RAW.LOAD_OFFSETS where 1 = 0") == [{"n": 0}]
    (login,) = door.logins
    assert (login["AUTHENTICATOR"], login["PROVIDER"]) == ("WORKLOAD_IDENTITY", provider)
    if provider == "OIDC":
        assert login["TOKEN"] == (tmp_path / "token").read_text()
    else:
        assert "GetCallerIdentity" in base64.b64decode(login["TOKEN"]).decode()


@pytest.mark.parametrize("door", ["schedule"], indirect=True)
def test_the_weekly_job_removes_old_files_of_loads_that_did_not_end(
    door: SnowflakeDoor, emulator: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As LOADER, the scheduler's secondary role; as many as a run may remove, and no file that is not ours."""
    stage = emulator.data / "stages" / "F1STREAM" / "RAW" / "LOADS"
    old = [f"telemetry-{'0' * 31}{n}.parquet" for n in range(3)]
    others = [f"laps-{'0' * 32}.parquet", "notes.txt"]
    for name in (*old, *others):
        emulator.client().execute(f"put file://{name} @RAW.LOADS auto_compress=false", content=io.BytesIO(b"rows"))
        age_s = 0 if name == others[0] else 2 * 24 * 3600
        os.utime(stage / name, (time.time() - age_s,) * 2)
    monkeypatch.setattr(stage_files, "MOST", 2)
    assert [job.name for job in JOBS.values() if job.clears_stage] == ["weekly"]
    job = Job("weekly", "", "nothing", "never", clears_stage=True)
    left = []
    for removed in (2, 1, 0):
        result = run_job(job, f1stream_settings.settings())
        said = [f"Files of loads that did not end, removed from the stage: {removed}."] if removed else []
        assert (result.ended, result.sentences) == (Ended.COMPLETE, said)
        left.append({file.name for file in stage.iterdir()})
    assert len(left[0] - {*others}) == 1
    assert left[1] == left[2] == {*others}
    assert door.refused == []
