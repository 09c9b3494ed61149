"""The page behind the proxies of deploy/: the headers that they set, and the connections that they close."""

from __future__ import annotations

import asyncio
import re
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from f1stream.settings import Settings
from tests.support.certificates import certificates
from tests.support.page_race import frames_record, head_record
from tests.support.ports import free_port
from tests.support.required import ROOT, missing
from web.app import create_app
from web.feed import Feed
from web.tape_store import TapeStore

pytestmark = pytest.mark.system

NAME = "pit-wall.example"
VIEWER = "127.0.0.2"
FORGED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "ftp", "X-Forwarded-Host": "evil.example",
          "Host": NAME}  # fmt: skip


@dataclass(frozen=True)
class Proxied:
    """A proxy in front of the page, and how a viewer reaches it."""

    port: int
    scheme: str
    http: aiohttp.ClientSession

    def url(self, path: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"


def caddy(folder: Path, port: int, page: int) -> list[str]:
    text = (ROOT / "deploy" / "caddy" / "Caddyfile").read_text()
    found = re.sub(r"dynamic a web 8000 \{.*?\}", f"to 127.0.0.1:{page}", text, flags=re.DOTALL)
    own = found.replace("\n:8000 {", f"\nhttp://:{port} {{\n\tbind 127.0.0.1")
    assert found not in (text, own)
    own = own.replace("read_header 10s", "read_header 1s")
    (folder / "Caddyfile").write_text(own)
    return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


def nginx(folder: Path, port: int, page: int) -> list[str]:
    text = (ROOT / "deploy" / "nginx" / "f1stream.conf").read_text()
    changes = {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl", "server 127.0.0.1:8000": f"server 127.0.0.1:{page}",
        "/etc/ssl/certs/pit-wall.example.pem": str(folder / "server.crt"),
        "/etc/ssl/private/pit-wall.example.key": str(folder / "server.key"),
        "client_header_timeout 10s": "client_header_timeout 1s",
    }  # fmt: skip
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr;\nevents {{}}\n"
        f"http {{ access_log off; {temporary}\n{text}\n}}\n"
    )
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]


PROXIES = {"caddy": (caddy, "http"), "nginx": (nginx, "https")}


async def _who(request: web.Request) -> web.Response:
    return web.json_response([request.remote, request.scheme, request.host])


@pytest.fixture(params=PROXIES)
async def proxied(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Proxied]:
    if shutil.which(request.param) is None:
        missing(f"{request.param} is not there: it is a package of Debian's")
    made, scheme = PROXIES[request.param]
    certificates(tmp_path, f"DNS:{NAME}")
    feed = Feed(TapeStore(2**26))
    feed.connected = feed.caught_up = True
    feed.add_frames([head_record(), frames_record(0, 3)])
    app = create_app(Settings(_env_file=None, web_hosts=NAME, web_trusted_proxies="127.0.0.1/32"), feed)
    app.router.add_get("/who", _who)
    async with TestServer(app) as page:
        port = free_port()
        with (tmp_path / "log").open("wb") as log:
            command = made(tmp_path, port, page.port or 0)
            process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)  # noqa: ASYNC220
        try:
            async with _viewer(tmp_path) as http:
                await _until_up(port, process, tmp_path / "log")
                yield Proxied(port, scheme, http)
        finally:
            process.terminate()
            process.wait(10)


@asynccontextmanager
async def _viewer(folder: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """One that has another address than the proxy."""
    trusted = ssl.create_default_context(cafile=folder / "ca.pem")
    trusted.check_hostname = False  # it asks by address, and names the page in Host
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=(VIEWER, 0), ssl=trusted)) as session:
        yield session


async def _until_up(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    async with asyncio.timeout(20):
        while True:
            assert process.poll() is None, log.read_text()
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


async def test_behind_a_proxy_a_viewer_is_who_they_are_whatever_they_say_they_are(proxied: Proxied) -> None:
    async with proxied.http.get(proxied.url("/who"), headers=FORGED) as answer:
        assert await answer.json() == [VIEWER, proxied.scheme, NAME]
    async with proxied.http.get(proxied.url("/"), headers={"Host": "evil.example"}) as answer:
        assert answer.status == 421
    for path in ("/health", "/alive", "/metrics"):
        async with proxied.http.get(proxied.url(path), headers={"Host": NAME}) as answer:
            assert answer.status == 404, path
    own = {"Host": NAME, "Origin": f"{proxied.scheme}://{NAME}"}
    async with proxied.http.ws_connect(proxied.url("/ws"), headers=own) as ws:
        assert (await ws.receive_json(timeout=10))["kind"] in {"head", "status"}
    for origin in (f"http{'' if proxied.scheme == 'https' else 's'}://{NAME}", "https://evil.example"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await proxied.http.ws_connect(proxied.url("/ws"), headers=own | {"Origin": origin})
        assert refused.value.status == 403


async def test_who_never_ends_their_request_is_cut_off_by_the_proxy(proxied: Proxied) -> None:
    if proxied.scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection("127.0.0.1", proxied.port, ssl=context)
    else:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxied.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: pit-wall.example\r\nX-Slow: ")
    async with asyncio.timeout(20):
        said = await reader.read()
    assert b"200 OK" not in said
    writer.close()
