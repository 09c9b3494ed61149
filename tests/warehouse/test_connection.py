"""The connection, against a server that answers as Snowflake does to a statement that takes long."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from snowflake.connector import errors

from f1stream.settings import Settings
from f1stream.warehouse import connection
from f1stream.warehouse.connection import Warehouse

IN_PROGRESS = "333333"
POLL_S = 0.2
"""Seconds after which the server answers a request for a result; Snowflake answers within 45 s."""
PATIENCE_S = 15.0
RESULT = {
    "queryId": "1",
    "rowtype": [{"name": "N", "type": "fixed", "nullable": False, "length": None, "precision": 1, "scale": 0}],
    "rowset": [["1"]], "total": 1, "returned": 1, "queryResultFormat": "json", "parameters": [],
}  # fmt: skip


class SlowSnowflake(BaseHTTPRequestHandler):
    """A statement is in progress until ``takes_s`` after it began; an error ends it, and so does its cancellation."""

    takes_s = 0.0
    error = 0
    """Code of the error with which statements fail; 0: none."""
    canceled = False
    began = 0.0
    logins: list[dict[str, Any]]

    def answer(self) -> tuple[str, dict[str, Any]]:
        """The code and the data of the answer to a request."""
        cls = SlowSnowflake
        if "login-request" in self.path:
            return "", {"token": "t", "masterToken": "m", "parameters": [], "sessionInfo": {}}
        if "abort-request" in self.path:
            cls.canceled = True
            return "", {}
        if self.path.startswith("/session"):
            return "", {}
        if "query-request" in self.path:
            cls.began = time.monotonic()
        else:
            time.sleep(POLL_S)
        if cls.canceled:
            return "604", {"errorMessage": "", "queryId": "1"}
        if time.monotonic() < cls.began + cls.takes_s:
            return IN_PROGRESS, {"getResultUrl": "/queries/1/result", "queryId": "1"}
        return (str(cls.error), {"queryId": "1"}) if cls.error else ("", RESULT)

    def do_GET(self) -> None:
        code, data = self.answer()
        said = "SQL execution canceled" if code == "604" else "no"
        body = json.dumps({"success": not code, "code": code or None, "message": said, "data": data}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "login-request" in self.path:
            SlowSnowflake.logins.append(json.loads(gzip.decompress(body))["data"])
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    for name, value in {"takes_s": 0.0, "error": 0, "canceled": False, "logins": []}.items():
        monkeypatch.setattr(SlowSnowflake, name, value, raising=False)
    monkeypatch.setattr(connection, "NETWORK_TIMEOUT_S", 1)
    with ThreadingHTTPServer(("127.0.0.1", 0), SlowSnowflake) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def warehouse(server: ThreadingHTTPServer, tmp_path: Path) -> Iterator[Warehouse]:
    settings = Settings(_env_file=None, home=tmp_path, embedded_warehouse_port=server.server_port)
    with closing(Warehouse(settings)) as opened:
        yield opened


def test_a_statement_may_take_longer_than_the_network_timeout(warehouse: Warehouse) -> None:
    SlowSnowflake.takes_s = 1.5
    assert warehouse.rows("select 1 as n") == [{"n": 1}]
    assert not SlowSnowflake.canceled


def test_a_statement_that_snowflake_does_not_end_is_canceled(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CANCEL_S", 0.5)
    SlowSnowflake.takes_s = 60.0
    with pytest.raises(errors.ProgrammingError, match="cancelled by the client"):
        warehouse.execute("select 1")
    assert SlowSnowflake.canceled


def test_requests_are_not_retried_for_longer_than_the_network_timeout(
    warehouse: Warehouse, server: ThreadingHTTPServer
) -> None:
    warehouse.execute("select 1")
    server.shutdown()
    server.server_close()
    began = time.monotonic()
    with pytest.raises(errors.OperationalError):
        warehouse.execute("select 1")
    assert time.monotonic() - began < PATIENCE_S


@pytest.mark.parametrize("code", [390_104, 390_195, 390_318, 390_999])
def test_after_an_error_about_its_session_the_next_statement_logs_in_again(warehouse: Warehouse, code: int) -> None:
    SlowSnowflake.error = code
    with pytest.raises(errors.ProgrammingError):
        warehouse.execute("select 1")
    SlowSnowflake.error = 0
    warehouse.execute("select 1")
    assert len(SlowSnowflake.logins) == 2


def test_after_another_error_the_session_continues(warehouse: Warehouse) -> None:
    SlowSnowflake.error = 1_003
    with pytest.raises(errors.ProgrammingError):
        warehouse.execute("select 1")
    SlowSnowflake.error = 0
    warehouse.execute("select 1")
    (login,) = SlowSnowflake.logins
    assert login["SESSION_PARAMETERS"]["AUTOCOMMIT"] is True
