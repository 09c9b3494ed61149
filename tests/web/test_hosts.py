"""Allowed host names, and forwarded headers of trusted proxies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from f1stream.settings import Settings
from tests.support.page_race import frames_record, head_record
from web.app import create_app
from web.feed import Feed
from web.tape_store import TapeStore

Client = TestClient[web.Request, web.Application]
Open = Callable[..., Any]
LOOPBACK = "127.0.0.0/8"


@pytest.fixture
async def served() -> AsyncIterator[Open]:
    """The application with some settings."""
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> Client:
            feed = Feed(TapeStore(2**26))
            feed.connected = feed.caught_up = True
            feed.add_frames([head_record(), frames_record(0, 3)])
            app = create_app(Settings(_env_file=None, **settings), feed)
            app.router.add_get("/who", _who)
            made: Client = await stack.enter_async_context(TestClient(TestServer(app)))
            return made

        yield start


async def _who(request: web.Request) -> web.Response:
    return web.json_response([request.remote, request.scheme, request.host])


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "10.1.2.3", "pit-wall.example",
             "Pit-Wall.Example.:443", "wall"],
)  # fmt: skip
async def test_our_host_names_and_every_ip_address_are_answered(served: Open, host: str) -> None:
    client = await served(web_hosts="pit-wall.example, wall")
    assert (await client.get("/", headers={"Host": host})).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "pit-wall.example.evil", "127.0.0.1.evil",
             "", "a b", "user@localhost", "[::1", "[evil]", "::1"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/api/sessions", "/ws", "/static/main.js", "/metrics"])
async def test_a_foreign_host_name_is_refused_on_every_path(served: Open, path: str, host: str) -> None:
    client = await served(web_hosts="pit-wall.example")
    answer = await client.get(path, headers={"Host": host})
    assert answer.status == 421
    assert "F1STREAM_WEB_HOSTS" in await answer.text()


async def test_a_star_answers_for_every_name(served: Open) -> None:
    client = await served(web_hosts="*")
    assert (await client.get("/", headers={"Host": "anything.example"})).status == 200


@pytest.mark.parametrize("wrong", [{"web_hosts": "https://a.example"}, {"web_hosts": "a b"}, {"web_hosts": "*,a/"},
                                   {"web_trusted_proxies": "10.0.0.0/40"}, {"web_trusted_proxies": "proxy"},
                                   {"web_trusted_proxies": "10.0.0.1/8"}])  # fmt: skip
def test_invalid_names_and_networks_are_settings_errors(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(_env_file=None, **wrong)


FORGED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "page.example"}


async def test_forwarded_headers_of_untrusted_peers_are_ignored(served: Open) -> None:
    for settings in ({}, {"web_trusted_proxies": "10.0.0.0/8"}):
        client = await served(web_hosts="page.example", **settings)
        remote, scheme, host = await (await client.get("/who", headers=FORGED)).json()
        assert (remote, scheme) == ("127.0.0.1", "http")
        assert host.startswith("127.0.0.1:")


@pytest.mark.parametrize(
    ("forwarded", "sender"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9, 10.0.0.7", "203.0.113.9"),
        ("203.0.113.9:51000, 10.0.0.7", "203.0.113.9"),
        ("[2001:db8::9]:51000", "2001:db8::9"),
        ("2001:db8::9", "2001:db8::9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("10.0.0.8, 10.0.0.7", "10.0.0.8"),
        ("203.0.113.9, nonsense, 10.0.0.7", "10.0.0.7"),
        ("", "127.0.0.1"),
        (", ".join(["10.0.0.7"] * 5_0), "10.0.0.7"),
    ],
)
async def test_the_right_most_address_that_is_not_trusted_is_the_sender(
    served: Open, forwarded: str, sender: str
) -> None:
    client = await served(web_trusted_proxies=f"{LOOPBACK},10.0.0.0/8")
    assert (await (await client.get("/who", headers={"X-Forwarded-For": forwarded})).json())[0] == sender


async def test_scheme_and_host_are_the_last_ones_of_a_trusted_proxy(served: Open) -> None:
    client = await served(web_trusted_proxies=LOOPBACK, web_hosts="page.example")
    assert await (await client.get("/who", headers=FORGED)).json() == ["203.0.113.9", "https", "page.example"]
    assert (await client.get("/api/sessions/test_race/state", headers=FORGED)).status == 200
    odd = FORGED | {"X-Forwarded-Proto": "https, ftp", "X-Forwarded-Host": "evil.example, localhost"}
    assert (await (await client.get("/who", headers=odd)).json())[1:] == ["http", "localhost"]
    foreign = FORGED | {"X-Forwarded-Host": "evil.example"}
    assert (await client.get("/who", headers=foreign)).status == 421


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://page.example", 101),
        ("https://page.example:443", 101),
        ("HTTPS://page.example", 403),  # browsers send lower case
        ("http://page.example", 403),
        ("https://page.example:8443", 403),
        ("https://evil.example", 403),
        ("https://page.example.evil", 403),
        ("https://page.example@evil.example", 403),
        ("null", 403),
        ("", 403),
    ],
)
async def test_a_page_has_our_origin_by_scheme_host_and_port(served: Open, origin: str, status: int) -> None:
    client = await served(web_trusted_proxies=LOOPBACK, web_hosts="page.example")
    behind_tls = FORGED | {"Origin": origin}
    if status == 101:
        ws = await client.ws_connect("/ws", headers=behind_tls)
        assert (await ws.receive_json())["kind"] in {"head", "status"}
        return
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await client.ws_connect("/ws", headers=behind_tls)
    assert refused.value.status == status


async def test_viewers_behind_a_trusted_proxy_are_counted_by_their_own_address(served: Open) -> None:
    client = await served(web_trusted_proxies=LOOPBACK, web_viewers_per_address=1)
    first, second = ({"X-Forwarded-For": f"203.0.113.{n}"} for n in (1, 2))
    await client.ws_connect("/ws", headers=first)
    await client.ws_connect("/ws", headers=second)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await client.ws_connect("/ws", headers=first)
    assert refused.value.status == 429
