"""Viewers that send many commands: commands are queued and replaced, and other viewers do not wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer

from f1stream.settings import Settings
from tests.support.page_marts import result, season
from tests.support.page_race import frames_record, head_record, lap, messages
from tests.support.recording_transport import RecordingTransport
from web import viewer as sending_side
from web import viewers
from web.app import create_app
from web.commands import Command, GoLive, GoToLap, Pause, Play, Reveal, enqueue
from web.feed import Feed
from web.metrics import Metrics
from web.send_scheduler import SendScheduler
from web.tape_store import TapeStore
from web.viewer import Viewer

Client = TestClient[web.Request, web.Application]

LIVE, THERE, HERE = GoLive(id=1, do="live"), Play(id=2, do="play", t=5), Pause(id=3, do="pause")
STILL, LAP, OTHER = Pause(id=4, do="pause", t=9), GoToLap(id=5, do="lap", lap=3), GoToLap(id=6, do="lap", lap=4)
SHOW, HIDE = Reveal(id=7, do="reveal", on=True), Reveal(id=8, do="reveal", on=False)
ON = Play(id=9, do="play")


@pytest.fixture
def feed() -> Feed:
    made = Feed(TapeStore(2**26))
    made.connected = made.caught_up = True
    made.add_frames([head_record(), frames_record(0, 400, arrived_ms=int(time.time() * 1000))])
    return made


@pytest.fixture
async def client(feed: Feed) -> AsyncIterator[Client]:
    async with TestClient(TestServer(create_app(Settings(), feed))) as made:
        yield made


async def answers(ws: aiohttp.ClientWebSocketResponse, until_id: int) -> list[int]:
    """The numbers of the commands that were answered, up to one of them."""
    ids: list[int] = []
    async with asyncio.timeout(10):
        while until_id not in ids:
            body = orjson.loads((await ws.receive()).data)
            if body["kind"] in {"moved", "refused"} and body["id"] is not None:
                ids.append(body["id"])
    return ids


@pytest.mark.parametrize(
    ("queued", "left"),
    [
        ([LIVE, THERE, STILL], [STILL]),
        ([LAP, OTHER], [OTHER]),
        ([LAP, LIVE], [LIVE]),
        ([STILL, LAP], [STILL, LAP]),
        ([THERE, HERE], [THERE, HERE]),
        ([THERE, HERE, ON], [THERE, ON]),
        ([LAP, HERE, OTHER], [HERE, OTHER]),
        ([SHOW, LIVE, HIDE, THERE], [HIDE, THERE]),
    ],
)
def test_a_queued_command_is_replaced_by_a_later_one_that_makes_it_pointless(
    queued: list[Command], left: list[Command]
) -> None:
    found: list[Command] = []
    for command in queued:
        found = enqueue(found, command)
    assert found == left


async def test_commands_beyond_twenty_wait_and_only_the_latest_of_them_is_done(client: Client) -> None:
    ws = await client.ws_connect("/ws?at=11000")
    for number in range(1, 61):
        await ws.send_json({"id": number, "do": "pause", "t": number * 200})
    done = await answers(ws, 60)
    assert len(done) <= sending_side.COMMANDS_AT_ONCE + 5
    await ws.send_json({"id": 61, "do": "reveal", "on": True})
    assert await answers(ws, 61) == [61], "a viewer above the rate is not disconnected"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server does not wait for the answer to a close frame."""
    for module in (sending_side, viewers):
        monkeypatch.setattr(module, "CLOSE_S", 0.05)


@pytest.mark.usefixtures("hasty")
async def test_too_many_messages_close_the_socket_with_a_sentence(client: Client) -> None:
    ws = await client.ws_connect("/ws")
    for number in range(round(sending_side.MESSAGES_AT_ONCE) + 200):
        await ws.send_json({"id": number, "do": "lap", "lap": 1})
    async with asyncio.timeout(5):
        while (message := await ws.receive()).type is WSMsgType.TEXT:
            pass
    assert (message.type, ws.close_code) == (WSMsgType.CLOSE, aiohttp.WSCloseCode.POLICY_VIOLATION)
    assert message.extra == "more than 50 messages a second; slow down"


@pytest.mark.usefixtures("hasty")
async def test_pings_are_answered_and_counted_as_messages(client: Client) -> None:
    ws = await client.ws_connect("/ws", autoping=False)
    await ws.ping(b"here")
    async with asyncio.timeout(5):
        while (message := await ws.receive()).type is not WSMsgType.PONG:
            pass
        assert message.data == b"here"
        for _ in range(round(sending_side.MESSAGES_AT_ONCE) + 200):
            await ws.ping()
        while (message := await ws.receive()).type in {WSMsgType.TEXT, WSMsgType.PONG}:
            pass
    assert ws.close_code == aiohttp.WSCloseCode.POLICY_VIOLATION


async def test_between_two_commands_of_one_viewer_the_others_have_their_turn(feed: Feed) -> None:
    transports = [RecordingTransport(), RecordingTransport()]
    viewers = [Viewer(each, each, feed, Metrics(), None, LIVE) for each in transports]  # type: ignore[arg-type]
    answered: list[tuple[Viewer, int]] = []

    def turn(viewer: Viewer, now: float) -> float | None:
        due = viewer.turn(now)
        answers = [body for body in transports[viewers.index(viewer)].messages() if body["kind"] == "moved"]
        answered.append((viewer, len(answers)))
        return due

    scheduler = SendScheduler(turn)
    for viewer in viewers:
        for command in (SHOW, GoToLap(id=1, do="lap", lap=1), HERE):
            viewer.enqueue(command)
        scheduler.add(viewer)
    taking = asyncio.create_task(scheduler.run())
    async with asyncio.timeout(5):
        while len(answered) < 6:
            await asyncio.sleep(0)
    taking.cancel()
    assert answered[:6] == [(viewer, 1) for viewer in viewers] * 3


@pytest.mark.parametrize("query", ["ended=wait", "ended=wait&session=test_race", "ended=wait&delay_ms=2000"])
async def test_nothing_of_an_ended_session_is_sent_before_the_first_command(
    client: Client, feed: Feed, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    """Not even while the server still reads the topics: the end has not been read yet."""
    monkeypatch.setattr(sending_side, "STATUS_S", 0.02)
    feed.caught_up = False
    ws = await client.ws_connect(f"/ws?{query}")
    received: list[dict[str, Any]] = []

    async def receive(kind: str) -> dict[str, Any]:
        async with asyncio.timeout(5):
            while True:
                received.append(orjson.loads((await ws.receive()).data))
                if received[-1]["kind"] == kind:
                    return received[-1]

    assert (await receive("status"))["session"] is None
    feed.add_facts([*(lap(car, 1) for car in ("1", "4", "81")), *messages()])
    feed.add_marts([result(), season()])
    feed.add_frames([frames_record(400, 1, ended=True, race_control=[])])
    feed.caught_up = True
    while (status := await receive("status"))["session"] is None:
        pass
    assert (status["mode"], status["ended"], status["t"], status["to_ms"]) == ("wait", True, None, 400 * 200)
    await ws.send_json({"id": 1, "do": "reveal", "on": True})
    assert (await receive("moved"))["mode"] == "wait"
    for _ in range(3):
        await receive("status")
    assert {each["kind"] for each in received} == {"status", "head", "moved"}
    assert [each["t"] for each in received if each["kind"] == "head"] == [0], "the first head of the session"
    await ws.send_json({"id": 2, "do": "reveal", "on": False})
    await ws.send_json({"id": 3, "do": "pause", "t": 30_000})
    received.clear()
    while not received or received[-1]["kind"] != "log":
        await receive("log")
    assert [each["t"] for each in received if each["kind"] in {"key", "delta"}] == [30_000]
    assert max(entry["t"] for each in received for entry in each.get("entries", [])) <= 30_000


async def test_a_mode_that_changes_with_a_refused_command_is_told_first(
    client: Client, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command is refused in the turn in which the session turns out to have ended."""
    feed.caught_up = False
    feed.add_frames([frames_record(400, 1, ended=True, race_control=[])])
    enqueue = Viewer.enqueue

    def with_the_end(viewer: Viewer, command: Command) -> None:
        feed.caught_up = True
        enqueue(viewer, command)

    monkeypatch.setattr(Viewer, "enqueue", with_the_end)
    ws = await client.ws_connect("/ws?ended=wait")
    await ws.send_json({"id": 1, "do": "lap", "lap": 150})
    told: list[tuple[str, int | None]] = []
    async with asyncio.timeout(5):
        while len(told) < 2:
            body = orjson.loads((await ws.receive()).data)
            if body["kind"] in {"moved", "refused"}:
                told.append((body["kind"], body["id"]))
    assert told == [("moved", None), ("refused", 1)]


async def test_an_ended_session_shows_its_end_to_a_client_that_does_not_wait(client: Client, feed: Feed) -> None:
    feed.add_frames([frames_record(400, 1, ended=True, race_control=[])])
    ws = await client.ws_connect("/ws")
    async with asyncio.timeout(5):
        while (body := orjson.loads((await ws.receive()).data))["kind"] != "delta" and body.get("t") != 80_000:
            pass
    assert body["t"] == 80_000


async def test_another_wish_than_to_wait_is_a_bad_request(client: Client) -> None:
    answer = await client.get("/ws?ended=show")
    assert (answer.status, await answer.text()) == (400, "ended: the only value is wait.")


async def test_between_two_messages_of_a_burst_the_others_have_their_turn(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    received: list[float] = []
    turns = 0
    enqueue_command = Viewer.enqueue

    def listen(viewer: Viewer, command: Command) -> None:
        received.append(turns)
        enqueue_command(viewer, command)

    monkeypatch.setattr(Viewer, "enqueue", listen)
    ws = await client.ws_connect("/ws")
    for number in range(100):
        await ws.send_json({"id": number, "do": "live"})
    async with asyncio.timeout(5):
        while len(received) < 100:
            await asyncio.sleep(0)
            turns += 1
    assert len(set(received)) == 100
