"""Access control and file access of the embedded warehouse, with the real connector."""

from __future__ import annotations

import glob
import gzip
import http.client
import json
import stat
from pathlib import Path
from typing import Any

import pytest
import snowflake.connector
from pydantic import SecretStr

from f1stream.embedded import warehouse
from f1stream.embedded.password import load_or_create_password
from f1stream.embedded.warehouse import WarehouseFailed
from f1stream.embedded.warehouse_access import LOGIN_BYTES, RequestFilter
from f1stream.settings import Settings
from f1stream.warehouse.schema import create
from tests.support.ports import free_port
from tests.support.warehouse_server import Server

TOO_MANY_STATEMENTS = 8
"""Snowflake's error number."""


def connect(server: Server, **instead: Any) -> Any:
    return snowflake.connector.connect(**server.settings.warehouse_client() | {"login_timeout": 5} | instead)


def ask(server: Server, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str]:
    """Status and text of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request(method, path, body, {"Content-Length": str(len(body)), **headers})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


def login(**data: Any) -> bytes:
    return json.dumps({"data": {"LOGIN_NAME": "f1stream", "SESSION_PARAMETERS": {}, **data}}).encode()


LOGIN = "/session/v1/login-request"


def test_a_login_needs_the_password(server: Server) -> None:
    for wrong in ("", "not-a-secret", load_or_create_password(server.settings.home)[:-1], "ä", "\ud800"):
        with pytest.raises(snowflake.connector.DatabaseError, match="F1STREAM_EMBEDDED_WAREHOUSE_PASSWORD"):
            connect(server, password=wrong if wrong.isascii() and wrong else "-")
        status, body = ask(server, "POST", LOGIN, login(PASSWORD=wrong))
        assert (status, json.loads(body)["code"]) == (200, "390100")
        assert "token" not in body
    connect(server).close()


def test_a_request_that_is_not_a_login_is_refused_and_not_unpacked(server: Server) -> None:
    password = load_or_create_password(server.settings.home)
    large = login(PASSWORD=password, more="x" * LOGIN_BYTES)
    for body, headers in (
        (b"", {}), (b"{", {}), (b"[]", {}), (b'{"data": {}}', {}), (b"[" * 50_000, {}), (large, {}),
        (gzip.compress(large), {"Content-Encoding": "gzip"}), (b"no gzip", {"Content-Encoding": "gzip"}),
    ):  # fmt: skip
        assert ask(server, "POST", LOGIN, body, **headers)[0] == 400, body[:40]


def test_a_login_cannot_open_another_duckdb(server: Server) -> None:
    password = load_or_create_password(server.settings.home)
    for own in ({"FAKESNOW_DB_PATH": "/"}, {"FAKESNOW_DB_PATH": ":isolated:"}, {"nop_regexes": ["(a+)+$"]}):
        assert ask(server, "POST", LOGIN, login(PASSWORD=password, SESSION_PARAMETERS=own))[0] == 403


@pytest.mark.parametrize(
    "sql",
    [
        "select content from read_text('/proc/self/environ')",
        "select * from read_csv('/etc/passwd')",
        "select * from glob('/*')",
        "select * from glob('{data}/../*')",
        "select content from read_text('{data}/../warehouse-password')",
        "copy (select 1) to '{outside}/copied'",
        "copy into '{outside}/unloaded' from (select 1)",
        "copy into RAW.T from 'file:///etc/passwd'",
        "attach '{outside}/other.db' as OTHER",
        "attach database '{outside}/other.db' as OTHER",
        'create database "../../../../../../../{outside}/other"',
        "export database '{outside}/all'",
        "install httpfs",
        "load httpfs",
        "pragma memory_limit='1TB'",
        "pragma enable_external_access=true",
        "reset memory_limit",
        "call enable_logging(storage='file', storage_config={{'path': '{outside}/log'}})",
    ],
)
def test_no_statement_reads_or_writes_outside_the_folder(server: Server, tmp_path: Path, sql: str) -> None:
    client = server.client()
    client.execute("create table RAW.T (n varchar)")
    with pytest.raises(snowflake.connector.Error) as refused:
        client.execute(sql.format(outside=tmp_path, data=server.data))
    assert isinstance(refused.value, snowflake.connector.ProgrammingError), "other errors would be retried"
    assert list(tmp_path.iterdir()) == []
    client.execute("select 1")


def test_a_stage_whose_name_is_a_path_has_no_folder(server: Server, tmp_path: Path) -> None:
    server.client().execute(f'create stage "{tmp_path}/a".B.C')
    assert list(tmp_path.iterdir()) == []


def test_settings_of_duckdb_cannot_be_changed(server: Server) -> None:
    """A SET defines a variable of Snowflake and changes no setting of DuckDB."""
    client = server.client()
    for sql in ("set memory_limit = '1TB'", "set enable_external_access = true", "alter session set threads = 99"):
        client.execute(sql)
    effective = client.rows(
        "select name, value from duckdb_settings() where name in ('memory_limit', 'enable_external_access',"
        " 'lock_configuration', 'allowed_directories', 'temp_directory') order by name"
    )
    assert {row["name"]: row["value"].replace("'", "") for row in effective} == {
        "allowed_directories": f"[{server.data}/, {server.data}/spill/, {glob.escape(str(server.data))}/]",
        "enable_external_access": "false",
        "lock_configuration": "true",
        "memory_limit": "1.8 GiB",  # of 2,000 MB
        "temp_directory": f"{server.data}/spill",
    }


def test_stages_copies_and_new_databases_still_work(server: Server, tmp_path: Path) -> None:
    client = server.client()
    list(create(client, "F1STREAM"))
    file = tmp_path / "rows.csv"
    file.write_text("1,a\n2,b\n")
    client.execute("create table RAW.T (n int, s varchar)")
    client.execute("create stage if not exists RAW.ANY")
    client.execute(f"put file://{file} @RAW.ANY auto_compress=false overwrite=true")
    client.execute("copy into RAW.T from @RAW.ANY/rows.csv file_format=(type=csv)")
    assert client.rows("select count(*) as n from RAW.T") == [{"n": 2}]
    client.execute("create database if not exists ANOTHER")
    client.execute("create schema if not exists ANOTHER.S")
    client.execute("create or replace table ANOTHER.S.T as select * from F1STREAM.RAW.T")
    assert (server.data / "ANOTHER.db").is_file()


def test_several_statements_in_a_request_are_refused_and_none_is_run(server: Server) -> None:
    client = server.client()
    client.execute("create table RAW.T (n int)")
    for sql in ("insert into RAW.T values (1); select 1", "select 1; insert into RAW.T values (1)", "begin; commit"):
        with pytest.raises(snowflake.connector.ProgrammingError) as refused:
            client.execute(sql)
        assert refused.value.errno == TOO_MANY_STATEMENTS
    for sql in ("select 1;", "select 1; -- one", "-- first\nselect 1;\n/* last */"):
        client.execute(sql)
    assert client.rows("select count(*) as n from RAW.T") == [{"n": 0}]


@pytest.mark.parametrize("method, path", [("POST", LOGIN), ("PUT", "/fs_bucket/F1STREAM/RAW/LOADS/x"), ("GET", "/")])
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example:18085"}, {"Host": "localhost.example"}, {"Host": ""}, {"Host": "a@[::1"},
        {"Origin": "http://127.0.0.1:18085"}, {"Origin": "null"}, {"Origin": "https://example.org"},
    ],
)  # fmt: skip
def test_requests_of_web_pages_are_refused(server: Server, method: str, path: str, headers: dict[str, str]) -> None:
    body = login(PASSWORD=load_or_create_password(server.settings.home))
    assert ask(server, method, path, body, **headers)[0] == 403


async def test_it_answers_to_addresses_localhost_and_its_configured_name() -> None:
    async def answered(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def status(*headers: tuple[bytes, bytes]) -> int:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        await RequestFilter(answered, {"Warehouse"})({"type": "http", "headers": headers}, None, send)
        return int(sent[0]["status"])

    for own in (b"127.0.0.1:1", b"[::1]:1", b"10.0.0.7", b"localhost", b"LOCALHOST:1", b"warehouse:18085"):
        assert await status((b"host", own)) == 200
    for other in (b"warehouse.example", b"example:18085", b""):
        assert await status((b"host", other)) == 403
    assert await status() == 403
    assert await status((b"host", b"localhost"), (b"host", b"example")) == 403


def test_an_upload_needs_the_signed_address_of_a_put(server: Server) -> None:
    client = server.client()
    client.execute("create stage if not exists RAW.ANY")
    for signature in ("", "?signature=", "?signature=" + "0" * 64, "?signature=%C3%A4"):
        assert ask(server, "PUT", f"/fs_bucket/F1STREAM/RAW/ANY/planted{signature}", b"x")[0] == 403
    assert not (server.data / "stages" / "F1STREAM" / "RAW" / "ANY" / "planted").exists()


def test_the_password_is_created_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    home = tmp_path / "a" / "home"
    made = load_or_create_password(home)
    assert len(made) >= 32
    assert load_or_create_password(home) == made
    assert load_or_create_password(tmp_path / "other") != made
    (file,) = home.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_a_password_that_is_set_comes_first_and_none_is_sent_elsewhere_unless_set(tmp_path: Path) -> None:
    kept = Settings(_env_file=None, home=tmp_path).warehouse_client()["password"]
    assert kept == load_or_create_password(tmp_path)
    given = Settings(_env_file=None, home=tmp_path, embedded_warehouse_password=SecretStr("papaya"))
    assert given.warehouse_client()["password"] == "papaya"
    elsewhere = Settings(_env_file=None, home=tmp_path, embedded_warehouse_host="warehouse")
    assert elsewhere.warehouse_client()["password"] == ""


def test_beyond_this_machine_it_listens_only_with_a_password_that_was_set(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_to_all = Settings(_env_file=None, home=tmp_path)
    for host in ("127.0.0.1", "::1", "localhost"):
        warehouse.require_password_beyond_loopback(open_to_all, host)
    for host in ("0.0.0.0", "::", "10.0.0.7", "warehouse"):  # noqa: S104 - not bound
        with pytest.raises(WarehouseFailed, match="F1STREAM_EMBEDDED_WAREHOUSE_PASSWORD"):
            warehouse.require_password_beyond_loopback(open_to_all, host)
        with pytest.raises(WarehouseFailed, match=f"would listen on {host}"):
            warehouse.serve(tmp_path / "data", host, free_port(), 1, 1, open_to_all)
    assert not (tmp_path / "data").exists()
    closed = Settings(_env_file=None, home=tmp_path, embedded_warehouse_password=SecretStr("papaya"))
    warehouse.require_password_beyond_loopback(closed, "::")


def test_the_password_is_on_no_command_line(server: Server) -> None:
    password = load_or_create_password(server.settings.home)
    assert password not in Path(f"/proc/{server.process.pid}/cmdline").read_text()
    assert password not in repr(server.settings)
