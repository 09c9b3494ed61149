"""A keyframe with the deltas that build on it: the unit in which frames are stored, spilled and dropped."""

from __future__ import annotations

from array import array
from itertools import accumulate
from typing import Any

from web.gap_columns import GapColumns
from web.spill_file import SpillFile

OBJECT_BYTES = 41
"""Memory that CPython takes for a ``bytes`` object and its place in a list, beyond the object's length."""


class KeyframeGroup:
    """Encoded frames, numbered from ``start`` without a gap, in memory until ``spill`` moves them to disk."""

    __slots__ = (
        "_columns_offset", "_ends", "_frames", "_frames_offset", "_spill_file", "columns", "last", "size", "start",
    )  # fmt: skip

    def __init__(self, start: int, keyframe: dict[str, Any]) -> None:
        """``keyframe`` decoded; it is then added by ``append`` as every frame. Raises BadRecord."""
        self.start = start
        self.last = start - 1
        """The number of the last frame."""
        self.columns = GapColumns(keyframe)
        self.size = 0
        """Bytes of memory of the frames and columns."""
        self._frames: list[bytes] = []
        self._spill_file: SpillFile | None = None
        self._frames_offset = self._columns_offset = 0
        self._ends = array("I")
        """On disk: where each frame ends, relative to ``_frames_offset``."""

    def __len__(self) -> int:
        return self.last - self.start + 1

    def append(self, frame: bytes, decoded: dict[str, Any]) -> int:
        """Add the next frame; returns its bytes of memory. Raises BadRecord when its cars are not the keyframe's."""
        assert self._spill_file is None  # noqa: S101 - only complete groups are spilled
        self.columns.append(decoded)
        self._frames.append(frame)
        self.last += 1
        added = len(frame) + OBJECT_BYTES + self.columns.row_bytes
        self.size += added
        return added

    def rows(self) -> Any:
        """The rows of ``columns``, one per frame, from memory or disk."""
        if self._spill_file is None:
            return self.columns.rows()
        return self.columns.rows(self._spill_file.get(self._columns_offset, len(self) * self.columns.row_bytes))

    def frame(self, number: int) -> bytes:
        """The encoded frame with a number from ``start`` to ``last``."""
        i = number - self.start
        if self._spill_file is None:
            return self._frames[i]
        begin = self._ends[i - 1] if i else 0
        return self._spill_file.get(self._frames_offset + begin, self._ends[i] - begin)

    def spill(self, spill_file: SpillFile) -> int:
        """Move frames and columns to disk; returns the bytes of memory that this frees. Raises OSError."""
        self._frames_offset = spill_file.put(b"".join(self._frames))
        self._columns_offset = spill_file.put(self.columns.rows().tobytes())
        self.columns.release()
        self._ends = array("I", accumulate(len(frame) for frame in self._frames))
        self._spill_file, self._frames = spill_file, []
        freed, self.size = self.size, 0
        return freed
