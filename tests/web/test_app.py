from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer

from f1stream.settings import Settings
from models import Frame, Season, SessionResult
from models.message import RaceControl
from tests.support.page_marts import BUILT_MS, result, season
from tests.support.page_race import damaged_notice, frames_record, head_record
from tests.support.ports import free_port
from web import viewer
from web.app import create_app, serve
from web.cursor import ViewerCursor
from web.feed import Feed
from web.send_scheduler import SendScheduler
from web.tape_store import TapeStore
from web.viewers import Viewers

Client = TestClient[web.Request, web.Application]


def now_ms() -> int:
    return int(time.time() * 1000)


@pytest.fixture
def feed() -> Feed:
    made = Feed(TapeStore(2**26))
    made.connected = made.caught_up = True
    return made


@pytest.fixture
def quick_status(monkeypatch: pytest.MonkeyPatch) -> None:
    """Status messages come often, so that no test waits for one."""
    assert viewer.STATUS_S == 1.0
    monkeypatch.setattr(viewer, "STATUS_S", 0.05)


@pytest.fixture
async def client(feed: Feed) -> AsyncIterator[Client]:
    async with TestClient(TestServer(create_app(Settings(), feed))) as made:
        yield made


def race(feed: Feed, frames: int = 60, **named: Any) -> None:
    feed.add_frames([head_record(**named), frames_record(0, frames, arrived_ms=now_ms(), **named)])


async def messages(ws: aiohttp.ClientWebSocketResponse, count: int, kinds: str = "head key delta") -> list[Any]:
    found: list[Any] = []
    async with asyncio.timeout(5):
        while len(found) < count:
            message = await ws.receive()
            assert message.type is WSMsgType.TEXT, message
            body = orjson.loads(message.data)
            if body["kind"] in kinds.split():
                found.append(body)
    return found


async def test_a_late_joiner_gets_head_keyframe_and_the_newest_frame_at_once(client: Client, feed: Feed) -> None:
    race(feed, 88)
    ws = await client.ws_connect("/ws")
    head, key, delta = await messages(ws, 3)
    assert (head["kind"], head["session_key"]) == ("head", "test_race")
    assert (key["kind"], key["t"]) == ("key", 50 * 200)
    assert (delta["kind"], delta["t"], delta["key_t"]) == ("delta", 87 * 200, 50 * 200)


async def test_frames_at_the_sessions_pace_are_all_sent(client: Client, feed: Feed) -> None:
    race(feed, 48)
    ws = await client.ws_connect("/ws")
    await messages(ws, 3)
    feed.add_frames([frames_record(48, 5)])
    assert [message["t"] // 200 for message in await messages(ws, 5)] == [48, 49, 50, 51, 52]


async def test_a_full_speed_replay_is_shown_in_jumps_with_the_keyframe_first(client: Client, feed: Feed) -> None:
    race(feed, 10)
    ws = await client.ws_connect("/ws")
    await messages(ws, 3)
    feed.add_frames([frames_record(10, 300)])
    key, delta = await messages(ws, 2)
    assert (key["t"] // 200, delta["t"] // 200) == (300, 309)
    sent = 0
    started = time.monotonic()
    for first in range(310, 910, 10):
        feed.add_frames([frames_record(first, 10)])
        await asyncio.sleep(0.01)
    while (await messages(ws, 1))[0]["t"] // 200 != 909:
        sent += 1
    assert sent <= 25 * (time.monotonic() - started) + viewer.BURST + 15
    text = await (await client.get("/metrics")).text()
    skipped = [line for line in text.splitlines() if line.startswith("f1stream_web_frames_skipped_total{")]
    assert sum(float(line.split()[-1]) for line in skipped) > 299 + 400


async def test_a_slow_viewer_gets_the_newest_picture_and_not_a_queue(feed: Feed) -> None:
    race(feed, 10)
    cursor = ViewerCursor()
    cursor.follow(feed.tapes.newest())
    assert len(list(cursor.advance(cursor.target(0, 0), 8))) == 3
    feed.add_frames([frames_record(10, 400)])
    sent = [orjson.loads(message) for message in cursor.advance(cursor.target(0, 0), 8)]
    assert [(message["kind"], message["t"] // 200) for message in sent] == [("key", 400), ("delta", 409)]
    assert cursor.skipped == 399
    assert cursor.behind(cursor.target(0, 0)) == 0


async def test_little_is_buffered_for_a_viewer_that_does_not_read(client: Client, feed: Feed) -> None:
    race(feed, 10)
    receiving = socket.socket()
    receiving.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    receiving.setblocking(False)
    await asyncio.get_running_loop().sock_connect(receiving, ("127.0.0.1", client.port))
    reader, writer = await asyncio.open_connection(sock=receiving, limit=4096)
    writer.write(
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    await reader.readuntil(b"}")
    long = [RaceControl.model_construct(session_time_ms=1, category="Other", message="x" * 60_000)]
    for number in range(10, 40):
        feed.add_frames([frames_record(number, race_control=long)])
        await asyncio.sleep(0.05)
    newest, waited = b'"t":%d,' % (39 * 200), b""
    async with asyncio.timeout(5):
        while newest not in waited:
            waited += await reader.read(65_536)
    assert len(waited) < 600_000 < 30 * 60_000
    writer.close()


async def test_a_new_run_restarts_the_viewer(client: Client, feed: Feed) -> None:
    race(feed, 60)
    ws = await client.ws_connect("/ws?session=test_race")
    await messages(ws, 3)
    race(feed, 1, epoch=2)
    head, key = await messages(ws, 2)
    assert (head["epoch"], key["t"]) == (2, 0)


@pytest.mark.usefixtures("quick_status")
async def test_the_status_is_current_every_second(client: Client, feed: Feed) -> None:
    feed.add_frames([head_record(), frames_record(0, 3, arrived_ms=now_ms() - 7000)])
    ws = await client.ws_connect("/ws")
    first = (await messages(ws, 1, "status"))[0]
    assert first["reader"] == "connected"
    assert first["sessions"] == ["test_race"]
    assert 7000 <= first["worker_age_ms"] < 9000
    assert (first["ended"], first["behind_ms"]) == (False, 0)
    feed.connected = False
    feed.add_frames([frames_record(3, 1, arrived_ms=now_ms(), race_control=[], ended=True)])
    second = (await messages(ws, 1, "status"))[0]
    assert second["reader"] == "disconnected"
    assert second["ended"]
    assert second["worker_age_ms"] < 2000


@pytest.mark.usefixtures("quick_status")
async def test_the_status_names_the_latest_build_of_the_marts(client: Client, feed: Feed) -> None:
    race(feed)
    ws = await client.ws_connect("/ws")
    assert (await messages(ws, 1, "status"))[0]["marts"] is None
    seen = []
    for record in (result(), season(), result(built_ms=BUILT_MS + 1)):
        feed.add_marts([record])
        seen.append((await messages(ws, 1, "status"))[0]["marts"])
    assert len(set(seen)) == 3
    assert (await messages(ws, 1, "status"))[0]["marts"] == seen[-1]


async def test_without_a_session_a_viewer_waits_and_then_gets_it(client: Client, feed: Feed) -> None:
    ws = await client.ws_connect("/ws")
    status = (await messages(ws, 1, "status"))[0]
    assert (status["session"], status["sessions"]) == (None, [])
    race(feed, 1)
    assert [message["kind"] for message in await messages(ws, 2)] == ["head", "key"]


@pytest.mark.usefixtures("quick_status")
async def test_the_newest_session_is_the_default_and_a_running_one_is_not_left(client: Client, feed: Feed) -> None:
    race(feed, 3, session="old", epoch=5)
    race(feed, 3, session="new", epoch=9)
    ws = await client.ws_connect("/ws")
    assert (await messages(ws, 1))[0]["session_key"] == "new"
    race(feed, 3, session="newer", epoch=10)
    assert (await messages(ws, 2, "status"))[1]["session"] == "new"
    feed.add_frames([frames_record(3, 1, session="new", epoch=9, arrived_ms=now_ms(), race_control=[], ended=True)])
    heads = await messages(ws, 1, "head")
    assert heads[0]["session_key"] == "newer"


async def test_another_sites_page_may_not_connect(client: Client) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await client.ws_connect("/ws", headers={"Origin": "http://elsewhere.example"})
    assert refused.value.status == 403


@pytest.mark.parametrize(
    ("limits", "status"), [({"web_viewers": 1}, 503), ({"web_viewers_per_address": 1}, 429)], ids=["all", "address"]
)
async def test_a_viewer_beyond_the_limit_is_refused(feed: Feed, limits: dict[str, int], status: int) -> None:
    async with TestClient(TestServer(create_app(Settings(**limits), feed))) as full:
        ws = await full.ws_connect("/ws")
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await full.ws_connect("/ws")
        assert refused.value.status == status
        await ws.close()
        again = await full.ws_connect("/ws")
        assert (await messages(again, 1, "status"))[0]["reader"] == "connected", "a place is free again"


async def test_an_invalid_position_is_a_bad_request(client: Client) -> None:
    answer = await client.get("/ws?at=tomorrow")
    assert answer.status == 400
    assert await answer.text() == "pause.t: Input should be a valid integer, unable to parse string as an integer."


async def test_every_viewer_has_a_position_of_their_own(client: Client, feed: Feed) -> None:
    race(feed, 400)
    here, there = await client.ws_connect("/ws"), await client.ws_connect("/ws?at=11000")
    assert (await messages(here, 3))[-1]["t"] == 399 * 200
    assert [message["t"] for message in await messages(there, 3)] == [0, 10_000, 11_000]
    await there.send_json({"id": 1, "do": "play", "t": 62_000, "speed": 4})
    assert (await messages(there, 1, "moved"))[0] == {
        "kind": "moved", "id": 1, "mode": "play", "t": 62_000, "speed": 4.0, "delay_ms": 0, "reveal": False,
        "jump": True,
    }  # fmt: skip
    assert [message["t"] for message in await messages(there, 4)] == [60_000, 62_000, 62_200, 62_400]
    feed.add_frames([frames_record(400, 1)])
    assert (await messages(here, 1))[0]["t"] == 400 * 200
    await there.send_json({"id": 2, "do": "lap", "lap": 9})
    assert (await messages(there, 1, "refused"))[0]["error"].startswith("lap 9 has not begun")


async def test_a_viewer_is_live_again_when_playing_reaches_the_end(client: Client, feed: Feed) -> None:
    race(feed, 400)
    ws = await client.ws_connect(f"/ws?at={397 * 200}&speed=16")
    await messages(ws, 3)
    assert (await messages(ws, 1, "moved"))[0]["mode"] == "live"


@pytest.mark.parametrize("frame", ["nonsense", '{"do":"play"}', b"\x00\xff", '{"id":1,"do":"pause","t":true}'])
async def test_an_invalid_message_closes_the_socket_with_a_sentence(client: Client, frame: str | bytes) -> None:
    ws = await client.ws_connect("/ws")
    await (ws.send_bytes(frame) if isinstance(frame, bytes) else ws.send_str(frame))
    async with asyncio.timeout(5):
        while (message := await ws.receive()).type is WSMsgType.TEXT:
            pass
    assert (message.type, ws.close_code) == (WSMsgType.CLOSE, aiohttp.WSCloseCode.POLICY_VIOLATION)
    assert message.extra


async def test_a_message_that_is_too_long_ends_the_connection(client: Client) -> None:
    ws = await client.ws_connect("/ws")
    await ws.send_str("x" * 5000)
    async with asyncio.timeout(5):
        while (message := await ws.receive()).type is WSMsgType.TEXT:
            pass
    assert message.type in {WSMsgType.CLOSE, WSMsgType.CLOSED}
    assert ws.close_code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG


async def test_stopping_the_server_closes_the_viewers(feed: Feed) -> None:
    race(feed)
    async with TestClient(TestServer(create_app(Settings(), feed))) as client:
        ws = await client.ws_connect("/ws")
        await messages(ws, 3)
        going = asyncio.create_task(client.server.close())
        async with asyncio.timeout(5):
            while not ws.closed:
                await ws.receive()
            await going
        assert ws.close_code == aiohttp.WSCloseCode.GOING_AWAY


async def test_sessions_are_listed_with_what_they_are(client: Client, feed: Feed) -> None:
    race(feed, 60)
    listed = (await (await client.get("/api/sessions")).json())["sessions"]
    age = listed[0].pop("age_ms")
    assert 0 <= age < 5000
    assert listed == [
        {
            "session_key": "test_race", "epoch": 1, "name": "Race", "meeting": "Test Grand Prix",
            "simulated": True, "source": "test", "from_ms": 0, "to_ms": 59 * 200, "ended": False, "damaged": None,
        }
    ]  # fmt: skip


@pytest.mark.usefixtures("quick_status")
async def test_a_damaged_run_is_named_until_a_newer_one_begins(client: Client, feed: Feed) -> None:
    race(feed, 60)
    async with client.ws_connect("/ws") as ws:
        assert (await messages(ws, 1, "status"))[0]["damaged"] is None
        feed.add_frames([damaged_notice("message 3 came after 1")])
        while (await messages(ws, 1, "status"))[0]["damaged"] != "message 3 came after 1":
            pass
        listed = (await (await client.get("/api/sessions")).json())["sessions"]
        assert [each["damaged"] for each in listed] == ["message 3 came after 1"]
        feed.add_frames([damaged_notice("late news of an old run", epoch=0)])
        race(feed, 60, epoch=2)
        while (status := (await messages(ws, 1, "status"))[0])["epoch"] != 2:
            pass
        assert status["damaged"] is None


async def test_the_state_at_a_time_is_the_whole_picture(client: Client, feed: Feed) -> None:
    race(feed, 180)
    body = await (await client.get("/api/sessions/test_race/state?at=12345")).json()
    assert body["head"]["session_key"] == "test_race"
    picture = Frame.model_validate(body["frame"])
    assert (picture.kind, picture.t) == ("key", 12_200)
    assert picture.cars["81"].compound == "MEDIUM"
    latest = await (await client.get("/api/sessions/test_race/state")).json()
    assert latest["frame"]["t"] == 179 * 200
    assert latest["frame"]["cars"]["81"]["compound"] == "HARD"


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/api/sessions/other/state", 404, "no session 'other'"),
        ("/api/sessions/test_race/state?at=noon", 400, "whole number"),
        ("/api/sessions/test_race/state?at=-5", 404, "from 0 to"),
        ("/api/sessions/test_race/result", 404, "has not ended"),
        ("/api/sessions/other/result", 404, "no result of session 'other'"),
        ("/api/nothing", 404, "nothing at /api/nothing"),
        ("/api/seasons/2023", 404, "no season 2023"),
        ("/api/seasons/this", 400, "named by its year"),
    ],
)
async def test_errors_are_sentences(client: Client, feed: Feed, path: str, status: int, sentence: str) -> None:
    race(feed)
    answer = await client.get(path)
    assert answer.status == status
    assert sentence in (await answer.json())["error"]


async def test_result_and_season_are_the_records_of_the_marts(client: Client, feed: Feed) -> None:
    feed.add_marts([result(), season(year=2022), season()])
    answer = await client.get("/api/sessions/test_race/result")
    assert answer.content_type == "application/json"
    assert SessionResult.model_validate_json(await answer.read()) == result()
    assert Season.model_validate_json(await (await client.get("/api/seasons/2023")).read()) == season()
    assert await (await client.get("/api/seasons")).json() == {
        "seasons": [{"season": 2023, "built_ms": BUILT_MS}, {"season": 2022, "built_ms": BUILT_MS}]
    }


@pytest.mark.parametrize("path", ["/api/sessions/test_race/result", "/api/seasons/2023"])
async def test_the_newest_answer_is_not_sent_again(client: Client, feed: Feed, path: str) -> None:
    feed.add_marts([result(), season()])
    first = await client.get(path)
    theirs = {"If-None-Match": f'"other", {first.headers["ETag"]}'}
    again = await client.get(path, headers=theirs)
    assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert first.headers["Cache-Control"] == again.headers["Cache-Control"] == "no-cache"
    feed.add_marts([result(built_ms=BUILT_MS + 1), season(built_ms=BUILT_MS + 1)])
    newer = await client.get(path, headers=theirs)
    assert (newer.status, (await newer.json())["built_ms"]) == (200, BUILT_MS + 1)


async def test_health_is_good_only_while_the_broker_answers(client: Client, feed: Feed) -> None:
    assert (await client.get("/health")).status == 200
    feed.connected = False
    answer = await client.get("/health")
    assert (answer.status, (await answer.json())["reader"]) == (503, "disconnected")
    assert (await client.get("/alive")).status == 200, "a new process would not have the broker either"
    feed.connected, feed.stuck = True, "frames[2] has grown to 90 for 31 s, and nothing after 40 is read."
    answer = await client.get("/health")
    assert (answer.status, (await answer.json())["status"]) == (503, feed.stuck)
    assert (await client.get("/alive")).status == 503
    assert "f1stream_healthy 0.0" in await (await client.get("/metrics")).text()


async def test_metrics_count_viewers_and_bytes(client: Client, feed: Feed) -> None:
    race(feed)
    feed.lags = {("frames", 2): 50}
    ws = await client.ws_connect("/ws")
    await messages(ws, 3)
    text = await (await client.get("/metrics")).text()
    assert "f1stream_web_viewers 1.0" in text
    assert f"f1stream_web_viewers_limit {float(Settings.model_fields['web_viewers'].default)}" in text
    assert "f1stream_web_frames_sent_total 3.0" in text
    assert f"f1stream_web_tape_bytes {float(feed.tapes.size)}" in text
    assert 'f1stream_lag_records{partition="2",topic="frames"} 50.0' in text


async def test_the_page_comes_with_a_strict_policy(client: Client) -> None:
    answer = await client.get("/")
    assert answer.status == 200
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "<script>" not in await answer.text()


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static/"])
async def test_no_file_outside_the_static_folder_is_served(client: Client, path: str) -> None:
    url = client.make_url("/").with_path(path, encoded=True)
    assert (await client.session.get(url)).status in {403, 404}


@pytest.mark.parametrize(("owner", "name"), [(SendScheduler, "run"), (Viewers, "_wake")])
async def test_the_server_stops_when_sending_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, owner: type, name: str
) -> None:
    async def fail(_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(owner, name, fail)
    async with asyncio.timeout(20):
        with pytest.raises(ExceptionGroup) as raised:
            await serve(Settings(web_port=free_port(), broker="127.0.0.1:1"))
    assert raised.group_contains(RuntimeError, match="a bug")
    assert "Sending to viewers failed" in caplog.text


async def test_a_taken_port_is_an_error_of_the_caller() -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        with pytest.raises(OSError, match="address"):
            await serve(Settings(web_port=port, broker="127.0.0.1:1"))
    finally:
        server.close()
