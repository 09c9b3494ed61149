"""Where a viewer is on a tape, what is due, and what they have been sent. No I/O, and the clock is an argument."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from models.frame import FRAME_MS
from web.commands import BadCommand, Command, GoLive, GoToLap, Pause, Play, Reveal
from web.tape import Tape

LOG_ENTRIES = 500
"""In one message."""
EVERYTHING = 1 << 62


class ViewerCursor:
    """A place on a tape that moves with the tape's end, at a pace of its own, or not at all."""

    def __init__(self) -> None:
        self.tape: Tape | None = None
        self.mode: Literal["live", "play", "pause"] = "live"
        self.speed = 1.0
        self.delay_ms = 0
        self.reveal = False
        self.number: int | None = None
        """The last frame sent."""
        self.skipped = 0
        self._from_ms = 0
        """Where playing or the pause begins, in session time …"""
        self._since = 0.0
        """… and when playing began, in seconds of the monotonic clock."""
        self._key: int | None = None
        self._head: bytes | None = None
        self._told_ms = -EVERYTHING
        """Everything that was known by then has been told."""
        self._arrivals = 0

    def follow(self, tape: Tape | None) -> None:
        """Go to a tape; on another one than before everything is sent anew."""
        if tape is not self.tape:
            self.tape, self._head = tape, None
            self._told_ms, self._arrivals = -EVERYTHING, 0
            self._jump()

    def _jump(self) -> None:
        self.number = self._key = None

    # -- the remote control ----------------------------------------------------------------------------

    def apply(self, command: Command) -> None:
        """Do what the viewer wants. Raises BadCommand when it cannot be done."""
        here = self.t
        match command:
            case GoLive():
                self.mode, self.speed, self.delay_ms = "live", 1.0, command.delay_ms
                self._jump()
            case Play():
                self.mode, self.speed, self.delay_ms = "play", command.speed, command.delay_ms
                self._begin(here if command.t is None else command.t)
            case Pause():
                self.mode = "pause"
                self._begin(here if command.t is None else command.t)
            case GoToLap():
                at = self.tape.lap_at(command.lap) if self.tape else None
                if at is None:
                    raise BadCommand(f"lap {command.lap} has not begun yet, as far as is known here")
                self.mode = "pause" if self.mode == "pause" else "play"
                self._begin(at)
            case Reveal():
                self.reveal = command.on

    def _begin(self, t: int) -> None:
        self._from_ms = t
        self._jump()

    @property
    def t(self) -> int:
        """Session time of the last frame sent; before the first, where it is to be."""
        return self._from_ms if self.number is None else self.number * FRAME_MS

    # -- what is due -----------------------------------------------------------------------------------

    def edge(self, now_ms: int) -> int | None:
        """The newest frame that this viewer may see live."""
        if self.tape is None or self.tape.latest is None:
            return None
        if not self.delay_ms:
            return self.tape.latest
        arrived = self.tape.arrived_by(now_ms - self.delay_ms)
        return None if arrived is None else min(arrived, self.tape.latest)

    def target(self, now: float, now_ms: int) -> int | None:
        """The frame to be shown now; None while there is none. Who plays on to the live picture is live."""
        edge = self.edge(now_ms)
        span = self.tape.range() if self.tape else None
        if self.mode == "live" or edge is None or span is None:
            return edge
        if self.number is None:  # the clock starts with the first picture
            self._from_ms, self._since = max(self._from_ms, span[0]), now
        played = (now - self._since) * 1000 * self.speed if self.mode == "play" else 0
        number = (self._from_ms + int(played)) // FRAME_MS
        if self.mode == "play" and number >= edge:
            self.mode, self.speed = "live", 1.0
        return min(number, edge if self.mode == "play" else span[1] // FRAME_MS)

    def due_in(self, now: float, now_ms: int) -> float | None:
        """Seconds until the next frame is due; None when that is not for the clock to say."""
        if self.mode == "play" and self.number is not None:
            next_ms = (self.number + 1) * FRAME_MS - self._from_ms
            return max(0.0, self._since + next_ms / 1000 / self.speed - now)
        if self.mode == "live" and self.delay_ms and self.tape:
            next_at = self.tape.next_arrival(now_ms - self.delay_ms)
            return None if next_at is None else max(0.0, (next_at + self.delay_ms - now_ms) / 1000)
        return None

    # -- what is sent ----------------------------------------------------------------------------------

    def behind(self, target: int | None) -> int:
        """How many frames before ``target`` have not been sent."""
        return 0 if target is None else target - (-1 if self.number is None else self.number)

    def advance(self, target: int | None, budget: int) -> Iterator[bytes]:
        """The messages to send next: every frame up to ``target`` if at most ``budget`` are left, else that one.

        A head goes before the first frame that it holds for, a keyframe before the first delta that needs it.
        """
        if self.tape is None:
            return
        if target is None:
            yield from self._due_head(0)
            return
        first = target if self.number is None or self.behind(target) > budget else self.number + 1
        if self.number is not None:
            self.skipped += max(0, first - self.number - 1)
        for number in range(first, target + 1):
            group = self.tape.group_of(number)
            if group is None or (number > group.last and self.number is not None):
                continue  # a hole
            yield from self._due_head(number)
            self.number = number
            shown = min(number, group.last)
            if group.start != self._key:
                self._key = group.start
                yield group.frame(group.start)
            if shown != group.start:
                yield group.frame(shown)

    def _due_head(self, number: int) -> Iterator[bytes]:
        head = self.tape.head_of(number) if self.tape else None
        if head is not None and head is not self._head:
            self._head = head
            yield head

    def log(self) -> Iterator[bytes]:
        """What became known up to the last frame sent and has not been told: messages of kind ``log``."""
        if self.tape is None or self.number is None:
            return
        history, until = self.tape.history, EVERYTHING if self.reveal else self.number * FRAME_MS
        entries = history.late(self._arrivals, min(self._told_ms, until))
        self._arrivals = history.arrivals
        if until > self._told_ms:
            entries += history.between(self._told_ms, until)
            # What is revealed has no end: what is still to come arrives late.
            self._told_ms = until
        for first in range(0, len(entries), LOG_ENTRIES):
            yield b'{"kind":"log","entries":[' + b",".join(entries[first : first + LOG_ENTRIES]) + b"]}"

    def moved(self, command_id: int | None) -> dict[str, Any]:
        """The mode as told to the viewer; ``command_id`` None: it changed by itself.

        ``jump``: what comes next is no continuation of what was sent. Unless all is revealed, the viewer forgets what
        was told of later times: it will be told again.
        """
        if not self.reveal:
            self._told_ms = min(self._told_ms, self.t)
        return {
            "kind": "moved", "id": command_id, "mode": self.mode, "t": self.t, "speed": self.speed,
            "delay_ms": self.delay_ms, "reveal": self.reveal, "jump": self.number is None,
        }  # fmt: skip
