"""Snowflake's address on this machine: a proxy that answers over TLS, for any host, in front of the emulator.

The connector goes there by ``HTTPS_PROXY``, as through a company's. So it logs in as it does in earnest: with an
account, a host, its certificate, and whatever secret it was given. What logins were sent is kept; the emulator gets
its own host and password instead.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.ports import free_port

LOGIN = b"POST /session/v1/login-request"
REFUSAL = json.dumps(
    {"success": False, "code": "390100", "message": "Incorrect username or password was specified.", "data": {}}
).encode()
"""As Snowflake says it."""


class SnowflakeDoor:
    """Leads to the embedded warehouse at ``port``, which has ``password``; without one, every login is refused."""

    def __init__(self, folder: Path, port: int | None, password: str = "") -> None:
        self.logins: list[dict[str, Any]] = []
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
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"CONNECT "), head
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await writer.drain()
            await writer.start_tls(self._tls)
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(_length(head))
                if head.startswith(LOGIN):
                    plain = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
                    login = json.loads(plain)
                    self.logins.append(login["data"])
                    login["data"] = login["data"] | {"PASSWORD": self._password}
                    body = gzip.compress(json.dumps(login).encode())
                    head = _with(head, "Content-Length", str(len(body)), "Content-Encoding", "gzip")
                writer.write(await self._answer(_with(head, "Host", f"127.0.0.1:{self._port}") + body))
                await writer.drain()
        writer.close()

    async def _answer(self, request: bytes) -> bytes:
        if self._port is None:
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            return head % len(REFUSAL) + REFUSAL
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            return head + await reader.readexactly(_length(head))
        finally:
            writer.close()


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
