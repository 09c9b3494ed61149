"""Limits of requests from one address, and of long answers at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from f1stream.settings import Settings
from tests.support.page_race import whole_race
from web import limits
from web.api.responses import api_middleware
from web.app import create_app
from web.feed import Feed
from web.limits import LongAnswerLimit, RateLimit
from web.tape_store import TapeStore

Client = TestClient[web.Request, web.Application]


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_third_of_a_minute_s_requests_may_come_at_once_and_the_rest_at_the_rate() -> None:
    clock = Clock()
    limit = RateLimit(600, clock)
    assert [limit.wait("10.0.0.1") for _ in range(200)] == [0.0] * 200
    assert 0 < limit.wait("10.0.0.1") <= 0.1
    assert limit.wait("10.0.0.2") == 0, "another address has its own limit"
    clock.now += 1
    assert [limit.wait("10.0.0.1") > 0 for _ in range(11)] == [False] * 10 + [True]
    clock.now += 3_600
    assert [limit.wait("10.0.0.1") > 0 for _ in range(201)] == [False] * 200 + [True]


def test_requests_while_refused_do_not_prolong_the_wait() -> None:
    clock = Clock()
    limit = RateLimit(60, clock)
    for _ in range(500):
        limit.wait("10.0.0.1")
    clock.now += 1.001
    assert limit.wait("10.0.0.1") == 0


def test_the_addresses_of_an_ipv6_network_are_counted_together() -> None:
    limit = RateLimit(3, Clock())
    assert [limit.wait(f"2001:db8:1:2::{n}") > 0 for n in range(3)] == [False, True, True]
    assert limit.wait("2001:db8:1:3::1") == 0


def test_a_few_thousand_addresses_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ADDRESSES", 100)
    limit = RateLimit(3, Clock())
    for n in range(1_000):
        limit.wait(f"10.0.{n // 256}.{n % 256}")
        assert limit.wait("192.0.2.1") > 0 or n == 0, "an active address is not forgotten"
    assert len(limit._buckets) == 100


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    feed = Feed(TapeStore(2**26))
    feed.connected = feed.caught_up = True
    whole_race(feed, 60)
    async with TestClient(TestServer(create_app(Settings(web_requests_per_minute=9), feed))) as made:
        yield made


async def test_requests_above_the_limit_get_429_with_retry_after(client: Client) -> None:
    for _ in range(3):
        assert (await client.get("/api/sessions")).status == 200
    answer = await client.get("/api/sessions/test_race/laps")
    assert (answer.status, answer.headers["Cache-Control"]) == (429, "no-store")
    assert 1 <= int(answer.headers["Retry-After"]) <= 7
    assert (await answer.json())["error"].startswith("one address may send 9 requests a minute")
    for path in ("/", "/health", "/static/main.js"):
        assert (await client.get(path)).status == 200, "only API requests are counted"


async def test_few_long_answers_are_computed_at_once_and_few_wait() -> None:
    going, most, gate = 0, 0, asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        nonlocal going, most
        going += 1
        most = max(most, going)
        await gate.wait()
        going -= 1
        return web.Response(body=b"{}")

    async def quick(_: web.Request) -> web.Response:
        return web.Response(body=b"{}")

    turns = LongAnswerLimit(at_once=2, waiting=3)
    app = web.Application(middlewares=[api_middleware, turns.wait])
    app.add_routes([web.get("/api/sessions/{key}/gaps", slow), web.get("/api/sessions/{key}/state", quick)])
    async with TestClient(TestServer(app)) as client:
        waiting = [asyncio.create_task(client.get("/api/sessions/a/gaps")) for _ in range(5)]
        while turns._pending < 5:
            await asyncio.sleep(0.001)
        refused = await client.get("/api/sessions/a/gaps")
        assert refused.status == 503
        assert int(refused.headers["Retry-After"]) == limits.AGAIN_S
        assert "waiting" in (await refused.json())["error"]
        assert (await client.get("/api/sessions/a/state")).status == 200, "others do not wait"
        gate.set()
        assert [(await each).status for each in waiting] == [200] * 5
        assert most == 2
        assert (await client.get("/api/sessions/a/gaps")).status == 200
