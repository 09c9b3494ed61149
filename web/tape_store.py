"""Every session's tape, the newest run of each, within limits of memory and disk."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from f1stream import topics
from web.tape import Tape

log = logging.getLogger(__name__)

SESSIONS = 200
"""Most sessions at once; for one more the one whose latest frame is the oldest is dropped."""
DROPPED = 1_000
"""Dropped sessions whose late records are left out; those of earlier ones begin a tape again."""
SILENT_MS = 600_000
"""A tape that got nothing for this much longer than the newest one counts as finished when room is needed."""


@dataclass(frozen=True, slots=True)
class FramesRecord:
    """A record of topic ``frames``: its key and headers read, its value as it came."""

    session_key: str
    kind: Literal["head", "frames", "damaged"]
    epoch: int
    seq: int
    keys: frozenset[int]
    value: bytes
    arrived_ms: int
    """When it became known here, Unix ms."""


class TapeStore:
    """The tapes by session. ``limit`` is in bytes of memory, ``disk_limit`` of disk, over all of them."""

    def __init__(self, limit: int, disk_limit: int = 0) -> None:
        self.limit = limit
        self.disk_limit = disk_limit
        self._tapes: dict[str, Tape] = {}
        self._dropped: dict[str, int] = {}
        """The run of a session that was dropped: what is read of it later, from another topic, is not kept."""

    def __iter__(self) -> Iterator[Tape]:
        """The tapes that can be shown (a head has come), in the order in which their sessions appeared."""
        return (tape for tape in self._tapes.values() if tape.head is not None)

    @property
    def size(self) -> int:
        """Bytes of memory that all tapes take, with what was told of their sessions besides frames."""
        return sum(tape.size + tape.history.size + tape.telemetry.size for tape in self._tapes.values())

    def get(self, session_key: str) -> Tape | None:
        """The tape of a session; None when there is none to show."""
        tape = self._tapes.get(session_key)
        return tape if tape is not None and tape.head is not None else None

    def newest(self) -> Tape | None:
        """The tape with the greatest epoch, the earliest seen of equal ones."""
        return max(self, key=lambda tape: tape.epoch, default=None)

    def run(self, session_key: str, epoch: int) -> Tape | None:
        """The tape of a run, a new one when its epoch is the greatest of the session; None for an older run's."""
        tape = self._run(session_key, epoch)
        if tape is not None:
            self._put(tape)
        return tape

    def _put(self, tape: Tape) -> None:
        if tape.session_key not in self._tapes and len(self._tapes) >= SESSIONS:
            self._drop(min(self._tapes.values(), key=_told_ms))
        self._tapes[tape.session_key] = tape

    def _drop(self, tape: Tape) -> None:
        del self._tapes[tape.session_key]
        self._dropped[tape.session_key] = tape.epoch
        if len(self._dropped) > DROPPED:
            del self._dropped[next(iter(self._dropped))]

    def _run(self, session_key: str, epoch: int) -> Tape | None:
        """The same; a new one is not in the store yet."""
        tape = self._tapes.get(session_key)
        if tape is not None and tape.epoch == epoch:
            return tape
        newer = epoch > max(self._dropped.get(session_key, -1), tape.epoch if tape else -1)
        return Tape(session_key, epoch) if newer else None

    def append(self, record: FramesRecord) -> int:
        """Keep a record; returns how many facts, heads and frames in it were new.

        A greater epoch of a session takes the place of the smaller, whose late frames are dropped. Raises BadRecord
        for what cannot be read; it takes nobody's place.
        """
        tape = self._run(record.session_key, record.epoch)
        if tape is None:
            return 0
        if record.kind == "damaged":
            tape.damaged = topics.decode_damaged(record.value).reason
            self._put(tape)
            return 1
        if record.kind == "head":
            self._put(tape)
            return int(tape.append_head(record.seq, record.value))
        new = tape.append(record.seq, record.value.split(b"\n"), record.keys, record.arrived_ms)
        self._put(tape)
        if new:
            self.make_room()
        return new

    @property
    def disk_size(self) -> int:
        """Bytes of disk that all tapes take."""
        return sum(tape.spill_file.size for tape in self._tapes.values())

    def make_room(self) -> None:
        """What memory has no room for goes to disk, the oldest session first; what disk has none for is forgotten."""
        size = self.size
        while size > self.limit:
            by_age = sorted(self._tapes.values(), key=_told_ms)
            room = self.disk_size < self.disk_limit
            if not ((room and self._spill(by_age)) or self._forget(by_age)):
                return
            size = self.size

    def _spill(self, by_age: list[Tape]) -> bool:
        try:
            return any(tape.spill_oldest() for tape in by_age)
        except OSError as error:
            log.warning("the disk takes no more of the tapes (%s); the oldest are forgotten", error)
            self.disk_limit = self.disk_size
            return False

    def _forget(self, by_age: list[Tape]) -> bool:
        """Finished sessions, the oldest first, then the oldest keyframe groups of the longest tape."""
        newest_ms = _told_ms(by_age[-1])
        for tape in by_age:
            if _told_ms(tape) < newest_ms and (tape.ended or _told_ms(tape) < newest_ms - SILENT_MS):
                self._drop(tape)
                return True
        return max(by_age, key=lambda tape: tape.size).drop_oldest()


def _told_ms(tape: Tape) -> int:
    """When its latest frame arrived; of a run of which none has come yet, when the run began (Unix ms)."""
    return tape.arrived_ms if tape.latest is not None else tape.epoch
