"""A viewer's position on a tape: what is due and what has been sent. No I/O; the clock is an argument."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from models.frame import FRAME_MS
from web.commands import BadCommand, Command, GoLive, GoToLap, Pause, Play, Reveal
from web.tape import Tape

LOG_ENTRIES = 500
"""Entries in one ``log`` message; more are split."""
FOREVER_MS = 1 << 62


class ViewerCursor:
    """A position that follows the end of a tape, plays at its own speed, is paused, or waits for a command."""

    def __init__(self, waits_if_ended: bool = False) -> None:
        """``waits_if_ended``: a session that had ended before the viewer came to it is not shown until a command."""
        self.tape: Tape | None = None
        self.mode: Literal["live", "play", "pause", "wait"] = "live"
        self.waits_if_ended = waits_if_ended
        self.speed = 1.0
        self.delay_ms = 0
        self.reveal = False
        """Whether entries of the log that are later than the picture are sent."""
        self.number: int | None = None
        """The last frame sent, or missing frame passed; None after a jump."""
        self.skipped = 0
        """Frames that were not sent. Frames missing from the tape do not count unless they are jumped over."""
        self._from_ms = 0
        """Session time at which playing or the pause starts …"""
        self._since = 0.0
        """… and when playing started, in seconds of the monotonic clock."""
        self._key: int | None = None
        """The last keyframe sent."""
        self._head: bytes | None = None
        """The last head sent."""
        self._log_sent_ms = -FOREVER_MS
        """Every entry of the log known by this session time has been sent."""
        self._log_arrivals = 0
        """How many entries of the history have been looked at."""

    def follow(self, tape: Tape | None) -> None:
        """Move to a tape; on another one than before everything is sent again.

        A session that ends while it is followed stays on the screen: only one that had ended before, or whose run had
        been given up, is waited with. If it is published again meanwhile, the viewer has still not chosen.
        """
        if tape is not self.tape:
            self.mode = self._mode_on(tape)
            self.tape, self._head = tape, None
            self._log_sent_ms, self._log_arrivals = -FOREVER_MS, 0
            self._jump()

    def _mode_on(self, tape: Tape | None) -> Literal["live", "play", "pause", "wait"]:
        """The mode on another tape than before."""
        if not self.follows_newest:
            return self.mode
        if tape is None or not self.waits_if_ended:
            return "live"
        again = self.mode == "wait" and self.tape is not None and tape.session_key == self.tape.session_key
        return "wait" if again or tape.ended or tape.damaged is not None else "live"

    def _jump(self) -> None:
        self.number = self._key = None

    # -- commands --------------------------------------------------------------------------------------

    def apply(self, command: Command) -> None:
        """Change mode or position. Raises BadCommand when that is not possible."""
        here = self.t
        match command:
            case GoLive():
                self.mode, self.speed, self.delay_ms = "live", 1.0, command.delay_ms
                self._jump()
            case Play():
                self.mode, self.speed, self.delay_ms = "play", command.speed, command.delay_ms
                self._start_at(here if command.t is None else command.t)
            case Pause():
                self.mode = "pause"
                self._start_at(here if command.t is None else command.t)
            case GoToLap():
                at = self.tape.lap_at(command.lap) if self.tape else None
                if at is None:
                    raise BadCommand(f"lap {command.lap} has not begun yet, or is not known here")
                self.mode = "pause" if self.mode == "pause" else "play"
                self._start_at(at)
            case Reveal():
                self.reveal = command.on

    def _start_at(self, t: int) -> None:
        self._from_ms = t
        self._jump()

    @property
    def follows_newest(self) -> bool:
        """Whether no position was chosen: a newer session may take the place of an ended one."""
        return self.mode in {"live", "wait"}

    @property
    def t(self) -> int:
        """Session time of the last frame sent or passed; after a jump the session time of its target."""
        return self._from_ms if self.number is None else self.number * FRAME_MS

    # -- what is due -----------------------------------------------------------------------------------

    def edge(self, now_ms: int) -> int | None:
        """The newest frame that this viewer may see live, given the delay."""
        if self.tape is None or self.tape.latest is None:
            return None
        if not self.delay_ms:
            return self.tape.latest
        arrived = self.tape.arrived_by(now_ms - self.delay_ms)
        return None if arrived is None else min(arrived, self.tape.latest)

    def target(self, now: float, now_ms: int) -> int | None:
        """The frame to show now; None while there is none. A viewer that plays up to the live edge becomes live."""
        if self.mode == "wait":
            return None
        edge = self.edge(now_ms)
        if self.mode == "live" or edge is None:
            return edge
        span = self.tape.span() if self.tape else None
        assert span is not None  # noqa: S101 - there is a newest frame
        if self.number is None:  # the clock starts with the first picture
            self._from_ms, self._since = max(self._from_ms, span[0]), now
        played = (now - self._since) * 1000 * self.speed if self.mode == "play" else 0
        number = (self._from_ms + int(played)) // FRAME_MS
        if self.mode == "play" and number >= edge:
            self.mode, self.speed = "live", 1.0
        return min(number, edge if self.mode == "play" else span[1] // FRAME_MS)

    def due_in(self, now: float, now_ms: int) -> float | None:
        """Seconds until the next frame is due; None when it is due on arrival."""
        if self.mode == "play" and self.number is not None:
            next_ms = (self.number + 1) * FRAME_MS - self._from_ms
            return max(0.0, self._since + next_ms / 1000 / self.speed - now)
        if self.mode == "live" and self.delay_ms and self.tape:
            next_at = self.tape.next_arrival(now_ms - self.delay_ms)
            return None if next_at is None else max(0.0, (next_at + self.delay_ms - now_ms) / 1000)
        return None

    # -- what is sent ----------------------------------------------------------------------------------

    def behind(self, target: int | None) -> int:
        """How many frames up to ``target`` have not been sent or passed."""
        return 0 if target is None else target - (-1 if self.number is None else self.number)

    def advance(self, target: int | None, budget: int) -> Iterator[bytes]:
        """The next messages: every frame up to ``target`` if ``budget`` allows, else only the frame ``target``.

        A head precedes the first frame that it holds for, a keyframe the first delta that builds on it. Frames
        missing from the tape are passed as if they had been sent: meanwhile the frame before them is the picture.
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
            before, self.number = self.number, number
            if group is None or (before is not None and before >= group.last):
                continue  # missing
            yield from self._due_head(number)
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
        """``log`` messages with the entries that became known up to the last frame sent and were not sent yet."""
        if self.tape is None or self.number is None:
            return
        history, until = self.tape.history, FOREVER_MS if self.reveal else self.number * FRAME_MS
        entries = history.late(self._log_arrivals, min(self._log_sent_ms, until))
        self._log_arrivals = history.arrivals
        if until > self._log_sent_ms:
            entries += history.between(self._log_sent_ms, until)
            # With ``reveal`` there is no upper bound: every further entry is a late one.
            self._log_sent_ms = until
        for first in range(0, len(entries), LOG_ENTRIES):
            yield b'{"kind":"log","entries":[' + b",".join(entries[first : first + LOG_ENTRIES]) + b"]}"

    def moved(self, command_id: int | None) -> dict[str, Any]:
        """The ``moved`` message; ``command_id`` None: the mode changed by itself.

        ``jump``: the next frames do not continue the previous ones. Unless everything is revealed, the viewer then
        discards log entries later than ``t``: they are sent again.
        """
        if not self.reveal:
            self._log_sent_ms = min(self._log_sent_ms, self.t)
        return {
            "kind": "moved", "id": command_id, "mode": self.mode, "t": self.t, "speed": self.speed,
            "delay_ms": self.delay_ms, "reveal": self.reveal, "jump": self.number is None,
        }  # fmt: skip
