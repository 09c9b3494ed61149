"""The viewers on ``/ws``: each a cursor on a tape, sent frames as the bytes that came from Kafka.

There is no queue per viewer: a task waits for the bell, looks how far its cursor is behind and sends the next
frames, or jumps to the newest one when that is too far or a full-speed replay runs faster than eyes do.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from typing import Any

import orjson
from aiohttp import ClientConnectionResetError, WSCloseCode, WSMsgType, web

from models.frame import FRAME_MS
from web.feed import Feed
from web.metrics import Metrics
from web.tape import Tape

log = logging.getLogger(__name__)

MAX_VIEWERS = 500
MAX_MESSAGE_BYTES = 4096
HEARTBEAT_S = 20.0
CLOSE_S = 1.0
"""How long a viewer may take to answer a close: the server stops without those who do not."""
STATUS_S = 1.0
FRAME_S = 0.04
"""A viewer is sent one frame in this time on average …"""
BURST = 8
"""… and so many at once: a worker's batch at normal speed arrives whole."""
SLOW_S = 0.25
"""A viewer whose connection held a send for this long is slow."""
SILENT_MS = 30_000
"""A viewer who chose no session moves on to a newer one when theirs has ended or is silent for so long."""


class Cursor:
    """Where a viewer is on a tape and what they have been sent; no I/O."""

    def __init__(self) -> None:
        self.tape: Tape | None = None
        self.number: int | None = None
        """The last frame sent."""
        self.skipped = 0
        self._key: int | None = None
        self._head: bytes | None = None

    def follow(self, tape: Tape | None) -> None:
        """Go to a tape; on another one than before everything is sent anew."""
        if tape is not self.tape:
            self.tape, self.number, self._key, self._head = tape, None, None, None

    @property
    def behind(self) -> int:
        """How many frames of the tape have not been sent."""
        latest = self.tape.latest if self.tape else None
        return 0 if latest is None else latest - (-1 if self.number is None else self.number)

    def advance(self, budget: int) -> Iterator[bytes]:
        """The messages to send next: every frame if at most ``budget`` are left, else the newest.

        A head goes before the first frame that it holds for, a keyframe before the first delta that needs it.
        """
        if self.tape is None:
            return
        latest = self.tape.latest
        if latest is None:
            yield from self._due_head(0)
            return
        first = latest if self.number is None or self.behind > budget else self.number + 1
        if self.number is not None:
            self.skipped += max(0, first - self.number - 1)
        for number in range(first, latest + 1):
            stretch = self.tape.stretch_of(number)
            if stretch is None or number > stretch.last:
                continue  # a hole
            yield from self._due_head(number)
            self.number = number
            if stretch.start != self._key:
                self._key = stretch.start
                yield stretch.frames[0]
            if number != stretch.start:
                yield stretch.frames[number - stretch.start]

    def _due_head(self, number: int) -> Iterator[bytes]:
        head = self.tape.head_of(number) if self.tape else None
        if head is not None and head is not self._head:
            self._head = head
            yield head


class Viewer:
    """One open websocket. ``session_key`` None: the newest session."""

    def __init__(self, ws: web.WebSocketResponse, feed: Feed, metrics: Metrics, session_key: str | None):
        self.ws = ws
        self._feed = feed
        self._metrics = metrics
        self._session_key = session_key
        self._cursor = Cursor()
        self._tokens = float(BURST)
        self._tokens_at = time.monotonic()
        self._slow = False
        self._done = False
        """Their session has ended or is silent."""

    async def run(self) -> None:
        """Send until the connection closes or the task is cancelled."""
        status_at = 0.0
        while not self.ws.closed:
            bell = self._feed.bell
            self._cursor.follow(self._choose())
            tokens = self._refill()
            if tokens >= 1:
                await self._send_frames(int(tokens))
            if time.monotonic() >= status_at:
                status_at = time.monotonic() + STATUS_S * 0.9
                await self._send(orjson.dumps(self._status()))
            if self._cursor.behind and self._tokens < 1:
                await asyncio.sleep((1 - self._tokens) * FRAME_S)
            else:
                await bell.wait()

    def _choose(self) -> Tape | None:
        if self._session_key is not None:
            return self._feed.shelf.get(self._session_key)
        current = self._cursor.tape
        if current is not None:
            run = self._feed.shelf.get(current.session_key)
            if run is not None and (run is not current or not self._done):
                return run
        # While the topic's past is being read the newest session is not known yet.
        return self._feed.shelf.newest() if self._feed.caught_up else None

    def _refill(self) -> float:
        now = time.monotonic()
        self._tokens = min(BURST, self._tokens + (now - self._tokens_at) / FRAME_S)
        self._tokens_at = now
        return self._tokens

    async def _send_frames(self, budget: int) -> None:
        started, skipped = time.monotonic(), self._cursor.skipped
        for message in self._cursor.advance(budget):
            await self._send(message)
            self._tokens -= 1
            self._metrics.sent.inc()
        reason = "slow viewer" if self._slow else "fast replay"
        self._metrics.skipped.labels(reason).inc(self._cursor.skipped - skipped)
        self._slow = time.monotonic() - started > SLOW_S

    async def _send(self, message: bytes) -> None:
        # As text, so that browsers show it as JSON; the bytes are Kafka's own and are not decoded for it.
        await self.ws.send_frame(message, WSMsgType.TEXT)

    def _status(self) -> dict[str, Any]:
        tape = self._cursor.tape
        age_ms = max(0, now_ms() - tape.arrived_ms) if tape and tape.arrived_ms else None
        ended = tape.ended if tape else False
        self._done = ended or (age_ms or 0) > SILENT_MS
        return {
            "kind": "status",
            "reader": "connected" if self._feed.connected else "disconnected",
            "session": tape.session_key if tape else None,
            "epoch": tape.epoch if tape else None,
            "behind_ms": self._cursor.behind * FRAME_MS if tape and self._cursor.number is not None else None,
            "worker_age_ms": age_ms,
            "ended": ended,
            "sessions": [each.session_key for each in self._feed.shelf],
            "marts": self._feed.results.version,
        }


class Viewers:
    """All open websockets."""

    def __init__(self, feed: Feed, metrics: Metrics) -> None:
        self._feed = feed
        self._metrics = metrics
        self._open: set[web.WebSocketResponse] = set()

    def __len__(self) -> int:
        return len(self._open)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """``GET /ws?session=KEY``. 403 for another site's page, 503 when there are too many viewers."""
        origin = request.headers.get("Origin")
        if origin is not None and origin.partition("://")[2] != request.host:
            raise web.HTTPForbidden(text="this page may not connect here: its origin is another host")
        if len(self._open) >= MAX_VIEWERS:
            raise web.HTTPServiceUnavailable(text=f"all {MAX_VIEWERS} places are taken; try again later")
        ws = web.WebSocketResponse(
            timeout=CLOSE_S, heartbeat=HEARTBEAT_S, max_msg_size=MAX_MESSAGE_BYTES, compress=False
        )
        self._open.add(ws)
        sender: asyncio.Task[None] | None = None
        try:
            await ws.prepare(request)
            viewer = Viewer(ws, self._feed, self._metrics, request.query.get("session"))
            sender = asyncio.create_task(_send_all(viewer), name="viewer")
            async for _ in ws:
                pass  # nothing is expected; reading answers pings and notices the end
        finally:
            self._open.discard(ws)
            if sender:
                sender.cancel()
                await asyncio.gather(sender, return_exceptions=True)
        return ws

    async def tick(self) -> None:
        """Wake every viewer for their status, once a second, until cancelled."""
        while True:
            await asyncio.sleep(STATUS_S)
            self._feed.ring()

    async def close(self) -> None:
        """Say goodbye to everybody."""
        going = [ws.close(code=WSCloseCode.GOING_AWAY, message=b"server is stopping") for ws in self._open]
        await asyncio.gather(*going, return_exceptions=True)


async def _send_all(viewer: Viewer) -> None:
    try:
        await viewer.run()
    except ClientConnectionResetError:
        pass  # the viewer went away in the middle of a send
    except Exception:
        log.exception("a viewer's task failed")
        await viewer.ws.close(code=WSCloseCode.INTERNAL_ERROR)


def now_ms() -> int:
    """The wall clock, Unix ms."""
    return int(time.time() * 1000)
