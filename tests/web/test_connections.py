"""Clients that are silent, slow, too many or too fast, on real sockets: each affects only itself and is closed."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import resource
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from f1stream.ports import PortTaken, check_port
from f1stream.settings import Settings
from models.message import RaceControl
from tests.support.page_race import frames_record, head_record
from web import connections as limits
from web import log_throttle, server, viewer, viewers
from web.app import create_app
from web.connections import Connections
from web.feed import Feed
from web.server import CONNECTIONS, serving
from web.tape_store import TapeStore

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
LARGE = b"GET /large HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
LARGE_BYTES = 5_000_000
"""More than the kernel takes for a client that reads nothing."""
PONG = b"\x8a\x80\x00\x00\x00\x00"


class Page:
    """A server with everything around it, and the clients of a test."""

    def __init__(self, app: web.Application, feed: Feed, port: int) -> None:
        self.feed = feed
        self.port = port
        self.connections: Connections = app[CONNECTIONS]
        self._clients: list[asyncio.StreamWriter] = []

    async def client(self, first: bytes = b"", room: int | None = None) -> asyncio.StreamReader:
        """A connection that has sent ``first``; ``room``: bytes that the kernel takes for it."""
        connection = socket.socket()
        if room:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", self.port))
        reader, writer = await asyncio.open_connection(sock=connection, limit=1024)
        self._clients.append(writer)
        writer.write(first)
        return reader

    def say(self, what: bytes) -> None:
        """The latest client sends more."""
        self._clients[-1].write(what)

    async def metric(self, line: str) -> bool:
        """Whether ``/metrics`` has such a line."""
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{self.port}/metrics") as answer:
            return line in (await answer.text()).splitlines()

    def leave(self) -> None:
        for client in self._clients:
            client.transport.abort()


@asynccontextmanager
async def page(port: int = 0, **settings: Any) -> AsyncIterator[Page]:
    feed = Feed(TapeStore(2**26))
    feed.connected = feed.caught_up = True
    feed.add_frames([head_record(), frames_record(0, 60, arrived_ms=int(time.time() * 1000))])
    wanted = Settings(**settings)
    app = create_app(wanted, feed)
    app.router.add_get("/large", _large)
    async with serving(app, "127.0.0.1", port, wanted.web_port_shared) as listening:
        made = Page(app, feed, listening)
        yield made
        made.leave()


async def _large(_: web.Request) -> web.Response:
    """A download such as the API's of a whole race."""
    return web.Response(body=bytes(LARGE_BYTES))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


def later(seconds: float) -> float:
    return time.monotonic() + seconds


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"], ids=["nothing", "half", "all"]
)
async def test_a_connection_without_a_first_or_next_request_is_closed(
    monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    assert 60 < server.IDLE_S < 90
    monkeypatch.setattr(server, "IDLE_S", 0.3)
    async with page() as made:
        reader = await made.client(sent)
        async with asyncio.timeout(10):
            while await reader.read(65_536):
                pass
        await until(lambda: not len(made.connections))


async def test_slow_headers_do_not_keep_a_connection_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "IDLE_S", 0.3)
    async with page() as made:
        await made.client(b"GET / HTTP/1.1\r\n")
        await until(lambda: len(made.connections) == 1)
        async with asyncio.timeout(10):
            while len(made.connections):
                made.say(b"X-More: 1\r\n")
                await asyncio.sleep(0.02)


async def test_a_download_that_is_not_read_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    async with page() as made:
        tasks = len(asyncio.all_tasks())
        await made.client(LARGE, room=4096)
        await until(lambda: any(each.transport.get_write_buffer_size() for each in made.connections))
        made.connections.check(time.monotonic())
        made.connections.check(later(limits.STALL_S - 5))
        assert len(made.connections) == 1
        made.connections.check(later(limits.STALL_S + 1))
        await until(lambda: len(asyncio.all_tasks()) <= tasks)
        assert len(made.connections) == 0
        assert await made.metric('f1stream_web_connections_ended_total{reason="reads nothing"} 1.0')
    assert "Traceback" not in caplog.text


async def test_a_download_that_is_read_too_slowly_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    async with page() as made:
        reader = await made.client(LARGE, room=4096)
        await until(lambda: any(each.transport.get_write_buffer_size() for each in made.connections))
        theirs = next(iter(made.connections)).transport
        for seconds in (0, 40, 80):
            async with asyncio.timeout(10):
                while not (before := theirs.get_write_buffer_size()):
                    await asyncio.sleep(0.01)
            made.connections.check(later(seconds))
            while theirs.get_write_buffer_size() == before:
                await reader.read(1024)
        assert len(made.connections) == 1
        made.connections.check(later(limits.ANSWER_S + 1))
        await until(lambda: not len(made.connections))
        assert await made.metric('f1stream_web_connections_ended_total{reason="takes too long to read"} 1.0')
    assert "Traceback" not in caplog.text


async def test_a_viewer_who_never_reads_is_counted_until_the_connection_is_gone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    long = [RaceControl.model_construct(session_time_ms=1, category="Other", message="x" * 60_000)]
    async with page() as made:
        await made.client(UPGRADE, room=4096)
        await until(lambda: len(made.connections) == 1)
        for number in range(60, 90):
            made.feed.add_frames([frames_record(number, race_control=long)])
            await asyncio.sleep(0.02)
        made.connections.check(time.monotonic())
        made.say(PONG)  # which is all that a heartbeat asks for
        made.connections.check(later(limits.STALL_S - 5))
        assert await made.metric("f1stream_web_viewers 1.0")
        made.connections.check(later(limits.STALL_S + 1))
        await until(lambda: not len(made.connections))
        assert await made.metric("f1stream_web_viewers 0.0")
        assert await made.metric('f1stream_web_connections_ended_total{reason="reads nothing"} 1.0')
    assert "Traceback" not in caplog.text


async def test_a_viewer_whose_heartbeat_stops_is_closed_despite_a_full_buffer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(viewers, "HEARTBEAT_S", 0.4)
    long = [RaceControl.model_construct(session_time_ms=1, category="Other", message="x" * 60_000)]
    async with page() as made:
        await made.client(UPGRADE, room=4096)
        for number in range(60, 90):
            made.feed.add_frames([frames_record(number, race_control=long)])
            await asyncio.sleep(0.02)
        await until(lambda: not len(made.connections))
        assert await made.metric("f1stream_web_viewers 0.0")


async def test_a_viewer_who_reads_slowly_stays() -> None:
    long = [RaceControl.model_construct(session_time_ms=1, category="Other", message="x" * 60_000)]
    async with page() as made:
        reader = await made.client(UPGRADE, room=4096)
        for number in range(60, 90):
            made.feed.add_frames([frames_record(number, race_control=long)])
            await asyncio.sleep(0.02)
        theirs = next(iter(made.connections)).transport
        for seconds in range(0, 300, 50):
            async with asyncio.timeout(10):
                while not (before := theirs.get_write_buffer_size()):
                    await asyncio.sleep(0.01)
            made.connections.check(later(seconds))
            while theirs.get_write_buffer_size() >= before:
                await reader.read(1024)
            made.feed.add_frames([frames_record(90 + seconds, 50, race_control=long)])
        assert len(made.connections) == 1


async def test_a_viewer_is_sent_more_as_soon_as_their_buffer_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewer, "STATUS_S", 3_600.0)  # no other reason for a turn than the buffer
    entries = [b'{"text":"%s"}' % (b"x" * 200) for _ in range(2_000)] + [b'"the last one"']
    async with page() as made:
        monkeypatch.setattr(made.feed.tapes.get("test_race").history, "between", lambda *_: entries)  # type: ignore[union-attr]
        reader = await made.client(UPGRADE.replace(b"/ws", b"/ws?at=1000"), room=4096)
        await until(lambda: len(made.connections) == 1)
        theirs = next(iter(made.connections)).transport
        await until(lambda: theirs.get_write_buffer_size() > 0)
        await asyncio.sleep(0.1)  # turns find that something waits
        received = b""
        async with asyncio.timeout(20):
            while b'"the last one"' not in received:
                received += await reader.read(65_536)
        assert len(received) > 2_000 * 200


@pytest.mark.parametrize("failing", ["viewer", "nothing"])
async def test_a_stopped_server_leaves_no_task(monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    def fail(_: viewer.Viewer, now: float) -> float | None:
        raise RuntimeError(f"a bug at {now}")

    if failing == "viewer":
        monkeypatch.setattr(viewer.Viewer, "turn", fail)
        monkeypatch.setattr(viewer, "CLOSE_S", 0.2)  # this viewer does not answer the close frame
    async with page() as made:
        reader = await made.client(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        await reader.read(2)
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert {"viewers", "connections-watch"} < names
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_client_that_sends_without_a_pause_is_read_at_a_limited_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WEBSOCKET_BYTES", (100_000, limits.RECEIVE_BYTES))
    async with page() as made:
        reader = await made.client(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        theirs = next(iter(made.connections))
        before = theirs.received
        # Pieces of a message that never ends: none of them is a message to be counted.
        sent = b"\x01\x80\x00\x00\x00\x00" + b"\x00\x80\x00\x00\x00\x00" * 5_000
        made.say(sent)
        await until(lambda: theirs.received > before and not theirs.transport.is_reading())
        assert theirs.received < before + len(sent)
        await until(lambda: theirs.received == before + len(sent))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux divides connections among the servers of a port")
async def test_servers_that_share_a_port_have_a_part_of_its_clients_each() -> None:
    async with page(web_port_shared=True) as one, page(one.port, web_port_shared=True) as other:
        check_port("127.0.0.1", one.port, "F1STREAM_WEB_PORT", "the page", shared=True)
        for _ in range(64):
            await one.client(UPGRADE)
        await until(lambda: len(one.connections) + len(other.connections) == 64)
        assert len(one.connections) > 0 < len(other.connections)
        with pytest.raises(PortTaken):
            check_port("127.0.0.1", one.port, "F1STREAM_WEB_PORT", "the page")


async def test_connections_are_bounded_in_all_and_by_address(monkeypatch: pytest.MonkeyPatch) -> None:
    async with page(web_viewers_per_address=1) as made:
        most = 2 + 50
        for _ in range(most):
            await made.client()
        await until(lambda: len(made.connections) == most)
        assert await (await made.client()).read() == b""
        assert len(made.connections) == most
        made.leave()
        await until(lambda: not len(made.connections))
        made.connections.limit = 1
        await made.client()
        await until(lambda: len(made.connections) == 1)
        assert await (await made.client()).read() == b""
        made.leave()
        await until(lambda: not len(made.connections))
        assert await made.metric('f1stream_web_connections_ended_total{reason="address has too many"} 1.0')
        assert await made.metric('f1stream_web_connections_ended_total{reason="all places taken"} 1.0')
        assert await made.metric("f1stream_web_connections 1.0"), "the one that asks"


async def test_a_trusted_proxy_has_no_limit_of_connections() -> None:
    async with page(web_viewers_per_address=1, web_trusted_proxies="127.0.0.0/8") as made:
        for _ in range(60):
            await made.client()
        await until(lambda: len(made.connections) == 60)


async def test_the_kernel_closes_the_connection_of_a_vanished_client() -> None:
    async with page() as made:
        await made.client()
        await until(lambda: len(made.connections) == 1)
        theirs = next(iter(made.connections)).transport.get_extra_info("socket")
        assert theirs.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == limits.STALL_S * 1000


def test_as_many_files_may_be_open_as_the_system_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    raised_to: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limit: raised_to.append(limit))
    for limit, raised in [((1024, 4096), 4096), ((1024, resource.RLIM_INFINITY), server.MOST_DESCRIPTORS)]:
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: limit)
        assert server.descriptors() == raised
        assert raised_to.pop() == (raised, limit[1])
    monkeypatch.setattr(resource, "getrlimit", lambda _: (4096, 4096))
    assert (server.descriptors(), raised_to) == (4096, [])


async def test_with_few_files_fewer_connections_are_taken(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "descriptors", lambda: server.OTHER_DESCRIPTORS + 7)
    async with page() as made:
        assert made.connections.limit == 7
    assert "raise `ulimit -n`" in caplog.text


async def test_connections_that_cannot_be_accepted_are_one_log_line(caplog: pytest.LogCaptureFixture) -> None:
    async with page() as made:
        loop = asyncio.get_running_loop()
        for _ in range(500):
            full = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            loop.call_exception_handler({"message": "x", "exception": full, "socket": None})
        assert caplog.text.count("\n") == 1
        assert "New connections have to wait: Too many open files" in caplog.text
        loop.call_exception_handler({"message": "something else", "exception": ValueError("of ours")})
        assert "something else" in caplog.text
        assert await made.metric("f1stream_web_connections 1.0")


MALFORMED = {
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "version": b"GET / HTTP/9.9\r\n\r\n",
    "header": b"GET / HTTP/1.1\r\nNo colon\r\n\r\n",
    "long": b"GET " + b"a" * 10_000 + b" HTTP/1.1\r\n\r\n",
    "length": b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
}


@pytest.mark.parametrize("malformed", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_malformed_request_is_one_line(caplog: pytest.LogCaptureFixture, malformed: bytes) -> None:
    caplog.set_level(logging.DEBUG, "web.requests")
    for limit in log_throttle.requests.filters:
        assert isinstance(limit, log_throttle.ClientErrorFilter)
        limit.reset()
    async with page() as made:
        for _ in range(3):
            reader = await made.client(malformed)
            assert (await reader.read(12)) in {b"HTTP/1.1 400", b"HTTP/1.0 400"}
            while await reader.read(65_536):
                pass
    lines = [record.getMessage() for record in caplog.records if record.name == "web.requests"]
    assert len(lines) == 1
    assert "\n" not in lines[0]
    assert len(lines[0]) < 400
    assert "Traceback" not in caplog.text
