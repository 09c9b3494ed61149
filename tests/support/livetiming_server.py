"""A local live timing: it speaks the feed's protocol, plays a recording and closes connections on demand.

ASP.NET SignalR Core over websockets with JSON records: ``POST …/negotiate``, a cookie that goes with the connection,
the handshake, ``Subscribe`` answered with each topic's whole state, then ``feed`` invocations.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.timestamps import utc_text

END = "\x1e"


def ending_at(feed: Sequence[FeedMessage], until_ms: int) -> list[FeedMessage]:
    """The first ``until_ms`` of a recorded feed, and its end of the session."""
    t0_ms = feed[0].sent_ms
    before = [message for message in feed if message.sent_ms < t0_ms + until_ms]
    return [*before, FeedMessage("SessionStatus", {"Status": "Ends"}, t0_ms + until_ms)]


@dataclass(eq=False)
class Client:
    """One connection, as the server sees it."""

    number: int
    ws: web.WebSocketResponse
    token: str
    topics: frozenset[str] = frozenset()
    subscribed_at: int | None = None
    """The index of the first message it can get."""
    sent: list[int] = field(default_factory=list)
    """Indices of the messages that were sent on it."""
    ended: str = ""


class LiveTimingServer:
    """Plays ``messages`` from the first subscription on, at ``speed`` times their own pace or as fast as possible.

    ``breaks``: before the message with that index every connection is closed ("close": what was sent arrives) or cut
    ("cut": it may not). ``garbage``: records sent before the message with that index. ``waits``: nothing is played
    while there is no client, after the first ``loses`` messages since the last one was lost.
    """

    def __init__(
        self,
        messages: Sequence[FeedMessage],
        *,
        speed: float | None = None,
        breaks: dict[int, str] | None = None,
        garbage: dict[int, str] | None = None,
        waits: bool = False,
        loses: int = 0,
        tokens: Sequence[str] | None = None,
        pings: bool = True,
    ) -> None:
        self.messages, self.speed, self.waits, self.loses = messages, speed, waits, loses
        self.breaks, self.garbage, self.pings = breaks or {}, garbage or {}, pings
        self.tokens = tokens
        """Accepted tokens; None accepts any."""
        self.state: dict[str, Any] = {}
        self.clients: list[Client] = []
        """Every connection there ever was."""
        self.sent_at: dict[int, float] = {}
        """When (monotonic s) a message was sent first, by index."""
        self.authorizations: list[str] = []
        """Of every negotiation."""
        self.refusals: list[int] = []
        """Statuses to answer the next negotiations with."""
        self.sticky = True
        """As the feed's load balancer: a request without its cookie reaches the wrong server."""
        self.split = False
        """Records come in two frames, and two in one."""
        self.played = threading.Event()
        self.before: Callable[[int], None] = lambda _: None
        """Called before each message."""
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._listening = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> LiveTimingServer:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def break_off(self, how: str = "close") -> None:
        """End every connection; from any thread."""
        asyncio.run_coroutine_threadsafe(self._break_off(how), self._loop).result(10)

    @property
    def sent(self) -> list[int]:
        """Indices of the messages that were sent to anybody, in order."""
        return sorted({index for client in self.clients for index in client.sent})

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application()
        app.router.add_post("/signalrcore/negotiate", self._negotiate)
        app.router.add_get("/signalrcore", self._connect)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        self._loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", 0).start())
        self.url = f"ws://localhost:{runner.addresses[0][1]}/signalrcore"
        playing = self._loop.create_task(self._play())
        self._ready.set()
        self._loop.run_forever()
        playing.cancel()
        self._loop.run_until_complete(runner.cleanup())
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(playing, *left, return_exceptions=True))
        self._loop.close()

    def _token(self, request: web.Request) -> str:
        return request.headers.get("Authorization", "").removeprefix("Bearer ")

    async def _negotiate(self, request: web.Request) -> web.Response:
        self.authorizations.append(request.headers.get("Authorization", ""))
        if self.refusals:
            return web.Response(status=self.refusals.pop(0))
        if self.tokens is not None and self._token(request) not in ("", *self.tokens):
            return web.Response(status=401)
        identity = secrets.token_urlsafe(16) + "+/="
        answer_data: dict[str, Any] = {"negotiateVersion": 0, "connectionId": identity}
        if request.query.get("negotiateVersion") == "1":
            answer_data = {"negotiateVersion": 1, "connectionId": "public", "connectionToken": identity}
        answer_data["availableTransports"] = [{"transport": "WebSockets", "transferFormats": ["Text", "Binary"]}]
        answer = web.json_response(answer_data)
        answer.set_cookie("AWSALBCORS", secrets.token_hex(8) + identity[:4].encode().hex())
        return answer

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        cookie, identity = request.cookies.get("AWSALBCORS", ""), request.query.get("id", "")
        sticky = cookie.endswith(identity[:4].encode().hex()) or not self.sticky
        if not sticky or not identity.endswith("+/="):
            return web.Response(status=404, text="another server negotiated that")
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        client = Client(len(self.clients), ws, self._token(request))
        self.clients.append(client)
        handshake = json.loads((await ws.receive_str()).rstrip(END))
        if handshake != {"protocol": "json", "version": 1}:
            await ws.send_str(json.dumps({"error": "unknown protocol"}) + END)
            return ws
        await ws.send_str("{}" + END + '{"type":6}' + END)
        pinging = asyncio.create_task(self._ping(ws)) if self.pings else None
        async for frame in ws:
            for text in filter(None, frame.data.split(END)):
                record = json.loads(text)
                if record.get("target") == "Subscribe":
                    await self._subscribe(client, record)
        if pinging:
            pinging.cancel()
        client.ended = client.ended or "by the client"
        return ws

    async def _subscribe(self, client: Client, record: dict[str, Any]) -> None:
        client.topics = frozenset(record["arguments"][0])
        open_to_all = self.tokens is None or client.token in self.tokens
        if not open_to_all:
            client.topics -= {"CarData.z", "Position.z"}
        # no await between the two: a message is in the state, or is sent
        state = json.dumps({topic: data for topic, data in self.state.items() if topic in client.topics})
        client.subscribed_at = self._index
        answer = f'{{"type":3,"invocationId":{json.dumps(record["invocationId"])},"result":{state}}}{END}'
        await client.ws.send_str(answer)
        self._listening.set()

    async def _ping(self, ws: web.WebSocketResponse) -> None:
        while not ws.closed:
            await asyncio.sleep(0.2)
            await ws.send_str('{"type":6}' + END)

    _index = 0

    def _listeners(self) -> list[Client]:
        return [each for each in self.clients if each.subscribed_at is not None and not each.ended]

    async def _play(self) -> None:
        await self._listening.wait()
        began, first_ms = time.monotonic(), self.messages[0].sent_ms if self.messages else 0
        lost = 0
        for index, message in enumerate(self.messages):
            self.before(index)
            if index in self.breaks:
                await self._break_off(self.breaks[index])
            lost = 0 if self._listeners() else lost + 1
            while self.waits and lost > self.loses and not self._listeners():
                await asyncio.sleep(0.005)
            if self.speed is not None:
                ahead = (message.sent_ms - first_ms) / 1000 / self.speed - (time.monotonic() - began)
                if ahead > 0:
                    await asyncio.sleep(ahead)
            elif index % 20 == 0:
                await asyncio.sleep(0)
            merge(self.state, message)
            self._index = index + 1
            await self._send(index, message)
        self.played.set()

    async def _send(self, index: int, message: FeedMessage) -> None:
        record = {"type": 1, "target": "feed",
                  "arguments": [message.topic, message.data, utc_text(message.sent_ms)]}  # fmt: skip
        text = json.dumps(record) + END
        self.sent_at.setdefault(index, time.monotonic())
        for client in self._listeners():
            if message.topic not in client.topics:
                continue
            try:
                if index in self.garbage:
                    await client.ws.send_str(self.garbage[index] + END)
                if self.split:
                    middle = len(text) // 2
                    await client.ws.send_str('{"type":6}' + END + text[:middle])
                    await client.ws.send_str(text[middle:])
                else:
                    await client.ws.send_str(text)
            except (ConnectionError, RuntimeError):
                client.ended = client.ended or "by the client"
            else:
                client.sent.append(index)

    async def _break_off(self, how: str) -> None:
        for client in self.clients:
            if client.ended:
                continue
            client.ended = how
            if how == "cut":
                transport = client.ws._req.transport if client.ws._req is not None else None
                if transport is not None:
                    transport.abort()
            elif how == "goodbye":
                await client.ws.send_str('{"type":7,"error":"Server is shutting down","allowReconnect":true}' + END)
            else:
                asyncio.get_running_loop().create_task(client.ws.close())


def merge(state: dict[str, Any], message: FeedMessage) -> None:
    """A topic's state after a change: objects are merged, an object by index changes a list."""
    if message.topic.endswith(".z") or message.topic not in state:
        state[message.topic] = json.loads(json.dumps(message.data))
    else:
        state[message.topic] = _merged(state[message.topic], message.data)


def _merged(old: Any, new: Any) -> Any:
    if isinstance(new, dict) and isinstance(old, list):
        held = {str(at): value for at, value in enumerate(old)}
        held = _merged(held, new)
        return list(held.values()) if all(name.isdigit() for name in held) else held
    if isinstance(new, dict) and isinstance(old, dict):
        for name, value in new.items():
            old[name] = _merged(old[name], value) if name in old else json.loads(json.dumps(value))
        return old
    return json.loads(json.dumps(new))
