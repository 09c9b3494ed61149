"""``f1stream doctor``: what is amiss is found, and what to do is said."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import SecretStr

from f1stream import doctor
from f1stream.doctor import Finding
from f1stream.embedded.running import embedded_warehouse
from f1stream.settings import Settings
from f1stream.warehouse.connection import Warehouse
from f1stream.warehouse.schema import create
from tests.support.ports import free_port
from tests.support.rig import Rig

HOUR_S = 3600


def levels(findings: list[Finding]) -> dict[str, str]:
    return {finding.about: finding.level for finding in findings}


def text_about(findings: list[Finding], about: str) -> str:
    return next(finding.text for finding in findings if finding.about == about)


def jwt(ends_in_s: float) -> SecretStr:
    parts = [{"alg": "none"}, {"exp": int(time.time() + ends_in_s)}]
    return SecretStr(".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts) + ".x")


@pytest.mark.system
async def test_where_all_is_well_nothing_has_to_be_fixed(rig: Rig) -> None:
    with embedded_warehouse(rig.settings):
        with closing(Warehouse(rig.settings)) as warehouse:
            list(create(warehouse, rig.settings.snowflake_database))
        process = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-m", "f1stream", "doctor"],
            env={**rig.environment(), "F1STREAM_JOLPICA_URL": "http://127.0.0.1:9"},
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
    assert process.returncode == 0, process.stdout + process.stderr
    lines = process.stdout.splitlines()
    assert [line.split()[1] for line in lines] == [
        "configuration", "broker", "topics", "warehouse", "tables", "rights", "clock", "token",
    ]  # fmt: skip
    assert {line.split()[0] for line in lines} == {"ok"}


@pytest.mark.system
async def test_topics_with_other_numbers_of_partitions_are_named(rig: Rig) -> None:
    found = await doctor.broker(rig.settings.model_copy(update={"topic_partitions": 24}))
    assert levels(found) == {"broker": "ok", "topics": "problem"}
    assert "telemetry (3)" in text_about(found, "topics")
    assert "marts" not in text_about(found, "topics"), "it has one partition always"


async def test_without_a_broker_it_is_said_how_to_start_one() -> None:
    found = await doctor.broker(Settings(_env_file=None, embedded_broker_port=free_port()))
    assert levels(found) == {"broker": "problem"}
    assert "`f1stream broker`" in text_about(found, "broker")


@pytest.mark.system
def test_a_warehouse_without_tables_is_to_be_made_ready(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path, embedded_warehouse_port=free_port())
    assert levels(list(doctor.warehouse(settings))) == {"warehouse": "ok"}, "it is started by what needs it"
    with embedded_warehouse(settings):
        found = list(doctor.warehouse(settings))
    assert levels(found) == {"warehouse": "ok", "tables": "problem"}
    assert "`f1stream warehouse init`" in text_about(found, "tables")


@pytest.mark.system
def test_a_right_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(doctor.NEEDS_RIGHTS, "to look into the vault", "select * from VAULT.SECRETS")
    settings = Settings(_env_file=None, home=tmp_path, embedded_warehouse_port=free_port())
    with embedded_warehouse(settings):
        with closing(Warehouse(settings)) as warehouse:
            list(create(warehouse, settings.snowflake_database))
        found = list(doctor.warehouse(settings))
    assert levels(found)["rights"] == "problem"
    assert "to look into the vault" in text_about(found, "rights")
    assert "to load rows" not in text_about(found, "rights")


def test_a_misspelt_setting_and_a_home_that_cannot_be_written_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("F1STREAM_BROKRE", "kafka:9092")
    monkeypatch.setattr("os.access", lambda *_: False)
    found = list(doctor.configuration(Settings(_env_file=None, home=tmp_path / "not" / "there")))
    assert [finding.level for finding in found] == ["warning", "problem"]
    assert "F1STREAM_BROKRE is set, but is no setting. Do you mean F1STREAM_BROKER?" in found[0].text
    assert "kafka:9092" not in found[0].text, "a value may be a secret"


def test_a_home_that_is_a_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert [found.level for found in doctor.configuration(Settings(_env_file=None, home=tmp_path / "file"))][
        -1
    ] == "problem"


async def test_a_file_that_is_no_authority_of_certificates_is_a_finding(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, broker="a:9093", broker_security="SSL", broker_ca_file=tmp_path / "none")
    found = await doctor.broker(settings)
    assert levels(found) == {"broker": "problem"}
    assert "F1STREAM_BROKER_CA_FILE" in text_about(found, "broker")


@pytest.mark.parametrize("content", [None, "no key"], ids=["no file", "none in it"])
def test_a_file_that_is_no_private_key_is_a_finding(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "rsa.p8"
    if content is not None:
        file.write_text(content)
    found = list(
        doctor.warehouse(
            Settings(_env_file=None, snowflake_account="x", snowflake_user="u", snowflake_private_key_file=file)
        )
    )
    assert levels(found) == {"warehouse": "problem"}
    said = text_about(found, "warehouse")
    assert f"F1STREAM_SNOWFLAKE_PRIVATE_KEY_FILE: no private key can be read from {file}" in said


def test_a_token_file_that_is_missing_is_a_finding(tmp_path: Path) -> None:
    settings = Settings(
        _env_file=None, snowflake_account="x", snowflake_user="u", snowflake_token_file=tmp_path / "none"
    )
    found = list(doctor.warehouse(settings))
    assert levels(found) == {"warehouse": "problem"}
    assert "F1STREAM_SNOWFLAKE_TOKEN_FILE: no token can be read" in text_about(found, "warehouse")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"snowflake_password": "p"}, ""),
        ({"snowflake_workload_identity": "OIDC", "snowflake_token_file": "/run/token"}, ""),
        (
            {"snowflake_workload_identity": "AWS", "snowflake_token_file": "/run/token", "snowflake_password": "p"},
            "F1STREAM_SNOWFLAKE_WORKLOAD_IDENTITY is used, and not F1STREAM_SNOWFLAKE_TOKEN_FILE, "
            "F1STREAM_SNOWFLAKE_PASSWORD: remove what is old.",
        ),
    ],
    ids=["one", "an identity and its token", "several"],
)
def test_several_logins_are_a_warning(tmp_path: Path, given: dict[str, str], text: str) -> None:
    found = doctor.configuration(Settings(_env_file=None, home=tmp_path, **given))
    assert [each.text for each in found if each.level == "warning"] == ([text] if text else [])


@pytest.mark.parametrize(
    ("ends_in_s", "level", "text"),
    [(-HOUR_S, "problem", "has ended"), (HOUR_S, "warning", "is valid until"), (99 * HOUR_S, "ok", "is valid until")],
)
def test_the_end_of_the_token_is_reported(ends_in_s: float, level: str, text: str) -> None:
    secret = jwt(ends_in_s)
    found = doctor.token(Settings(_env_file=None, f1tv_token=secret))
    assert found.level == level
    assert text in found.text
    assert secret.get_secret_value() not in found.text


def test_without_a_token_the_finding_says_what_is_missing_and_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    assert doctor.token(Settings(_env_file=None)).level == "ok"
    assert "neither car data nor positions" in doctor.token(Settings(_env_file=None)).text
    assert doctor.token(Settings(_env_file=None, f1tv_token_file=tmp_path / "none")).level == "problem"
    assert doctor.token(Settings(_env_file=None, f1tv_token=SecretStr("half"))).level == "warning"


def test_a_token_that_would_go_out_in_plain_text_is_a_problem() -> None:
    found = doctor.token(Settings(_env_file=None, f1tv_token=SecretStr("secret"), live_url="ws://feed.example"))
    assert found.level == "problem"
    assert "without TLS" in found.text


@pytest.mark.parametrize(("off_s", "level"), [(0, "ok"), (-90, "warning"), (90, "warning")])
async def test_a_clock_that_is_off_is_reported(off_s: int, level: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        at = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + off_s))
        return web.Response(headers={"Date": at})

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        found = await doctor.clock(
            Settings(_env_file=None, jolpica_url=f"http://127.0.0.1:{runner.addresses[0][1]}/")
        )
    finally:
        await runner.cleanup()
    assert found.level == level
    assert ("off" in found.text) == (level == "warning")
