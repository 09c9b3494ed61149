"""The tape of one run of one session: its encoded frames, ready to be sent as they are.

No Kafka, no asyncio. A frame is decoded when it comes, for the columns that answers are made of, and again when a
merged picture is asked for. Frames are named by their number, ``t // FRAME_MS``; the functions that take ``t`` take
session milliseconds. The newest keyframe groups are in memory, older ones where there is no room for them on disk.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate
from typing import Any

import orjson

from models.frame import FRAME_MS
from web.gap_columns import GapColumns, read_frame
from web.history import History
from web.lap_starts import LapStarts
from web.sample_store import SampleStore
from web.spill_file import SpillFile

NOTED = ("lap", "started_ms", "ended")
"""What is kept of the newest frame's race."""
OBJECT_BYTES = 41
"""What CPython keeps for a ``bytes`` object and its place in a list, beyond its length."""


class KeyframeGroup:
    """A keyframe and the deltas that build on it, numbered on from ``start`` without a hole."""

    __slots__ = ("_at", "_columns_at", "_ends", "_frames", "_spill_file", "columns", "size", "start")

    def __init__(self, start: int, keyframe: dict[str, Any]) -> None:
        self.start = start
        self.columns = GapColumns(keyframe)
        self.size = 0
        """Bytes of memory that its frames and columns take."""
        self._frames: list[bytes] = []
        self._spill_file: SpillFile | None = None
        self._at = self._columns_at = 0
        self._ends = array("I")
        """On disk: where each frame ends, from ``_at`` on."""

    def __len__(self) -> int:
        return len(self._ends) if self._spill_file else len(self._frames)

    @property
    def last(self) -> int:
        """The number of its last frame."""
        return self.start + len(self) - 1

    def append(self, frame: bytes, decoded: dict[str, Any]) -> int:
        """Add the next frame; returns the memory that it takes. Raises BadRecord when it is not of this keyframe."""
        assert self._spill_file is None  # noqa: S101 - only complete keyframe groups go to disk
        self.columns.append(decoded)
        self._frames.append(frame)
        taken = len(frame) + OBJECT_BYTES + self.columns.row_bytes
        self.size += taken
        return taken

    def rows(self) -> Any:
        """The columns' rows, one a frame, from memory or disk."""
        if self._spill_file is None:
            return self.columns.rows()
        return self.columns.rows(self._spill_file.get(self._columns_at, len(self) * self.columns.row_bytes))

    def frame(self, number: int) -> bytes:
        """The encoded frame of a number between ``start`` and ``last``."""
        i = number - self.start
        if self._spill_file is None:
            return self._frames[i]
        begin = self._ends[i - 1] if i else 0
        return self._spill_file.get(self._at + begin, self._ends[i] - begin)

    def spill(self, spill_file: SpillFile) -> int:
        """Move the frames to disk; returns the memory that this frees."""
        self._at = spill_file.put(b"".join(self._frames))
        self._columns_at = spill_file.put(self.columns.rows().tobytes())
        self.columns.forget()
        self._ends = array("I", accumulate(len(frame) for frame in self._frames))
        self._spill_file, self._frames = spill_file, []
        freed, self.size = self.size, 0
        return freed


class Tape:
    """What one run (epoch) of a session has shown so far, from the first keyframe that was found."""

    def __init__(self, session_key: str, epoch: int) -> None:
        self.session_key = session_key
        self.epoch = epoch
        self.arrived_ms = 0
        """When its latest frame arrived, Unix ms."""
        self.damaged: str | None = None
        """Why no frame follows; None unless the race worker gave the run up."""
        self.size = 0
        """Bytes of memory that its frames and heads take."""
        self.spill_file = SpillFile()
        self.history = History()
        self.telemetry = SampleStore()
        self._groups: list[KeyframeGroup] = []
        self._spilled = 0
        """How many of the keyframe groups are on disk: the oldest ones."""
        self._arrived = (array("q"), array("q"))
        """By batch: the number of its last frame, and when it arrived (Unix ms)."""
        self._heads: list[tuple[int, bytes]] = []
        self._seen = -1
        self._laps = LapStarts()
        self._newest: dict[str, Any] = {}
        """``NOTED`` of the newest frame."""
        self._noted_key: dict[str, Any] = {}
        """``NOTED`` of its keyframe."""

    @property
    def head(self) -> bytes | None:
        """The newest head, encoded; None when none has come yet."""
        return self._heads[-1][1] if self._heads else None

    @property
    def latest(self) -> int | None:
        """The number of the newest frame that can be shown."""
        return self._groups[-1].last if self._groups else None

    @property
    def ended(self) -> bool:
        """Whether the newest frame is the last of the run."""
        return bool(self._newest.get("ended"))

    def append_head(self, seq: int, value: bytes) -> bool:
        """Keep a head that holds from frame ``seq``. False when it is an old one again."""
        if self._heads and (seq <= self._heads[-1][0] or value == self._heads[-1][1]):
            return False
        self._heads.append((seq, value))
        self.size += len(value) + OBJECT_BYTES
        return True

    def append(self, seq: int, frames: Sequence[bytes], keys: Collection[int], arrived_ms: int) -> int:
        """Keep consecutive frames from number ``seq`` on; ``keys`` are the numbers of the keyframes.

        Returns how many were new. Frames seen before are dropped, and so are deltas whose keyframe is missing:
        at the beginning (Kafka has forgotten it) or behind a hole, until the next keyframe. Raises BadRecord at a
        frame that cannot be read: those before it are kept, and it is a hole.
        """
        new = 0
        try:
            for number, frame in enumerate(frames, seq):
                if number > self._seen:
                    new += self._append(number, frame, number in keys)
        finally:
            if new:
                self.arrived_ms = max(arrived_ms, self.arrived_ms)
                self._arrived[0].append(self._seen)
                self._arrived[1].append(self.arrived_ms)
        return new

    def _append(self, number: int, frame: bytes, key: bool) -> int:
        """Keep the next frame; returns how many that were, one or none."""
        hole = number != self._seen + 1
        if not key and (hole or not self._groups or number != self._groups[-1].last + 1):
            self._seen = number
            return 0
        decoded = read_frame(number, frame, None if key else self._groups[-1].start)
        group = KeyframeGroup(number, decoded) if key else self._groups[-1]
        self.size += group.append(frame, decoded)
        if key:
            self._groups.append(group)
        self._seen = number
        noted = {name: decoded["race"][name] for name in NOTED if name in decoded["race"]}
        if key:
            self._noted_key = noted
        self._newest = self._noted_key | noted
        self._laps.note(number, self._newest.get("lap") or 0)
        return 1

    def shown(self, times: range) -> Iterator[tuple[KeyframeGroup, list[int]]]:
        """By group which of its frames, counted from 0, are the latest at the times, which rise; each once."""
        rows: list[int] = []
        place = max(0, bisect_right(self._groups, times.start // FRAME_MS, key=lambda each: each.start) - 1)
        for t in times:
            number = t // FRAME_MS
            while place + 1 < len(self._groups) and self._groups[place + 1].start <= number:
                if rows:
                    yield self._groups[place], rows
                    rows = []
                place += 1
            row = min(number, self._groups[place].last) - self._groups[place].start
            if row >= 0 and rows[-1:] != [row]:
                rows.append(row)
        if rows:
            yield self._groups[place], rows

    def arrived_by(self, unix_ms: int) -> int | None:
        """The number of the newest frame that had arrived at an instant; None when none had."""
        index = bisect_right(self._arrived[1], unix_ms) - 1
        return self._arrived[0][index] if index >= 0 else None

    def next_arrival(self, unix_ms: int) -> int | None:
        """When the first batch after an instant arrived, Unix ms; None when none has yet."""
        index = bisect_right(self._arrived[1], unix_ms)
        return self._arrived[1][index] if index < len(self._arrived[1]) else None

    def spill_oldest(self) -> bool:
        """Move the oldest group that is in memory to disk; False when only the newest one is."""
        if self._spilled >= len(self._groups) - 1:
            return False
        self.size -= self._groups[self._spilled].spill(self.spill_file)
        self._spilled += 1
        return True

    def drop_oldest(self) -> bool:
        """Forget the oldest keyframe and its deltas; False when only one is left."""
        if len(self._groups) < 2:
            return False
        self.size -= self._groups.pop(0).size
        self._spilled = max(0, self._spilled - 1)
        return True

    def range(self) -> tuple[int, int] | None:
        """Session time of the first and the last frame; None while there is none."""
        if not self._groups:
            return None
        return self._groups[0].start * FRAME_MS, self._groups[-1].last * FRAME_MS

    def group_of(self, number: int) -> KeyframeGroup | None:
        """The group with the latest keyframe at or before a frame number."""
        index = bisect_right(self._groups, number, key=lambda group: group.start) - 1
        return self._groups[index] if index >= 0 else None

    def head_of(self, number: int) -> bytes | None:
        """The head that holds at a frame number; the first one for frames before it."""
        index = bisect_right(self._heads, number, key=lambda head: head[0]) - 1
        return self._heads[max(index, 0)][1] if self._heads else None

    def keyframe_at(self, t: int) -> bytes | None:
        """The latest keyframe at or before ``t``, encoded."""
        group = self.group_of(t // FRAME_MS)
        return group.frame(group.start) if group else None

    def frame_at(self, t: int) -> bytes | None:
        """The latest frame at or before ``t``, encoded."""
        number = t // FRAME_MS
        group = self.group_of(number)
        return group.frame(min(number, group.last)) if group else None

    def state_at(self, t: int) -> dict[str, Any] | None:
        """The whole picture at ``t`` as a keyframe of its own; None when ``t`` lies before the tape."""
        return self._merge(t // FRAME_MS)

    def lap_at(self, lap: int) -> int | None:
        """Session time of the first frame in which the leader is on ``lap``; None when there is none yet.

        Before an aborted start the leader was on lap 1 too, for a while: that lap begins with the start that counts.
        """
        if not self._groups:
            return None
        if lap == 1 and "started_ms" in self._newest:
            return self._start(self._newest)
        number = self._laps.first(lap)
        return None if number is None else max(number, self._groups[0].start) * FRAME_MS

    def _start(self, race: dict[str, Any]) -> int | None:
        """Session time of the first frame since the start; None before it, and where laps are not counted."""
        if race["started_ms"] is None or not race.get("lap"):
            return None
        return max(-(-int(race["started_ms"]) // FRAME_MS), self._groups[0].start) * FRAME_MS

    def _merge(self, number: int) -> dict[str, Any] | None:
        group = self.group_of(number)
        if group is None:
            return None
        number = min(number, group.last)
        picture: dict[str, Any] = orjson.loads(group.frame(group.start))
        if number == group.start:
            return picture
        delta = orjson.loads(group.frame(number))
        return merged(picture, delta)


def merged(keyframe: dict[str, Any], delta: dict[str, Any]) -> dict[str, Any]:
    """A keyframe and one delta that builds on it, as one keyframe at the delta's time.

    An absent field is unchanged, a null is unknown. Both arguments are left as they are.
    """
    cars = dict(keyframe["cars"])
    for number, changes in delta.get("cars", {}).items():
        cars[number] = cars.get(number, {}) | changes
    race = keyframe["race"] | delta.get("race", {})
    return keyframe | delta | {"kind": "key", "key_t": delta["t"], "cars": cars, "race": race}
