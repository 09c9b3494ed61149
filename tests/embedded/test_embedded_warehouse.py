"""The embedded warehouse: behaviour of Snowflake that fakesnow has only with our patches."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import snowflake.connector
from snowflake.connector.constants import FIELD_ID_TO_NAME
from snowflake.connector.cursor import SnowflakeCursor

from f1stream.warehouse.connection import refuses_data
from f1stream.warehouse.schema import create
from tests.support.ports import free_port
from tests.support.warehouse_server import Server

CONFLICT = 625
"""Snowflake's error number when two transactions change the same rows."""
PATIENCE_S = 30


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """For a test that kills it, or waits for the end of an idle transaction (after 1 s here)."""
    server = Server(tmp_path, "--tx-idle", "1")
    try:
        yield server
    finally:
        server.stop()


def test_only_committed_rows_survive_a_kill(own_server: Server) -> None:
    server = own_server
    client = server.client()
    list(create(client, "F1STREAM"))
    client.execute("create table RAW.T (n int)")
    client.execute("insert into RAW.T values (1)")
    client.execute("begin")
    client.execute("insert into RAW.T values (2)")
    server.kill()
    server.start()
    again = server.client()
    assert again.rows("select n from RAW.T") == [{"n": 1}]
    assert all("already exists" in done or "successfully" not in done for done in create(again, "F1STREAM"))


def test_a_session_that_ends_in_a_transaction_releases_its_rows(server: Server) -> None:
    first, second = server.client(), server.client()
    first.execute("create table RAW.T (n int)")
    first.execute("insert into RAW.T values (1)")
    with pytest.raises(KeyError), first.transaction() as execute:
        execute("update RAW.T set n = 2")
        raise KeyError
    second.execute("update RAW.T set n = 3")
    assert second.rows("select n from RAW.T") == [{"n": 3}]


def test_a_dead_clients_transaction_is_rolled_back(own_server: Server) -> None:
    server = own_server
    first, second = server.client(), server.client()
    first.execute("create table RAW.T (n int)")
    first.execute("insert into RAW.T values (1)")
    first.execute("begin")
    first.execute("update RAW.T set n = 2")
    with pytest.raises(snowflake.connector.Error) as conflict:
        second.execute("update RAW.T set n = 3")
    assert conflict.value.errno == CONFLICT
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            second.execute("update RAW.T set n = 4")
            break
        except snowflake.connector.Error as error:
            assert error.errno == CONFLICT
            assert time.monotonic() < deadline, "the transaction of the client that went away is still open"
            time.sleep(0.2)
    with pytest.raises(snowflake.connector.Error):
        first.execute("update RAW.T set n = 5")
    assert first.rows("select n from RAW.T") == [{"n": 4}], "a client whose session has ended opens a new one"


def test_errors_about_values_are_distinguished_from_others(server: Server) -> None:
    client = server.client()
    client.execute("create table RAW.T (n int, v variant)")
    for sql in ("insert into RAW.T (n) select 'x'::int", "insert into RAW.T (v) select parse_json('{')"):
        with pytest.raises(snowflake.connector.Error) as error:
            client.execute(sql)
        assert refuses_data(error.value), error.value
    for sql in ("select * from RAW.NOWHERE", "selec", "select nothing from RAW.T"):
        with pytest.raises(snowflake.connector.Error) as error:
            client.execute(sql)
        assert not refuses_data(error.value), error.value


def test_merge_is_one_statement_in_a_transaction(server: Server) -> None:
    client = server.client()
    client.execute("create table RAW.T (n int, s varchar)")
    client.execute("insert into RAW.T values (1, 'a')")
    client.execute("begin")
    merged = client.execute(
        "merge into RAW.T t using (select f.value:n::int as n, f.value:s::varchar as s"
        " from table(flatten(input => parse_json(?))) f) s on t.n = s.n"
        " when matched then update set s = s.s when not matched then insert (n, s) values (s.n, s.s)",
        [json.dumps([{"n": 1, "s": "b"}, {"n": 2, "s": "c"}])],
    )
    assert merged.rowcount == 2
    client.execute("rollback")
    assert client.rows("select * from RAW.T") == [{"n": 1, "s": "a"}]


def test_null_timestamps_are_null(server: Server) -> None:
    client = server.client()
    client.execute("create table RAW.T (n int, seen timestamp_ntz)")
    client.execute("insert into RAW.T values (1, null), (2, '2025-03-16 04:18:22.974')")
    first, second = client.rows("select seen from RAW.T order by n")
    assert first["seen"] is None
    assert second["seen"].isoformat() == "2025-03-16T04:18:22.974000"


def test_a_result_has_the_columns_that_it_is_described_with(server: Server) -> None:
    client = server.client()
    query = (
        "select 1::number(9, 3) as n, 'a' as s, null as u, true as b, 1.5::double as f, '2025-03-16'::date as d,"
        " '2025-03-16 04:18:22'::timestamp_ntz as t, parse_json('{\"a\": 1}') as v"
    )
    selected = client.execute(query)
    assert _columns(selected) == [
        ("N", "FIXED", 3), ("S", "TEXT", None), ("U", "TEXT", None), ("B", "BOOLEAN", None),
        ("F", "REAL", None), ("D", "DATE", None), ("T", "TIMESTAMP_NTZ", 9), ("V", "VARIANT", None),
    ]  # fmt: skip
    assert client.rows("create table RAW.T (n int)")[0]["status"].startswith("Table T")
    earlier = client.execute(f"select * from table(result_scan('{selected.sfqid}'))")
    assert _columns(earlier) == _columns(selected)


def _columns(cursor: SnowflakeCursor) -> list[tuple[str, str, int | None]]:
    return [(column.name, FIELD_ID_TO_NAME[column.type_code], column.scale) for column in cursor.description]


def test_each_row_of_a_batch_is_inserted(server: Server) -> None:
    client = server.client()
    client.execute("create table RAW.T (n int, s varchar)")
    with client.transaction() as execute:
        execute("select 1").connection.cursor().executemany("insert into RAW.T values (?, ?)", [(1, "a"), (2, "b")])
        execute("commit")
    assert client.rows("select * from RAW.T order by n") == [{"n": 1, "s": "a"}, {"n": 2, "s": "b"}]


def test_statements_about_the_account_are_accepted(server: Server) -> None:
    for sql in ("create role if not exists LOADER", "grant usage on schema RAW to role LOADER"):
        server.client().execute(sql)


def test_a_folder_in_use_is_one_sentence_and_exit_code_2(server: Server) -> None:
    server.client().execute("create table RAW.T (n int)")
    second = subprocess.run(
        [sys.executable, "-m", "f1stream.embedded.warehouse", "--data", str(server.data), "--port", str(free_port())],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert second.returncode == 2
    assert "cannot be opened" in second.stderr
    assert "Traceback" not in second.stderr
