"""One viewer: an open websocket and a cursor on a tape. Frames are sent as the bytes that came from Kafka.

There is no queue per viewer. A task waits until something is due, compares the cursor with its target and sends the
frames between them, or only the newest one when the viewer is too far behind or plays faster than the eye sees.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Any

import orjson
from aiohttp import WSCloseCode, WSMsgType, web

from models.frame import FRAME_MS
from web.commands import BadCommand, Command, enqueue, parse_command
from web.cursor import ViewerCursor
from web.feed import Feed, now_ms
from web.metrics import Metrics
from web.tape import Tape
from web.token_bucket import TokenBucket

log = logging.getLogger(__name__)

COMMANDS_PER_S, COMMANDS_AT_ONCE = 10.0, 20.0
"""Commands applied on average, and at once. Further ones wait, and later ones replace them (``web.commands``)."""
MESSAGES_PER_S, MESSAGES_AT_ONCE = 50.0, 250.0
"""Messages of any kind accepted on average, and at once; above that the socket is closed. A key that is held down
sends 30 a second."""
CLOSE_S = 1.0
"""How long a viewer may take to answer a close frame: the server stops without those who do not."""
CLOSE_BYTES = 120
"""Longest reason in a close frame, which may have 123 bytes."""
STATUS_S = 1.0
"""Seconds between two status messages."""
FRAMES_PER_S = 25.0
"""Frames sent to a viewer on average …"""
BURST = 8
"""… and at once, so that a batch of the race worker at normal speed is sent whole."""
SOONEST_S = 0.005
"""Shortest timer: nobody sees a smaller difference."""
SLOW_S = 0.25
"""A viewer is slow when a send took longer than this."""
SILENT_MS = 30_000
"""A viewer that chose no session moves to a newer one once theirs has ended or had no frame for this long."""


class Viewer:
    """The sending side of a websocket. ``session_key`` None follows the newest session."""

    def __init__(
        self, ws: web.WebSocketResponse, feed: Feed, metrics: Metrics, session_key: str | None, initial: Command
    ) -> None:
        self.ws = ws
        self.wake = asyncio.Event()
        """Set when something may be due that no timer announces."""
        self._feed = feed
        self._metrics = metrics
        self._session_key = session_key
        self._cursor = ViewerCursor()
        self._cursor.apply(initial)
        self._commands: list[Command] = []
        self._command_rate = TokenBucket(COMMANDS_PER_S, COMMANDS_AT_ONCE, time.monotonic())
        self._frame_rate = TokenBucket(FRAMES_PER_S, BURST, time.monotonic())
        self._slow = False
        self._session_over = False
        """Whether their session has ended or is silent."""
        self._status_at = 0.0

    @property
    def live(self) -> bool:
        """Whether they wait for new frames."""
        return self._cursor.mode == "live"

    def enqueue(self, command: Command) -> None:
        """Apply a command after the current send, as soon as the rate limit allows."""
        self._commands = enqueue(self._commands, command)
        self.wake.set()

    async def run(self) -> None:
        """Send until the connection closes or the task is cancelled."""
        while not self.ws.closed:
            self.wake.clear()
            self._cursor.follow(self._choose_tape())
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

    def _choose_tape(self) -> Tape | None:
        if self._session_key is not None:
            # A position in the past may not have been read yet.
            return self._feed.tapes.get(self._session_key) if self._feed.caught_up or self.live else None
        current = self._cursor.tape
        if current is not None:
            run = self._feed.tapes.get(current.session_key)
            if run is not None and (run is not current or not self._session_over or not self.live):
                return run
        # Until the topic has been read the newest session is not known.
        return self._feed.tapes.newest() if self._feed.caught_up else None

    async def _apply_commands(self) -> None:
        while self._commands and self._command_rate.take(time.monotonic()):
            command = self._commands.pop(0)
            try:
                self._cursor.apply(command)
            except BadCommand as error:
                await self._send(orjson.dumps({"kind": "refused", "id": command.id, "error": str(error)}))
            else:
                self._status_at = 0.0
                await self._send(orjson.dumps(self._cursor.moved(command.id)))
            await asyncio.sleep(0)  # let other viewers run

    async def _wait(self) -> None:
        """Until a frame is due or arrives, or a command arrives or may be applied."""
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
        # As text, so that browsers show it as JSON; Kafka's bytes are sent without being decoded.
        await self.ws.send_frame(message, WSMsgType.TEXT)

    def _status(self) -> dict[str, Any]:
        tape, number = self._cursor.tape, self._cursor.number
        age_ms = max(0, now_ms() - tape.arrived_ms) if tape and tape.arrived_ms else None
        ended = tape.ended if tape else False
        self._session_over = ended or (age_ms or 0) > SILENT_MS
        span = tape.span() if tape else None
        edge = self._cursor.edge(now_ms())
        behind = 0 if edge is None or number is None else max(0, edge - number)
        return {
            "kind": "status",
            "reader": "connected" if self._feed.connected else "disconnected",
            "session": tape.session_key if tape else None,
            "epoch": tape.run_id if tape else None,
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


async def send_all(viewer: Viewer) -> None:
    """Run the sending side until the viewer is gone; an internal error closes the socket."""
    try:
        await viewer.run()
    except ConnectionError:
        pass  # the viewer disconnected during a send
    except Exception:
        log.exception("a viewer's task failed")
        await close(viewer.ws, WSCloseCode.INTERNAL_ERROR, "internal server error")


async def receive_all(viewer: Viewer) -> None:
    """Receive commands until the connection ends. Close the socket after an invalid message or too many."""
    rate = TokenBucket(MESSAGES_PER_S, MESSAGES_AT_ONCE, time.monotonic())
    ws = viewer.ws
    try:
        async for message in ws:
            if not rate.take(time.monotonic()):
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
            await asyncio.sleep(0)  # let other viewers run between messages of one burst
    except ConnectionError:
        pass  # the viewer disconnected before their ping was answered
    except BadCommand as error:
        await close(ws, WSCloseCode.POLICY_VIOLATION, str(error))


async def close(ws: web.WebSocketResponse, code: WSCloseCode, reason: str) -> None:
    """Close with a reason; do not wait for a viewer that does not read."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_S * 2):
            await ws.close(code=code, message=reason.encode()[:CLOSE_BYTES])
