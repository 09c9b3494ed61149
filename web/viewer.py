"""One viewer: an open websocket and a cursor on a tape. Frames are sent as the bytes that came from Kafka.

There is no queue per viewer. When something is due, ``web.send_scheduler`` gives the viewer a turn, which compares
the cursor with its target and sends the frames between them, or only the newest one when the viewer is too far behind
or plays faster than the eye sees.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from struct import pack
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
SEND_BUFFER_BYTES = 32 * 1024
"""Send buffer of the kernel for a viewer, some seconds of frames. By default it would take megabytes, and a slow
viewer would see frames that are minutes old instead of jumping to the newest one."""
SILENT_MS = 30_000
"""A viewer that chose no session moves to a newer one once theirs has ended or had no frame for this long."""


class Viewer:
    """The sending side of a websocket. ``session_key`` None follows the newest session."""

    def __init__(
        self,
        ws: web.WebSocketResponse,
        transport: asyncio.Transport,
        feed: Feed,
        metrics: Metrics,
        session_key: str | None,
        initial: Command,
        waits_if_ended: bool = False,
    ) -> None:
        self.ws = ws
        self.ready = False
        """Whether the viewer is in the send scheduler's queue."""
        self.timer: float | None = None
        """When the send scheduler puts the viewer into its queue, in monotonic seconds; None: when it is added."""
        self._transport = transport
        self._feed = feed
        self._metrics = metrics
        self._session_key = session_key
        self._cursor = ViewerCursor(waits_if_ended)
        self._cursor.apply(initial)
        self._commands: list[Command] = []
        self._command_rate = TokenBucket(COMMANDS_PER_S, COMMANDS_AT_ONCE, time.monotonic())
        self._frame_rate = TokenBucket(FRAMES_PER_S, BURST, time.monotonic())
        self._messages: Iterator[bytes] | None = None
        """What is due and was not sent yet."""
        self._slow = False
        self._session_over = False
        """Whether their session has ended or is silent."""
        self._status_at = 0.0
        self._due = 0.0

    @property
    def live(self) -> bool:
        """Whether they wait for new frames."""
        return self._cursor.mode == "live"

    def enqueue(self, command: Command) -> None:
        """Apply a command in one of the next turns, as soon as the rate limit allows."""
        self._commands = enqueue(self._commands, command)

    def turn(self, now: float) -> float | None:
        """Send what is due at ``now``, in monotonic seconds. Returns when the next turn is due; None when closed.

        A turn writes at most ``SEND_BUFFER_BYTES`` and one message. Nothing is written until the kernel has taken all
        of the last write: then ``ClientConnection.on_drained`` gives the next turn, before the time returned.
        """
        if self.ws.closed or self._transport.is_closing():
            return None
        if self._transport.get_write_buffer_size():
            self._slow = True
            return now + STATUS_S
        self._messages = self._messages or self._due_messages(now)
        parts: list[bytes] = []
        size = 0
        for message in self._messages:
            parts += header(len(message)), message
            size += len(message)
            if size >= SEND_BUFFER_BYTES:
                break
        else:
            self._messages = None
        if parts:
            self._transport.write(b"".join(parts))
        return self._due if self._messages is None else now

    def _choose_tape(self) -> Tape | None:
        if self._session_key is not None:
            # A position in the past may not have been read yet, nor the end of a session that is not to be shown.
            at_once = self.live and not self._cursor.waits_if_ended
            return self._feed.tapes.get(self._session_key) if self._feed.caught_up or at_once else None
        current = self._cursor.tape
        if current is not None:
            run = self._feed.tapes.get(current.session_key)
            if run is not None and (run is not current or not self._session_over or not self._cursor.follows_newest):
                return run
        # Until the topic has been read the newest session is not known.
        return self._feed.tapes.newest() if self._feed.caught_up else None

    def _due_messages(self, now: float) -> Iterator[bytes]:
        """The answer to a command, or else frames, the status and log entries; sets when the next turn is due."""
        mode = self._cursor.mode
        self._cursor.follow(self._choose_tape())
        if self._cursor.mode != mode:
            mode = self._cursor.mode
            yield orjson.dumps(self._cursor.moved(None))
        if self._commands and self._command_rate.take(now):
            self._due = now
            yield orjson.dumps(self._apply(self._commands.pop(0)))
            return
        wall_ms = now_ms()
        target = self._cursor.target(now, wall_ms)
        if self._cursor.mode != mode:
            yield orjson.dumps(self._cursor.moved(None))
        budget = int(self._frame_rate.tokens(now))
        if budget >= 1:
            yield from self._frames(target, budget)
        if now >= self._status_at:  # before the log, which can be long: the page needs the range of the session
            self._status_at = now + STATUS_S * 0.9
            yield orjson.dumps(self._status())
        if budget >= 1:
            yield from self._cursor.log()
        self._due = self._next_turn(now, wall_ms, target)

    def _apply(self, command: Command) -> dict[str, Any]:
        try:
            self._cursor.apply(command)
        except BadCommand as error:
            return {"kind": "refused", "id": command.id, "error": str(error)}
        self._status_at = 0.0
        return self._cursor.moved(command.id)

    def _next_turn(self, now: float, wall_ms: int, target: int | None) -> float:
        """When a frame or the status is due or a command may be applied."""
        due = self._status_at + STATUS_S * 0.1
        if self._cursor.behind(target) > 0 and self._frame_rate.tokens(now) < 1:
            due = min(due, now + self._frame_rate.wait(now))
        elif (wait := self._cursor.due_in(now, wall_ms)) is not None:
            due = min(due, now + wait)
        return min(due, now + self._command_rate.wait(now)) if self._commands else due

    def _frames(self, target: int | None, budget: int) -> Iterator[bytes]:
        sent, skipped = 0, self._cursor.skipped
        for message in self._cursor.advance(target, budget):
            sent += 1
            yield message
        self._frame_rate.spend(sent)
        self._metrics.sent.inc(sent)
        if self._cursor.skipped > skipped:
            reason = "slow viewer" if self._slow else "fast replay"
            self._metrics.skipped.labels(reason).inc(self._cursor.skipped - skipped)
        self._slow = False

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


def header(length: int) -> bytes:
    """The header of a websocket message (RFC 6455) from the server. As text, so that browsers show it as JSON."""
    if length < 126:
        return bytes((0x81, length))
    return pack("!BBH", 0x81, 126, length) if length < 1 << 16 else pack("!BBQ", 0x81, 127, length)


async def receive_all(viewer: Viewer, wake: Callable[[Viewer], None]) -> None:
    """Receive commands until the connection ends; ``wake`` gives the viewer a turn for each.

    Close the socket after an invalid message or too many.
    """
    rate = TokenBucket(MESSAGES_PER_S, MESSAGES_AT_ONCE, time.monotonic())
    ws = viewer.ws
    try:
        async for message in ws:
            if not rate.take(time.monotonic()):
                raise BadCommand(f"more than {MESSAGES_PER_S:.0f} messages a second; slow down")
            match message.type:
                case WSMsgType.TEXT:
                    viewer.enqueue(parse_command(message.data))
                    wake(viewer)
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
