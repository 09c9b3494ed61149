"""The tapes of all sessions, the newest run of each, within limits of memory and disk."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from f1stream import topics
from web.tape import Tape

log = logging.getLogger(__name__)

SESSIONS = 200
"""Tapes at once; one more drops the tape whose latest frame is the oldest."""
DROPPED = 1_000
"""Dropped sessions that are remembered. Late records of a session beyond them would start a new tape."""
SILENT_MS = 600_000
"""A tape without a frame for this much longer than the newest one counts as finished when room is needed."""


@dataclass(frozen=True, slots=True)
class FramesRecord:
    """A record of topic ``frames`` with its key and headers decoded; the value is still encoded."""

    session_key: str
    kind: Literal["head", "frames", "damaged"]
    run_id: int
    seq: int
    """Number of the first frame; of a head the first frame that it holds for."""
    keys: frozenset[int]
    """Numbers of the keyframes."""
    value: bytes
    arrived_ms: int
    """When this server received it, Unix ms; for records from before its start Kafka's timestamp."""


class TapeStore:
    """The tapes by session. ``limit`` is in bytes of memory and ``disk_limit`` in bytes of disk, over all tapes."""

    def __init__(self, limit: int, disk_limit: int = 0, spill_above: int | None = None) -> None:
        """``spill_above``: bytes of frames in memory; with more, the oldest are spilled. By default ``limit``."""
        self.limit = limit
        self.disk_limit = disk_limit
        self.spill_above = limit if spill_above is None else spill_above
        self._tapes: dict[str, Tape] = {}
        self._dropped: dict[str, int] = {}
        """Run id by dropped session: late records of that run from another topic are ignored."""

    def __iter__(self) -> Iterator[Tape]:
        """The tapes that can be shown (their head has arrived), in the order in which their sessions appeared."""
        return (tape for tape in self._tapes.values() if tape.head is not None)

    @property
    def size(self) -> int:
        """Bytes of memory of all tapes with their histories and samples."""
        return sum(tape.size + tape.history.size + tape.samples.size for tape in self._tapes.values())

    @property
    def disk_size(self) -> int:
        """Bytes of disk of all tapes."""
        return sum(tape.spill_file.size for tape in self._tapes.values())

    def get(self, session_key: str) -> Tape | None:
        """The tape of a session; None when there is none to show."""
        tape = self._tapes.get(session_key)
        return tape if tape is not None and tape.head is not None else None

    def newest(self) -> Tape | None:
        """The tape with the greatest run id; of equal ones the session that appeared first."""
        return max(self, key=lambda tape: tape.run_id, default=None)

    def of_run(self, session_key: str, run_id: int) -> Tape | None:
        """The tape of a run, created for a run newer than the session's current one; None for a superseded run."""
        tape = self._find_or_create(session_key, run_id)
        if tape is not None:
            self._put(tape)
        return tape

    def append(self, record: FramesRecord) -> int:
        """Add a record; returns how many heads, frames and damage notices were new.

        A greater run id supersedes the session's smaller one, whose late frames are dropped. Raises BadRecord for
        a record that cannot be decoded; it supersedes nothing.
        """
        tape = self._find_or_create(record.session_key, record.run_id)
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

    def _find_or_create(self, session_key: str, run_id: int) -> Tape | None:
        """As ``of_run``, but a new tape is not stored yet: its first record may turn out to be bad."""
        tape = self._tapes.get(session_key)
        if tape is not None and tape.run_id == run_id:
            return tape
        newer = run_id > max(self._dropped.get(session_key, -1), tape.run_id if tape else -1)
        return Tape(session_key, run_id) if newer else None

    def _put(self, tape: Tape) -> None:
        if tape.session_key not in self._tapes and len(self._tapes) >= SESSIONS:
            self._drop(min(self._tapes.values(), key=_updated_ms))
        self._tapes[tape.session_key] = tape

    def _drop(self, tape: Tape) -> None:
        del self._tapes[tape.session_key]
        self._dropped[tape.session_key] = tape.run_id
        if len(self._dropped) > DROPPED:
            del self._dropped[next(iter(self._dropped))]

    def make_room(self) -> None:
        """Keep within the limits: spill to disk, the oldest session first, and drop what the disk has no room for."""
        while sum(tape.size for tape in self._tapes.values()) > self.spill_above and self._spill():
            pass
        while self.size > self.limit:
            if not (self._spill() or self._drop_oldest()):
                return

    def _by_age(self) -> list[Tape]:
        return sorted(self._tapes.values(), key=_updated_ms)

    def _spill(self) -> bool:
        if self.disk_size >= self.disk_limit:
            return False
        try:
            return any(tape.spill_oldest() for tape in self._by_age())
        except OSError as error:
            log.warning("the spill file cannot grow (%s); frames stay in memory while there is room", error)
            self.disk_limit = self.disk_size
            return False

    def _drop_oldest(self) -> bool:
        """Drop the oldest finished session, else the oldest keyframe group of the longest tape."""
        by_age = self._by_age()
        newest_ms = _updated_ms(by_age[-1])
        for tape in by_age:
            if _updated_ms(tape) < newest_ms and (tape.ended or _updated_ms(tape) < newest_ms - SILENT_MS):
                self._drop(tape)
                return True
        return max(by_age, key=lambda tape: tape.size).drop_oldest()


def _updated_ms(tape: Tape) -> int:
    """When its latest frame arrived, Unix ms; for a run without frames when the run began."""
    return tape.arrived_ms if tape.latest is not None else tape.run_id
