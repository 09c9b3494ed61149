"""Sending to one viewer after the other, in the order in which something became due; what a turn sends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer

from f1stream.settings import Settings
from tests.support.page_race import frames_record, head_record
from tests.support.recording_transport import RecordingTransport
from web.app import create_app
from web.commands import Command, GoLive, Pause, Play
from web.feed import Feed
from web.metrics import Metrics
from web.send_scheduler import SendScheduler
from web.tape_store import TapeStore
from web.viewer import SEND_BUFFER_BYTES, STATUS_S, Viewer, header

Client = TestClient[web.Request, web.Application]
LIVE = GoLive(id=1, do="live")


@pytest.fixture
def feed() -> Feed:
    made = Feed(TapeStore(2**26))
    made.connected = made.caught_up = True
    made.add_frames([head_record(), frames_record(0, 60, arrived_ms=int(time.time() * 1000))])
    return made


@pytest.fixture
async def client(feed: Feed) -> AsyncIterator[Client]:
    async with TestClient(TestServer(create_app(Settings(), feed))) as made:
        yield made


def viewer_of(feed: Feed, transport: RecordingTransport, initial: Command = LIVE) -> Viewer:
    return Viewer(transport, transport, feed, Metrics(), None, initial)  # type: ignore[arg-type]


async def test_turns_are_taken_in_the_order_in_which_they_were_due(feed: Feed) -> None:
    first, second, third = (viewer_of(feed, RecordingTransport()) for _ in range(3))
    taken: list[Viewer] = []
    waits = {first: [0.05, 0.1], second: [0.2]}

    def turn(viewer: Viewer, now: float) -> float | None:
        taken.append(viewer)
        if viewer is third:
            scheduler.add(first)  # whose timer is then another one
        return now + waits[viewer].pop(0) if waits.get(viewer) else None

    scheduler = SendScheduler(turn)
    for viewer in (first, second, third, first):
        scheduler.add(viewer)
    taking = asyncio.create_task(scheduler.run())
    async with asyncio.timeout(5):
        while len(taken) < 6:
            await asyncio.sleep(0.01)
    taking.cancel()
    assert taken == [first, second, third, first, first, second]


async def ticks_beside(scheduler: SendScheduler, turns: list[float]) -> None:
    """Run the scheduler until there were 20 turns, during which another task of the event loop must run as often."""
    sending, ticks = asyncio.create_task(scheduler.run()), 0
    while len(turns) < 20 and not sending.done():
        await asyncio.sleep(0.001)
        ticks += 1
    assert not sending.done()
    sending.cancel()
    assert ticks >= 20


async def test_a_viewer_that_is_always_due_does_not_occupy_the_event_loop(feed: Feed) -> None:
    turns: list[float] = []

    def turn(_: Viewer, now: float) -> float | None:
        turns.append(now)
        assert len(turns) < 1_000, "no other task runs"
        return now

    scheduler = SendScheduler(turn)
    scheduler.add(viewer_of(feed, RecordingTransport()))
    await ticks_beside(scheduler, turns)


async def test_a_viewer_who_plays_through_missing_frames_does_not_occupy_the_event_loop(feed: Feed) -> None:
    feed.add_frames([frames_record(1_050, 60)])
    transport = RecordingTransport()
    viewer = viewer_of(feed, transport, Play(id=1, do="play", t=59 * 200, speed=16))
    turns: list[float] = []

    def turn(viewer: Viewer, now: float) -> float | None:
        turns.append(now)
        assert len(turns) < 1_000, "no other task runs"
        return viewer.turn(now)

    scheduler = SendScheduler(turn)
    scheduler.add(viewer)
    await ticks_beside(scheduler, turns)
    assert [body["t"] // 200 for body in transport.messages() if body["kind"] in {"key", "delta"}] == [50, 59]


@pytest.fixture
def now() -> float:
    """Monotonic seconds: rate limits are full."""
    return time.monotonic() + 1


def test_nothing_is_sent_while_something_waits_in_the_buffer(feed: Feed, now: float) -> None:
    transport = RecordingTransport()
    viewer = viewer_of(feed, transport)
    viewer.turn(now)
    assert [body["kind"] for body in transport.messages()] == ["head", "key", "delta", "status"]
    transport.waiting = 1
    for number in range(60, 90):
        feed.add_frames([frames_record(number)])
        assert viewer.turn(now + number) == now + number + STATUS_S
    assert not transport.messages()
    transport.waiting = 0
    viewer.turn(now + 90)
    assert [body["t"] // 200 for body in transport.messages() if body["kind"] == "delta"] == [89]


def test_what_the_kernel_does_not_take_at_once_is_sent_in_later_turns(
    feed: Feed, monkeypatch: pytest.MonkeyPatch, now: float
) -> None:
    entries = [orjson.dumps({"t": 0, "text": "x" * 200}) for _ in range(2_000)]
    monkeypatch.setattr(feed.tapes.get("test_race").history, "between", lambda *_: entries)  # type: ignore[union-attr]
    transport = RecordingTransport()
    viewer = viewer_of(feed, transport)
    logged = []
    for _ in range(5):
        assert viewer.turn(now) is not None
        sent = transport.messages()
        logged += [entry for body in sent if body["kind"] == "log" for entry in body["entries"]]
        assert sum(len(orjson.dumps(body)) for body in sent) < SEND_BUFFER_BYTES + 500 * 250
    assert len(logged) == 2_000
    assert viewer.turn(now) == pytest.approx(now + STATUS_S)


def test_one_status_a_second_comes_with_a_frame_where_there_is_one(feed: Feed, now: float) -> None:
    transport = RecordingTransport()
    viewer = viewer_of(feed, transport)
    for n in range(21):
        feed.add_frames([frames_record(60 + n)])
        viewer.turn(now + n / 5)
    kinds = [body["kind"] for body in transport.messages()]
    assert kinds.count("status") == 5
    assert len(transport.sizes) == 21


def test_a_command_is_answered_before_anything_else_is_sent(feed: Feed, now: float) -> None:
    transport = RecordingTransport()
    viewer = viewer_of(feed, transport)
    viewer.enqueue(Pause(id=7, do="pause", t=3_000))
    assert viewer.turn(now) == now
    assert [(body["kind"], body["id"]) for body in transport.messages()] == [("moved", 7)]
    viewer.turn(now)
    assert [body["t"] for body in transport.messages() if body["kind"] in {"key", "delta"}] == [0, 3_000]


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (0, b"\x81\x00"), (125, b"\x81\x7d"), (126, b"\x81\x7e\x00\x7e"), (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)  # fmt: skip
def test_a_message_has_the_header_of_rfc_6455(length: int, expected: bytes) -> None:
    assert header(length) == expected


async def test_an_internal_error_closes_one_websocket_and_no_other(
    client: Client, feed: Feed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    turn = Viewer.turn
    failing: list[Viewer] = []

    def fail(viewer: Viewer, now: float) -> float | None:
        failing[:] = failing or [viewer]
        if viewer in failing:
            raise RuntimeError("a bug")
        return turn(viewer, now)

    monkeypatch.setattr(Viewer, "turn", fail)
    bad, good = await client.ws_connect("/ws"), await client.ws_connect("/ws")
    async with asyncio.timeout(5):
        message = await bad.receive()
        assert (message.type, message.data) == (WSMsgType.CLOSE, aiohttp.WSCloseCode.INTERNAL_ERROR)
        feed.add_frames([frames_record(60, 1)])
        while orjson.loads((await good.receive()).data).get("t") != 60 * 200:
            pass
    assert "a viewer's turn failed" in caplog.text
