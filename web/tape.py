"""The tape of one run of a session: its encoded frames, sent to viewers as they are. No Kafka, no asyncio.

A frame's number is ``t // FRAME_MS``; parameters named ``t`` are session milliseconds. A frame is decoded once when
it arrives, for the columns of ``web.gap_columns``, and again only for a merged picture.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import orjson

from models.frame import FRAME_MS
from web.gap_columns import read_frame
from web.history import History
from web.keyframe_group import OBJECT_BYTES, KeyframeGroup
from web.lap_starts import LapStarts
from web.sample_store import SampleStore
from web.spill_file import SpillFile

RACE_FIELDS = ("lap", "started_ms", "ended")
"""Fields of the newest frame's race that are kept decoded."""


class Tape:
    """The frames of a run from the first keyframe on that Kafka still had, with its history and samples.

    The newest keyframe groups are in memory. ``TapeStore`` moves older ones to ``spill_file``, then drops them.
    """

    def __init__(self, session_key: str, run_id: int) -> None:
        self.session_key = session_key
        self.run_id = run_id
        self.arrived_ms = 0
        """When the newest frame arrived, Unix ms."""
        self.damaged: str | None = None
        """Why no further frame follows: the race worker gave the run up. None for a sound run."""
        self.size = 0
        """Bytes of memory of the frames and heads."""
        self.spill_file = SpillFile()
        self.history = History()
        self.samples = SampleStore()
        self._groups: list[KeyframeGroup] = []
        self._spilled = 0
        """How many groups are on disk: the oldest ones."""
        self._arrivals = (array("q"), array("q"))
        """By batch: the number of its last frame, and when it arrived (Unix ms)."""
        self._heads: list[tuple[int, bytes]] = []
        self._seen = -1
        """The greatest frame number received, stored or not."""
        self._lap_starts = LapStarts()
        self._newest: dict[str, Any] = {}
        """``RACE_FIELDS`` of the newest frame, merged with its keyframe's."""
        self._newest_key: dict[str, Any] = {}
        """``RACE_FIELDS`` of its keyframe."""

    @property
    def head(self) -> bytes | None:
        """The newest head, encoded; None before the first."""
        return self._heads[-1][1] if self._heads else None

    @property
    def latest(self) -> int | None:
        """The number of the newest stored frame."""
        return self._groups[-1].last if self._groups else None

    @property
    def ended(self) -> bool:
        """Whether the newest frame is the run's last one."""
        return bool(self._newest.get("ended"))

    def span(self) -> tuple[int, int] | None:
        """Session time of the first and the last frame; None without frames."""
        if not self._groups:
            return None
        return self._groups[0].start * FRAME_MS, self._groups[-1].last * FRAME_MS

    # -- what arrives -----------------------------------------------------------------------------------

    def append_head(self, seq: int, value: bytes) -> bool:
        """Add a head that holds from frame ``seq`` on. False for a repeat."""
        if self._heads and (seq <= self._heads[-1][0] or value == self._heads[-1][1]):
            return False
        self._heads.append((seq, value))
        self.size += len(value) + OBJECT_BYTES
        return True

    def append(self, seq: int, frames: Sequence[bytes], keys: Collection[int], arrived_ms: int) -> int:
        """Add consecutive frames from number ``seq`` on; ``keys`` are the numbers of the keyframes.

        Returns how many were new. Repeats are dropped, and so are deltas without their keyframe: at the start of
        the tape (Kafka has deleted it) or behind a hole, until the next keyframe. Raises BadRecord at a frame that
        cannot be decoded: the frames before it are kept and it becomes a hole.
        """
        new = 0
        try:
            for number, frame in enumerate(frames, seq):
                if number > self._seen:
                    new += self._append(number, frame, number in keys)
        finally:
            if new:
                self.arrived_ms = max(arrived_ms, self.arrived_ms)
                self._arrivals[0].append(self._seen)
                self._arrivals[1].append(self.arrived_ms)
        return new

    def _append(self, number: int, frame: bytes, key: bool) -> int:
        """Add the next frame; returns 1, or 0 for a delta without its keyframe."""
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
        race = {name: decoded["race"][name] for name in RACE_FIELDS if name in decoded["race"]}
        if key:
            self._newest_key = race
        self._newest = self._newest_key | race
        self._lap_starts.note(number, self._newest.get("lap") or 0)
        return 1

    def spill_oldest(self) -> bool:
        """Move the oldest group in memory to disk; False when only the newest one is left. Raises OSError."""
        if self._spilled >= len(self._groups) - 1:
            return False
        self.size -= self._groups[self._spilled].spill(self.spill_file)
        self._spilled += 1
        return True

    def drop_oldest(self) -> bool:
        """Drop the oldest group; False when only one is left."""
        if len(self._groups) < 2:
            return False
        self.size -= self._groups.pop(0).size
        self._spilled = max(0, self._spilled - 1)
        return True

    # -- queries ----------------------------------------------------------------------------------------

    def group_of(self, number: int) -> KeyframeGroup | None:
        """The group with the latest keyframe at or before a frame number."""
        if self._groups and number >= self._groups[-1].start:
            return self._groups[-1]
        index = bisect_right(self._groups, number, key=lambda group: group.start) - 1
        return self._groups[index] if index >= 0 else None

    def head_of(self, number: int) -> bytes | None:
        """The head that holds at a frame number; the first head for earlier frames."""
        index = bisect_right(self._heads, number, key=lambda head: head[0]) - 1
        return self._heads[max(index, 0)][1] if self._heads else None

    def rows_at(self, times: range) -> Iterator[tuple[KeyframeGroup, list[int]]]:
        """By group the rows of the latest frames at rising ``times`` (session ms); a row is not repeated."""
        rows: list[int] = []
        index = max(0, bisect_right(self._groups, times.start // FRAME_MS, key=lambda group: group.start) - 1)
        for t in times:
            number = t // FRAME_MS
            while index + 1 < len(self._groups) and self._groups[index + 1].start <= number:
                if rows:
                    yield self._groups[index], rows
                    rows = []
                index += 1
            row = min(number, self._groups[index].last) - self._groups[index].start
            if row >= 0 and rows[-1:] != [row]:
                rows.append(row)
        if rows:
            yield self._groups[index], rows

    def arrived_by(self, unix_ms: int) -> int | None:
        """The number of the newest frame that had arrived by an instant; None when none had."""
        index = bisect_right(self._arrivals[1], unix_ms) - 1
        return self._arrivals[0][index] if index >= 0 else None

    def next_arrival(self, unix_ms: int) -> int | None:
        """When the first batch after an instant arrived, Unix ms; None when none has yet."""
        index = bisect_right(self._arrivals[1], unix_ms)
        return self._arrivals[1][index] if index < len(self._arrivals[1]) else None

    def state_at(self, t: int) -> dict[str, Any] | None:
        """The whole picture at ``t``, merged into one keyframe; None when ``t`` lies before the tape."""
        number = t // FRAME_MS
        group = self.group_of(number)
        if group is None:
            return None
        number = min(number, group.last)
        picture: dict[str, Any] = orjson.loads(group.frame(group.start))
        return picture if number == group.start else merged(picture, orjson.loads(group.frame(number)))

    def lap_at(self, lap: int) -> int | None:
        """Session time of the first frame with the leader on ``lap``; None when there is none yet.

        Before an aborted start the leader was on lap 1 for a while too: lap 1 begins with the start that counts, also
        of a practice or qualifying, and with the tape if it has ended and its start is not known.
        """
        if not self._groups:
            return None
        if lap == 1 and "started_ms" in self._newest:
            return self._race_start()
        number = self._lap_starts.first(lap)
        return None if number is None else max(number, self._groups[0].start) * FRAME_MS

    def _race_start(self) -> int | None:
        """Session time of the first frame since the start; None before it."""
        if self._newest["started_ms"] is None:
            return self._groups[0].start * FRAME_MS if self.ended else None
        return max(-(-int(self._newest["started_ms"]) // FRAME_MS), self._groups[0].start) * FRAME_MS


def merged(keyframe: dict[str, Any], delta: dict[str, Any]) -> dict[str, Any]:
    """A keyframe and one delta that builds on it, as one keyframe at the delta's time.

    An absent field is unchanged, a null is unknown. Both arguments are left as they are.
    """
    cars = dict(keyframe["cars"])
    for number, changes in delta.get("cars", {}).items():
        cars[number] = cars.get(number, {}) | changes
    race = keyframe["race"] | delta.get("race", {})
    return keyframe | delta | {"kind": "key", "key_t": delta["t"], "cars": cars, "race": race}
