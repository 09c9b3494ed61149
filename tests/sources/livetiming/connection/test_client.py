"""The live client against a local feed: connect, receive, renew, lose the connection, connect again."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import random
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from f1stream.settings import Settings
from f1stream.sources.livetiming import metrics
from f1stream.sources.livetiming.connection.client import FeedClient
from f1stream.sources.livetiming.connection.signalr import ConnectionLost, HubConnection
from f1stream.sources.livetiming.message import TOPICS, Damage, FeedMessage
from tests.support.feed_listener import changes, listening, same, settings, value
from tests.support.figures import figures
from tests.support.livetiming_server import LiveTimingServer, merge

ON_TRACK = slice(3_000, 6_000)
"""Cars are on the track: 15 messages a second and more."""
START = FeedMessage("TrackStatus", {"Status": "1"}, 1_741_000_000_000)


async def test_first_the_states_then_every_change_as_it_was_sent(mexico_feed: list[FeedMessage]) -> None:
    sent = mexico_feed[ON_TRACK]
    with LiveTimingServer(sent) as server:
        for message in mexico_feed[: ON_TRACK.start]:
            merge(server.state, message)
        first = json.loads(json.dumps(server.state))
        async with listening(FeedClient(settings(server))) as listener:
            assert list(map(same, await listener.everything(server))) == list(map(same, sent))
        states = [message for message in listener.got if message.snapshot]
        assert listener.got[: len(states)] == states
        assert {message.topic: message.data for message in states} == first
        # a heartbeat is sent every 15 s, and contains its time
        assert 0 <= sent[0].sent_ms - states[0].sent_ms < 15_000


async def test_change_that_overtakes_the_states_comes_after_them() -> None:
    class Hasty(LiveTimingServer):
        async def _subscribe(self, client: Any, record: dict[str, Any]) -> None:
            await client.ws.send_str(feed_record(START))
            await super()._subscribe(client, record)

    with Hasty(changes(3)) as server:
        server.state["TrackStatus"] = {"Status": "0"}
        async with listening(FeedClient(settings(server))) as listener:
            await listener.until(lambda: len(listener.got) == 5)
    assert [(message.topic, message.snapshot) for message in listener.got[:2]] == [
        ("TrackStatus", True),
        ("TrackStatus", False),
    ]


def feed_record(message: FeedMessage, utc: str = "2025-03-16T04:00:00.000Z") -> str:
    return json.dumps({"type": 1, "target": "feed", "arguments": [message.topic, message.data, utc]}) + "\x1e"


async def test_records_are_read_wherever_frames_begin_and_end() -> None:
    with LiveTimingServer(changes(200)) as server:
        server.split = True
        async with listening(FeedClient(settings(server))) as listener:
            assert list(map(same, await listener.everything(server))) == list(map(same, server.messages))


GARBAGE = {
    10: ("it is not a JSON object: cut off or garbled", '{"type":1,"target":"feed","argu'),
    11: ("it is not a JSON object: cut off or garbled", "[1]"),
    12: ("it does not have three parts: topic, data, time", '{"type":1,"target":"feed","arguments":["LapCount",{}]}'),
    13: ("it does not have three parts: topic, data, time", '{"type":1,"target":"feed"}'),
    14: ("its time is not valid", '{"type":1,"target":"feed","arguments":["LapCount",{},"now"]}'),
    15: ("its topic is not a name", '{"type":1,"target":"feed","arguments":[17,{},"2025-03-16T04:00:00Z"]}'),
    16: (
        "its data is not compressed text, as a .z topic has",
        '{"type":1,"target":"feed","arguments":["CarData.z",{},"2025-03-16T04:00:00Z"]}',
    ),
    17: (
        "its data is neither an object nor a list",
        '{"type":1,"target":"feed","arguments":["LapCount",3,"2025-03-16T04:00:00Z"]}',
    ),
}
UNKNOWN = {20: '{"type":99}', 21: '{"type":1,"target":"other","arguments":[]}', 22: '{"type":3,"invocationId":"7"}'}


async def test_records_that_are_not_messages_are_reported_and_skipped() -> None:
    damages: list[Damage] = []
    garbage = {at: record for at, (_, record) in GARBAGE.items()} | UNKNOWN
    with LiveTimingServer(changes(40), garbage=garbage) as server:
        async with listening(FeedClient(settings(server), damaged=damages.append)) as listener:
            assert list(map(same, await listener.everything(server))) == list(map(same, server.messages))
        assert len(server.clients) == 1
    assert [each.reason for each in damages] == [reason for reason, _ in GARBAGE.values()]


async def test_slow_listener_loses_nothing() -> None:
    with LiveTimingServer(changes(1_000, padding="x" * 12_000)) as server:
        async with listening(FeedClient(settings(server))) as listener:
            listener.wait_s = 0.0001
            assert list(map(same, await listener.everything(server))) == list(map(same, server.messages))


@pytest.mark.parametrize("how", ["close", "goodbye"])
async def test_a_lost_connection_is_reopened_and_the_states_are_sent_again(how: str) -> None:
    before = value(metrics.RECONNECTS)
    with LiveTimingServer(changes(300), breaks={100: how, 200: how}, waits=True) as server:
        async with listening(FeedClient(settings(server))) as listener:
            assert list(map(same, await listener.everything(server))) == list(map(same, server.messages))
        assert len(server.clients) == 3
    states = [message for message in listener.got if message.snapshot]
    assert [state.data["CurrentLap"] for state in states] == [99, 199]
    assert all(a.sent_ms <= b.sent_ms for a, b in pairwise(listener.got))
    assert value(metrics.RECONNECTS) - before == 2


async def test_a_cut_connection_duplicates_nothing() -> None:
    with LiveTimingServer(changes(3_000), breaks=dict.fromkeys(range(500, 3000, 500), "cut"), waits=True) as server:
        async with listening(FeedClient(settings(server))) as listener:
            got = list(map(same, await listener.everything(server)))
        assert len(server.clients) == 6
    assert len(got) == len(set(got))
    assert got == sorted(got, key=lambda each: each[1])
    last = [same(message) for message in server.messages[2_500:]]
    assert got[-len(last) :] == last


async def test_a_silent_server_is_disconnected() -> None:
    with LiveTimingServer([START], pings=False) as server:
        async with listening(FeedClient(settings(server), silent_s=0.2)) as listener:
            await listener.until(lambda: len(server.clients) >= 2)
        assert len(server.clients) >= 2


async def test_a_server_that_only_pings_is_kept() -> None:
    with LiveTimingServer([START]) as server:
        async with listening(FeedClient(settings(server), silent_s=0.6)) as listener:
            await listener.until(server.played.is_set)
            await asyncio.sleep(1.5)
        assert len(server.clients) == 1


async def test_attempts_to_connect_back_off_and_log_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    with LiveTimingServer(changes(3)) as server, caplog.at_level(logging.WARNING):
        server.refusals = [500, 503, 401, 404]
        async with listening(FeedClient(settings(server))) as listener:
            await listener.everything(server)
        assert len(server.authorizations) == 5
    logged = [record.getMessage() for record in caplog.records]
    assert [text.split(": ")[1].split(" when")[0].split(".")[0] for text in logged] == [
        "HTTP 500",
        "HTTP 503",
        "HTTP 401",
        "HTTP 404",
    ]
    assert all("F1STREAM_LIVE_URL sets its address" in text for text in logged)


async def test_a_missing_server_is_logged_and_retried(caplog: pytest.LogCaptureFixture) -> None:
    live = FeedClient(Settings(_env_file=None, live_url="ws://127.0.0.1:9/signalrcore", live_retry_seconds=0.05))
    before = value(metrics.FAILURES)
    async with listening(live) as listener:
        await listener.until(lambda: value(metrics.FAILURES) >= before + 3)
    assert "no connection" in caplog.text


async def test_a_listener_that_stops_leaves_no_connection_and_no_task() -> None:
    with LiveTimingServer(changes(50)) as server:
        async with listening(FeedClient(settings(server, live_renew_minutes=0.1 / 60))) as listener:
            await listener.everything(server)
            await asyncio.sleep(0.3)
        await asyncio.sleep(0.1)
        assert len(asyncio.all_tasks()) == 1
        assert {client.ended for client in server.clients} == {"by the client"}


async def test_connections_are_renewed_with_an_overlap_and_nothing_is_lost_or_duplicated() -> None:
    before = value(metrics.RENEWALS)
    messages = changes(6_000)  # 2.4 s: time for the renewals on a busy machine too
    with LiveTimingServer(messages, speed=250) as server:
        async with listening(FeedClient(settings(server, live_renew_minutes=0.08 / 60))) as listener:
            assert list(map(same, await listener.everything(server))) == list(map(same, messages))
        clients = server.clients
    assert len(clients) >= 4
    assert value(metrics.RENEWALS) - before >= 3
    for old, new in pairwise(clients[:-1]):
        assert old.sent[-1] >= new.sent[0]
    assert [message.snapshot for message in listener.got].count(True) == 0


async def test_a_silent_feed_is_handed_over_too() -> None:
    with LiveTimingServer([START]) as server:
        live = FeedClient(settings(server, live_renew_minutes=0.1 / 60), overlap_s=0.2)
        async with listening(live) as listener:
            await listener.until(lambda: len(server.clients) >= 4)
        assert [message.topic for message in listener.got] == ["TrackStatus"]


async def test_nothing_is_lost_if_the_old_connection_is_lost_during_the_handover() -> None:
    messages = changes(3_000)
    with LiveTimingServer(messages, speed=250) as server:

        def break_the_old_one(index: int) -> None:
            listening_now = [each for each in server.clients if not each.ended and each.subscribed_at is not None]
            if len(listening_now) == 2 and listening_now[1].sent and listening_now[0].number % 2 == 0:
                listening_now[0].ended = "close"
                asyncio.get_running_loop().create_task(listening_now[0].ws.close())

        server.before = break_the_old_one
        async with listening(FeedClient(settings(server, live_renew_minutes=0.04 / 60))) as listener:
            got = list(map(same, await listener.everything(server)))
        assert [client.ended for client in server.clients].count("close") >= 1
    assert got == list(map(same, messages))


@pytest.mark.system
async def test_at_50_times_the_pace_with_losses_and_renewals_all_that_was_sent_comes_once(
    mexico_feed: list[FeedMessage],
) -> None:
    """Ten minutes of qualifying in twelve seconds: three losses, and a renewal every 0.7 s."""
    begin = mexico_feed[ON_TRACK.start].sent_ms
    stretch = [message for message in mexico_feed if begin <= message.sent_ms < begin + 600_000]
    breaks = {len(stretch) * part // 4: "close" for part in (1, 2, 3)}
    renewals, reconnects = value(metrics.RENEWALS), value(metrics.RECONNECTS)
    with LiveTimingServer(stretch, speed=50, breaks=breaks) as server:
        async with listening(FeedClient(settings(server, live_renew_minutes=0.7 / 60))) as listener:
            got = await listener.everything(server)
        expected = [same(stretch[index]) for index in server.sent]
        lags = sorted(
            listener.at[same(stretch[index])] - at
            for index, at in server.sent_at.items()
            if index in set(server.sent)
        )
    assert list(map(same, got)) == expected
    renewals, reconnects = value(metrics.RENEWALS) - renewals, value(metrics.RECONNECTS) - reconnects
    assert renewals >= 3
    assert reconnects >= 3
    figures.append(
        f"live feed at 50x: {len(got):,} of {len(stretch):,} messages while connected, {renewals:.0f} renewals, "
        f"{reconnects:.0f} losses; lag p50 {lags[len(lags) // 2] * 1000:.1f} ms, p99 "
        f"{lags[len(lags) * 99 // 100] * 1000:.1f} ms, max {lags[-1] * 1000:.1f} ms"
    )


async def test_a_closed_connection_is_over_although_the_server_still_pings() -> None:
    """The close message may have been received by another task; the server continues to send pings."""
    with LiveTimingServer(changes(9), breaks={5: "goodbye"}) as server:
        connection = await HubConnection.open(server.url, TOPICS, None, lambda *_: None)
        got: list[FeedMessage] = []
        for _ in range(2):
            with pytest.raises(ConnectionLost, match="Server is shutting down"):
                async with asyncio.timeout(10):
                    async for message in connection.messages():
                        got.append(message)
        await connection.close()
    assert list(map(same, got)) == list(map(same, server.messages[:5]))


@pytest.mark.parametrize("seed", range(4))
async def test_whichever_connections_are_lost_and_renewed_all_that_was_sent_comes_once(
    mexico_feed: list[FeedMessage], seed: int
) -> None:
    """Either of two connections, or both, at any time: while one is opened, buffered, or handed over."""
    dice = random.Random(seed)
    messages = mexico_feed[ON_TRACK]
    breaks = {dice.randrange(len(messages)): dice.choice(["close", "goodbye"]) for _ in range(dice.randrange(1, 8))}
    with LiveTimingServer(messages, speed=200, breaks=breaks, waits=True, loses=seed % 2 * 200) as server:

        def lose_one(_: int) -> None:
            if dice.random() < 0.004 and (alive := [client for client in server.clients if not client.ended]):
                client = dice.choice(alive)
                client.ended = "close"
                asyncio.get_running_loop().create_task(client.ws.close())

        server.before = lose_one
        live = FeedClient(settings(server, live_renew_minutes=dice.choice([0.02, 0.1, 0.3]) / 60), overlap_s=0.5)
        async with listening(live) as listener:
            got = list(map(same, await listener.everything(server)))
    assert got == [same(messages[index]) for index in server.sent]
    assert len(server.clients) > 3


def token(seconds: float, name: str = "somebody") -> str:
    parts = ({"alg": "RS256", "typ": "JWT"}, {"exp": int(time.time() + seconds), "FirstName": name})
    packed = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*packed, "c2lnbmF0dXJl"])


CAR = FeedMessage("CarData.z", "7Z==", 1_741_000_000_500)


async def test_a_token_gives_access_to_car_data_and_is_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    good = token(3_600)
    with LiveTimingServer([*changes(3), CAR], tokens=[good]) as server, caplog.at_level(logging.DEBUG):
        live = FeedClient(settings(server, f1tv_token=f" Bearer {good}\n"))
        async with listening(live) as listener:
            await listener.everything(server)
            assert value(metrics.TOKEN_ENDS) > time.time()
        assert server.authorizations == [f"Bearer {good}"]
        assert server.clients[0].token == good
    assert [message.topic for message in listener.got] == ["LapCount"] * 3 + ["CarData.z"]
    assert good not in caplog.text


@pytest.mark.parametrize("which", ["ended", "refused", "none"])
async def test_without_an_accepted_token_the_public_topics_are_received(
    which: str, caplog: pytest.LogCaptureFixture
) -> None:
    given = {"ended": token(-60), "refused": token(60, "nobody"), "none": ""}[which]
    with LiveTimingServer([*changes(3), CAR], tokens=[token(3_600)]) as server:
        async with listening(FeedClient(settings(server, f1tv_token=given))) as listener:
            await listener.until(lambda: len(listener.got) == 3)
            await listener.until(server.played.is_set)
        assert server.clients[0].token == ""
    assert [message.topic for message in listener.got] == ["LapCount"] * 3
    assert ("without car data and positions" in caplog.text) == (which != "none")
    assert not given or given not in caplog.text


async def test_token_in_a_file_is_read_at_each_connection(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(token(60, "first"))
    first = file.read_text()
    with LiveTimingServer(changes(300), breaks={150: "close"}, waits=True) as server:

        def change(index: int) -> None:
            if index == 100:
                file.write_text(token(60, "second"))

        server.before = change
        async with listening(FeedClient(settings(server, f1tv_token_file=file))) as listener:
            await listener.everything(server)
        assert [client.token for client in server.clients] == [first, file.read_text()]
