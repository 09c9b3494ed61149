"""The viewers on ``/ws``: each a cursor on a tape, sent frames as the bytes that came from Kafka.

There is no queue per viewer: a task waits until something is due, looks how far its cursor is behind and sends the
next frames, or jumps to the newest one when that is too far or the session runs faster than eyes do.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections import Counter
from typing import Any

import orjson
from aiohttp import ClientConnectionResetError, WSCloseCode, WSMsgType, web

from models.frame import FRAME_MS
from web.commands import BadCommand, Command, enqueue, initial_command, parse_command
from web.cursor import ViewerCursor
from web.feed import Feed, now_ms
from web.hosts import same_origin
from web.metrics import Metrics
from web.tape import Tape
from web.token_bucket import TokenBucket

log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 4096
CLOSE_BYTES = 120
"""A reason for closing may have 123 bytes."""
COMMANDS_PER_S, COMMANDS_AT_ONCE = 10.0, 20.0
"""Commands of a viewer that are done; more of them wait, and the later ones overtake (``web.commands.waiting``)."""
MESSAGES_PER_S, MESSAGES_AT_ONCE = 50.0, 250.0
"""Messages of any kind that a viewer may send, or is shown the door. A key that is held down gives 30 a second."""
HEARTBEAT_S = 20.0
CLOSE_S = 1.0
"""How long a viewer may take to answer a close: the server stops without those who do not."""
STATUS_S = 1.0
FRAMES_PER_S = 25.0
"""A viewer is sent so many frames on average …"""
BURST = 8
"""… and so many at once: a worker's batch at normal speed arrives whole."""
SOONEST_S = 0.005
"""Timers are not set for less: nobody sees the difference."""
WAITING_BYTES = 32 * 1024
"""What of a viewer's frames waits in the kernel, some seconds' worth: by itself it would take megabytes, so that
those who read slowly saw minutes too late what a jump to the newest frame shows at once."""
SLOW_S = 0.25
"""A viewer whose connection held a send for this long is slow."""
SILENT_MS = 30_000
"""A viewer who chose no session moves on to a newer one when theirs has ended or is silent for so long."""


class Viewer:
    """One open websocket. ``session_key`` None: the newest session."""

    def __init__(
        self, ws: web.WebSocketResponse, feed: Feed, metrics: Metrics, session_key: str | None, initial: Command
    ) -> None:
        self.ws = ws
        self.wake = asyncio.Event()
        """Something may be due that the clock does not tell."""
        self._feed = feed
        self._metrics = metrics
        self._session_key = session_key
        self._cursor = ViewerCursor()
        self._cursor.apply(initial)
        self._commands: list[Command] = []
        self._command_rate = TokenBucket(COMMANDS_PER_S, COMMANDS_AT_ONCE, time.monotonic())
        self._frame_rate = TokenBucket(FRAMES_PER_S, BURST, time.monotonic())
        self._slow = False
        self._done = False
        """Their session has ended or is silent."""
        self._status_at = 0.0

    @property
    def live(self) -> bool:
        """Whether they wait for what comes."""
        return self._cursor.mode == "live"

    def enqueue(self, command: Command) -> None:
        """Do it as soon as what is being sent is sent and the viewer may do something again."""
        self._commands = enqueue(self._commands, command)
        self.wake.set()

    async def run(self) -> None:
        """Send until the connection closes or the task is cancelled."""
        while not self.ws.closed:
            self.wake.clear()
            self._cursor.follow(self._choose())
            await self._apply_commands()
            mode = self._cursor.mode
            target = self._cursor.target(time.monotonic(), now_ms())
            if self._cursor.mode != mode:
                await self._send(orjson.dumps(self._cursor.moved(None)))
            budget = int(self._frame_rate.tokens(time.monotonic()))
            if budget >= 1:
                await self._send_frames(target, budget)
            if time.monotonic() >= self._status_at:
                self._status_at = time.monotonic() + STATUS_S * 0.9
                await self._send(orjson.dumps(self._status()))
            await self._wait()

    async def _apply_commands(self) -> None:
        while self._commands and self._command_rate.take(time.monotonic()):
            command = self._commands.pop(0)
            try:
                self._cursor.apply(command)
            except BadCommand as refused:
                await self._send(orjson.dumps({"kind": "refused", "id": command.id, "error": str(refused)}))
            else:
                self._status_at = 0.0
                await self._send(orjson.dumps(self._cursor.moved(command.id)))
            await asyncio.sleep(0)  # the others' turn

    async def _wait(self) -> None:
        """Until a frame is due, by the clock or because it came, or a command came or may be applied."""
        now = time.monotonic()
        behind = self._cursor.behind(self._cursor.target(now, now_ms()))
        if behind > 0 and self._frame_rate.tokens(now) < 1:
            due: float | None = self._frame_rate.wait(now)
        else:
            due = self._cursor.due_in(now, now_ms())
        if self._commands:
            pause = self._command_rate.wait(now)
            due = pause if due is None else min(due, pause)
        if due is None:
            await self.wake.wait()
            return
        timer = asyncio.get_running_loop().call_later(max(due, SOONEST_S), self.wake.set)
        try:
            await self.wake.wait()
        finally:
            timer.cancel()

    def _choose(self) -> Tape | None:
        if self._session_key is not None:
            # A place in the past may not have been read yet.
            return self._feed.tapes.get(self._session_key) if self._feed.caught_up or self.live else None
        current = self._cursor.tape
        if current is not None:
            run = self._feed.tapes.get(current.session_key)
            if run is not None and (run is not current or not self._done or not self.live):
                return run
        # While the topic's past is being read the newest session is not known yet.
        return self._feed.tapes.newest() if self._feed.caught_up else None

    async def _send_frames(self, target: int | None, budget: int) -> None:
        started, skipped = time.monotonic(), self._cursor.skipped
        for message in self._cursor.advance(target, budget):
            await self._send(message)
            self._frame_rate.spend(1)
            self._metrics.sent.inc()
        for message in self._cursor.log():
            await self._send(message)
        if self._cursor.skipped > skipped:
            reason = "slow viewer" if self._slow else "fast replay"
            self._metrics.skipped.labels(reason).inc(self._cursor.skipped - skipped)
        self._slow = time.monotonic() - started > SLOW_S

    async def _send(self, message: bytes) -> None:
        # As text, so that browsers show it as JSON; the bytes are Kafka's own and are not decoded for it.
        await self.ws.send_frame(message, WSMsgType.TEXT)

    def _status(self) -> dict[str, Any]:
        tape, number = self._cursor.tape, self._cursor.number
        age_ms = max(0, now_ms() - tape.arrived_ms) if tape and tape.arrived_ms else None
        ended = tape.ended if tape else False
        self._done = ended or (age_ms or 0) > SILENT_MS
        span = tape.range() if tape else None
        edge = self._cursor.edge(now_ms())
        behind = 0 if edge is None or number is None else max(0, edge - number)
        return {
            "kind": "status",
            "reader": "connected" if self._feed.connected else "disconnected",
            "session": tape.session_key if tape else None,
            "epoch": tape.epoch if tape else None,
            "mode": self._cursor.mode,
            "t": None if number is None else number * FRAME_MS,
            "from_ms": span[0] if span else None,
            "to_ms": span[1] if span else None,
            "behind_ms": None if tape is None or number is None else behind * FRAME_MS,
            "worker_age_ms": age_ms,
            "ended": ended,
            "damaged": tape.damaged if tape else None,
            "sessions": [each.session_key for each in self._feed.tapes],
            "marts": self._feed.marts.version,
        }


class Viewers:
    """All open websockets. ``most`` of them at once, ``per_address`` from one address."""

    def __init__(self, feed: Feed, metrics: Metrics, most: int, per_address: int) -> None:
        self._feed = feed
        self._metrics = metrics
        self._most = most
        self._per_address = per_address
        self._addresses: Counter[str] = Counter()
        self._open: dict[web.WebSocketResponse, Viewer] = {}

    def __len__(self) -> int:
        return self._addresses.total()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """``GET /ws?session=KEY&at=MS&speed=X&delay_ms=N``; ``web.commands`` says what a viewer may send.

        400 for a place that cannot be, 403 for another site's page, 429 for too many from one address, 503 when
        all places are taken.
        """
        if not same_origin(request):
            raise web.HTTPForbidden(text="This page may not connect here: its origin is another one.")
        try:
            first_button = initial_command(dict(request.query))
        except BadCommand as refused:
            raise web.HTTPBadRequest(text=f"{refused}.") from None
        address = request.remote or ""
        if self._addresses.total() >= self._most:
            raise web.HTTPServiceUnavailable(text=f"All {self._most} places are taken; try again later.")
        if self._addresses[address] >= self._per_address:
            raise web.HTTPTooManyRequests(text=f"{self._per_address} connections are open from your address already.")
        ws = web.WebSocketResponse(
            timeout=CLOSE_S, heartbeat=HEARTBEAT_S, max_msg_size=MAX_MESSAGE_BYTES, compress=False, autoping=False
        )
        transport = request.transport
        if transport is None:
            raise ClientConnectionResetError("they have gone already")
        self._addresses[address] += 1
        sender: asyncio.Task[None] | None = None
        try:
            await ws.prepare(request)
            _let_little_wait(ws)
            viewer = self._open[ws] = Viewer(
                ws, self._feed, self._metrics, request.query.get("session"), first_button
            )
            sender = asyncio.create_task(_send_all(viewer), name="viewer")
            await _listen(ws, viewer)
        finally:
            self._open.pop(ws, None)
            if ws.prepared:
                transport.abort()  # closing would wait until they have read what waits here, and some never read
            self._addresses[address] -= 1
            self._addresses += Counter()  # addresses without connections are forgotten
            if sender:
                sender.cancel()
                await asyncio.gather(sender, return_exceptions=True)
        return ws

    async def wake(self) -> None:
        """Wake who waits for what comes whenever something came, and once a second everybody, until cancelled."""
        tick_at = time.monotonic() + STATUS_S
        while True:
            changed = self._feed.changed
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, tick_at - time.monotonic())):
                    await changed.wait()
            tick = time.monotonic() >= tick_at
            if tick:
                tick_at = time.monotonic() + STATUS_S
            for viewer in self._open.values():
                if tick or viewer.live:
                    viewer.wake.set()

    async def close(self) -> None:
        """Say goodbye to everybody."""
        going = [_close(ws, WSCloseCode.GOING_AWAY, "server is stopping") for ws in self._open]
        await asyncio.gather(*going, return_exceptions=True)


def _let_little_wait(ws: web.WebSocketResponse) -> None:
    connection = ws.get_extra_info("socket")
    if connection is not None:  # the viewer may have gone already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, WAITING_BYTES)


async def _listen(ws: web.WebSocketResponse, viewer: Viewer) -> None:
    """Hear the viewer until the connection ends. Who talks nonsense, or all the time, is shown the door."""
    sent = TokenBucket(MESSAGES_PER_S, MESSAGES_AT_ONCE, time.monotonic())
    try:
        async for message in ws:
            if not sent.take(time.monotonic()):
                raise BadCommand(f"more than {MESSAGES_PER_S:.0f} messages a second; slow down")
            match message.type:
                case WSMsgType.TEXT:
                    viewer.enqueue(parse_command(message.data))
                case WSMsgType.PING:
                    await ws.pong(message.data)
                case WSMsgType.PONG:
                    pass
                case WSMsgType.ERROR:
                    return
                case _:
                    raise BadCommand("messages are JSON as text")
            await asyncio.sleep(0)  # what they send at once is not heard at once: the others' turn
    except ConnectionError:
        pass  # the viewer went away before their ping was answered
    except BadCommand as refused:
        await _close(ws, WSCloseCode.POLICY_VIOLATION, str(refused))


async def _close(ws: web.WebSocketResponse, code: WSCloseCode, reason: str) -> None:
    """Say why, to a viewer who may not be reading."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_S * 2):
            await ws.close(code=code, message=reason.encode()[:CLOSE_BYTES])


async def _send_all(viewer: Viewer) -> None:
    try:
        await viewer.run()
    except ConnectionError:
        pass  # the viewer went away in the middle of a send
    except Exception:
        log.exception("a viewer's task failed")
        await _close(viewer.ws, WSCloseCode.INTERNAL_ERROR, "the server failed at this")
