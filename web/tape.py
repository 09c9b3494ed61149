"""The tape of one run of one session: its encoded frames, ready to be sent as they are.

No Kafka, no asyncio, and nothing is decoded except when a merged picture is asked for. Frames are named by
their number, ``t // FRAME_MS``; the functions that take ``t`` take session milliseconds. The newest stretches are in
memory, older ones where there is no room for them on disk.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any

import orjson

from models.frame import FRAME_MS
from web.history import History
from web.spool import Spool
from web.telemetry import Telemetry

OBJECT_BYTES = 41
"""What CPython keeps for a ``bytes`` object and its place in a list, beyond its length."""


class Stretch:
    """A keyframe and the deltas that build on it, numbered on from ``start`` without a hole."""

    __slots__ = ("_at", "_ends", "_frames", "_spool", "size", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        self.size = 0
        """Bytes of memory that its frames take."""
        self._frames: list[bytes] = []
        self._spool: Spool | None = None
        self._at = 0
        self._ends = array("I")
        """On disk: where each frame ends, from ``_at`` on."""

    def __len__(self) -> int:
        return len(self._ends) if self._spool else len(self._frames)

    @property
    def last(self) -> int:
        """The number of its last frame."""
        return self.start + len(self) - 1

    def append(self, frame: bytes) -> int:
        """Add the next frame; returns the memory that it takes."""
        assert self._spool is None  # noqa: S101 - only complete stretches go to disk
        self._frames.append(frame)
        self.size += len(frame) + OBJECT_BYTES
        return len(frame) + OBJECT_BYTES

    def frame(self, number: int) -> bytes:
        """The encoded frame of a number between ``start`` and ``last``."""
        i = number - self.start
        if self._spool is None:
            return self._frames[i]
        begin = self._ends[i - 1] if i else 0
        return self._spool.get(self._at + begin, self._ends[i] - begin)

    def spill(self, spool: Spool) -> int:
        """Move the frames to disk; returns the memory that this frees."""
        self._at = spool.put(b"".join(self._frames))
        self._ends = array("I", accumulate(len(frame) for frame in self._frames))
        self._spool, self._frames = spool, []
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
        self.spool = Spool()
        self.history = History()
        self.telemetry = Telemetry()
        self._stretches: list[Stretch] = []
        self._spilled = 0
        """How many of the stretches are on disk: the oldest ones."""
        self._arrived = (array("q"), array("q"))
        """By batch: the number of its last frame, and when it arrived (Unix ms)."""
        self._heads: list[tuple[int, bytes]] = []
        self._seen = -1
        self._ended_at: tuple[int | None, bool] = (None, False)

    @property
    def head(self) -> bytes | None:
        """The newest head, encoded; None when none has come yet."""
        return self._heads[-1][1] if self._heads else None

    @property
    def latest(self) -> int | None:
        """The number of the newest frame that can be shown."""
        return self._stretches[-1].last if self._stretches else None

    @property
    def ended(self) -> bool:
        """Whether the newest frame is the last of the run."""
        latest = self.latest
        if latest is None:
            return False
        if self._ended_at[0] != latest:
            picture = self._merge(latest)
            self._ended_at = (latest, bool(picture and picture["race"].get("ended")))
        return self._ended_at[1]

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
        at the beginning (Kafka has forgotten it) or behind a hole, until the next keyframe.
        """
        new = 0
        for number, frame in enumerate(frames, seq):
            if number <= self._seen:
                continue
            hole = number != self._seen + 1
            self._seen = number
            if number in keys:
                self._stretches.append(Stretch(number))
            elif not self._stretches or (hole or number != self._stretches[-1].last + 1):
                continue
            self.size += self._stretches[-1].append(frame)
            new += 1
        if new:
            self.arrived_ms = max(arrived_ms, self.arrived_ms)
            self._arrived[0].append(self._seen)
            self._arrived[1].append(self.arrived_ms)
        return new

    def arrived_by(self, unix_ms: int) -> int | None:
        """The number of the newest frame that had arrived at an instant; None when none had."""
        index = bisect_right(self._arrived[1], unix_ms) - 1
        return self._arrived[0][index] if index >= 0 else None

    def next_arrival(self, unix_ms: int) -> int | None:
        """When the first batch after an instant arrived, Unix ms; None when none has yet."""
        index = bisect_right(self._arrived[1], unix_ms)
        return self._arrived[1][index] if index < len(self._arrived[1]) else None

    def spill_oldest(self) -> bool:
        """Move the oldest stretch that is in memory to disk; False when only the newest one is."""
        if self._spilled >= len(self._stretches) - 1:
            return False
        self.size -= self._stretches[self._spilled].spill(self.spool)
        self._spilled += 1
        return True

    def drop_oldest(self) -> bool:
        """Forget the oldest keyframe and its deltas; False when only one is left."""
        if len(self._stretches) < 2:
            return False
        self.size -= self._stretches.pop(0).size
        self._spilled = max(0, self._spilled - 1)
        return True

    def range(self) -> tuple[int, int] | None:
        """Session time of the first and the last frame; None while there is none."""
        if not self._stretches:
            return None
        return self._stretches[0].start * FRAME_MS, self._stretches[-1].last * FRAME_MS

    def stretch_of(self, number: int) -> Stretch | None:
        """The stretch with the latest keyframe at or before a frame number."""
        index = bisect_right(self._stretches, number, key=lambda stretch: stretch.start) - 1
        return self._stretches[index] if index >= 0 else None

    def head_of(self, number: int) -> bytes | None:
        """The head that holds at a frame number; the first one for frames before it."""
        index = bisect_right(self._heads, number, key=lambda head: head[0]) - 1
        return self._heads[max(index, 0)][1] if self._heads else None

    def keyframe_at(self, t: int) -> bytes | None:
        """The latest keyframe at or before ``t``, encoded."""
        stretch = self.stretch_of(t // FRAME_MS)
        return stretch.frame(stretch.start) if stretch else None

    def frame_at(self, t: int) -> bytes | None:
        """The latest frame at or before ``t``, encoded."""
        number = t // FRAME_MS
        stretch = self.stretch_of(number)
        return stretch.frame(min(number, stretch.last)) if stretch else None

    def state_at(self, t: int) -> dict[str, Any] | None:
        """The whole picture at ``t`` as a keyframe of its own; None when ``t`` lies before the tape."""
        return self._merge(t // FRAME_MS)

    def pictures(self, times: Iterable[int]) -> Iterator[dict[str, Any]]:
        """The whole picture at each of the times, which rise; a keyframe is decoded once for all that build on it."""
        keyframe: tuple[Stretch, dict[str, Any]] | None = None
        for t in times:
            stretch = self.stretch_of(t // FRAME_MS)
            if stretch is None:
                continue
            if keyframe is None or keyframe[0] is not stretch:
                keyframe = stretch, orjson.loads(stretch.frame(stretch.start))
            number = min(t // FRAME_MS, stretch.last)
            if number == stretch.start:
                yield keyframe[1]
            else:
                yield merged(keyframe[1], orjson.loads(stretch.frame(number)))

    def lap_at(self, lap: int) -> int | None:
        """Session time of the first frame in which the leader is on ``lap``; None when there is none yet.

        Before an aborted start the leader was on lap 1 too, for a while: that lap begins with the start that counts.
        """
        newest = None if self.latest is None else self._merge(self.latest)
        if lap == 1 and newest and "started_ms" in newest["race"]:
            return self._start(newest["race"])
        first = bisect_left(self._stretches, lap, key=lambda stretch: self._lap_of(stretch.last))
        if first == len(self._stretches):
            return None
        stretch = self._stretches[first]
        numbers = range(stretch.start, stretch.last + 1)
        return numbers[bisect_left(numbers, lap, key=self._lap_of)] * FRAME_MS

    def _start(self, race: dict[str, Any]) -> int | None:
        """Session time of the first frame since the start; None before it, and where laps are not counted."""
        if race["started_ms"] is None or not race.get("lap"):
            return None
        return max(-(-int(race["started_ms"]) // FRAME_MS), self._stretches[0].start) * FRAME_MS

    def _lap_of(self, number: int) -> int:
        picture = self._merge(number)
        assert picture is not None  # noqa: S101
        return int(picture["race"].get("lap") or 0)

    def _merge(self, number: int) -> dict[str, Any] | None:
        stretch = self.stretch_of(number)
        if stretch is None:
            return None
        number = min(number, stretch.last)
        picture: dict[str, Any] = orjson.loads(stretch.frame(stretch.start))
        if number == stretch.start:
            return picture
        delta = orjson.loads(stretch.frame(number))
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
