"""Snowflake's address on this machine: a proxy that answers over TLS, for any host, in front of the emulator.

The connector goes there by ``HTTPS_PROXY``, as through a company's. So it logs in as it does in earnest: with an
account, a host, its certificate, and whatever secret it was given. What logins were sent is kept; the emulator gets
its own host and password instead. Statements that the roles of deploy/terraform may not run are refused.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import ssl
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.ports import free_port
from tests.support.snowflake_rights import Roles

QUERY = b"POST /queries/v1/query-request"
LOGIN = b"POST /session/v1/login-request"
REFUSAL = {
    "success": False, "code": "390100", "message": "Incorrect username or password was specified.", "data": {},
}  # fmt: skip
"""As Snowflake says it."""


class SnowflakeDoor:
    """Leads to the embedded warehouse at ``port``, which has ``password``; without one, every login is refused."""

    def __init__(self, folder: Path, port: int | None, password: str = "") -> None:
        self.logins: list[dict[str, Any]] = []
        self.statements: list[str] = []
        """Whatever was to be run, without the comments that dbt puts before."""
        self.refused: list[str] = []
        self._roles = Roles()
        self._users: dict[str, tuple[str, str]] = {}
        """User and role of a session, by its token."""
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(folder / "server.crt", folder / "server.key")
        self._ca, self._listens, self._port = folder / "ca.pem", free_port(), port
        self._password = password
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def environment(self) -> dict[str, str]:
        """What a process needs to take this for Snowflake."""
        return {"HTTPS_PROXY": f"http://127.0.0.1:{self._listens}", "REQUESTS_CA_BUNDLE": str(self._ca)}

    def __enter__(self) -> SnowflakeDoor:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._take, "127.0.0.1", self._listens))
        self._ready.set()
        self._loop.run_forever()
        server.close()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"CONNECT "), head
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await writer.drain()
            await writer.start_tls(self._tls)
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(_length(head))
                if head.startswith(QUERY) and (answer := self._refusal(head, body)):
                    writer.write(answer)
                    await writer.drain()
                    continue
                who = None
                if head.startswith(LOGIN):
                    login = json.loads(_plain(body))
                    role = re.search(rb"[?&]roleName=(\w*)", head)
                    who = (login["data"].get("LOGIN_NAME", ""), role[1].decode() if role else "")
                    self.logins.append(login["data"])
                    login["data"] = login["data"] | {"PASSWORD": self._password}
                    body = gzip.compress(json.dumps(login).encode())
                    head = _with(head, "Content-Length", str(len(body)), "Content-Encoding", "gzip")
                answer = await self._answer(_with(head, "Host", f"127.0.0.1:{self._port}") + body)
                if who is not None:
                    self._users |= dict.fromkeys(re.findall(r'"token": ?"([^"]+)"', answer.decode()), who)
                writer.write(answer)
                await writer.drain()
        writer.close()

    def _refusal(self, head: bytes, body: bytes) -> bytes:
        """What Snowflake answers to a statement that the session's role may not run; empty if it may."""
        sql = re.sub(r"/\*.*?\*/", "", json.loads(_plain(body))["sqlText"], flags=re.DOTALL).strip()
        self.statements.append(sql)
        token = re.search(rb'Snowflake Token="([^"]*)"', head)
        refusal = self._roles.refusal(*self._users.get(token[1].decode() if token else "", ("", "")), sql)
        if refusal is None:
            return b""
        self.refused.append(sql)
        data = {"errorCode": refusal.code, "sqlState": refusal.state}
        return _json({"success": False, "code": refusal.code, "message": refusal.message, "data": data})

    async def _answer(self, request: bytes) -> bytes:
        if self._port is None:
            return _json(REFUSAL)
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            return head + await reader.readexactly(_length(head))
        finally:
            writer.close()


def _plain(body: bytes) -> bytes:
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


def _json(answer: dict[str, Any]) -> bytes:
    body = json.dumps(answer).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def _with(head: bytes, *headers: str) -> bytes:
    """The head of a request with other values of some headers, given as name, value, name, value."""
    headers_by_name = dict(zip(headers[::2], headers[1::2], strict=True))
    names = {name.lower().encode() for name in headers_by_name}
    kept = [line for line in head.strip().split(b"\r\n") if line.partition(b":")[0].lower() not in names]
    return b"\r\n".join([*kept, *(f"{name}: {value}".encode() for name, value in headers_by_name.items()), b"", b""])


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
