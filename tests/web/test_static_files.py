"""The page's files: compressed once, revalidated, and no name leads out of the folder."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from f1stream.settings import Settings
from web import static_files
from web.app import STATIC, create_app
from web.feed import Feed
from web.static_files import StaticFiles
from web.tape_store import TapeStore

Client = TestClient[web.Request, web.Application]
PLAIN, PACKED = {"Accept-Encoding": "identity"}, {"Accept-Encoding": "gzip"}


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    app = create_app(Settings(), Feed(TapeStore(2**20)))
    async with TestClient(TestServer(app), auto_decompress=False) as made:
        yield made


@pytest.mark.parametrize(
    ("path", "file"),
    [("/", STATIC / "index.html"), ("/static/main.js", STATIC / "main.js"),
     ("/static/charts/chart.js", STATIC / "charts" / "chart.js"),
     ("/static/favicon.svg", STATIC / "favicon.svg")],
)  # fmt: skip
async def test_a_file_is_sent_as_it_is_or_compressed(client: Client, path: str, file: Path) -> None:
    plain, packed = await client.get(path, headers=PLAIN), await client.get(path, headers=PACKED)
    assert await plain.read() == file.read_bytes()
    body = await packed.read()
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == file.read_bytes()
    assert int(packed.headers["Content-Length"]) == len(body) < int(plain.headers["Content-Length"])
    assert plain.content_type == packed.content_type != "application/octet-stream"
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
    only_heads = await client.head(path, headers=PACKED)
    assert (only_heads.headers["Content-Length"], await only_heads.read()) == (packed.headers["Content-Length"], b"")


async def test_an_unchanged_file_is_not_sent_again(client: Client) -> None:
    first = await client.get("/static/main.js")
    again = await client.get("/static/main.js", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, await again.read()) == (304, b"")
    assert (again.headers["ETag"], again.headers["Cache-Control"]) == (first.headers["ETag"], "no-cache")


@pytest.mark.parametrize(
    "name", ["x" * 300, "x" * 5_000, "a/" * 2_000, "nothing.js", "charts", "charts/", "%00", "main.js/",
             "%2e%2e/app.py", "..%2f..%2fapp.py", "//etc/passwd", "%ff%fe", "main.js%00"],
)  # fmt: skip
async def test_an_unknown_file_name_is_not_found(client: Client, name: str) -> None:
    url = client.make_url("/").with_path(f"/static/{name}", encoded=True)
    answer = await client.session.get(url)
    assert answer.status == 404


async def test_a_changed_file_is_read_again_and_one_that_is_gone_is_not_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.js").write_text("1")
    reads: list[Path] = []
    read = static_files._read
    monkeypatch.setattr(static_files, "_read", lambda path, version: (reads.append(path), read(path, version))[1])
    app = web.Application()
    app.router.add_get("/{name:.+}", StaticFiles(tmp_path).serve)
    async with TestClient(TestServer(app)) as client:
        for _ in range(3):
            assert await (await client.get("/a.js")).text() == "1"
        assert len(reads) == 1
        (tmp_path / "a.js").write_text("22")
        assert await (await client.get("/a.js")).text() == "22"
        (tmp_path / "a.js").unlink()
        assert (await client.get("/a.js")).status == 404
