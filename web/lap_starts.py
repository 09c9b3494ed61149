"""At which frame the leader began each lap, noted as frames come: nothing is decoded when a viewer asks."""

from __future__ import annotations

from bisect import bisect_left


class LapStarts:
    """First frames by lap, both rising. Laps are counted from 1; 0 is before the start."""

    def __init__(self) -> None:
        self._laps: list[int] = []
        self._numbers: list[int] = []

    def note(self, number: int, lap: int) -> None:
        """From frame ``number`` on the leader is on ``lap``.

        A lap lower than before (the start was aborted) takes back those above it.
        """
        keep = bisect_left(self._laps, lap + 1)
        del self._laps[keep:], self._numbers[keep:]
        if lap > (self._laps[-1] if self._laps else 0):
            self._laps.append(lap)
            self._numbers.append(number)

    def first(self, lap: int) -> int | None:
        """The number of the first frame on ``lap`` or a later one; None while there is none."""
        index = bisect_left(self._laps, lap)
        return self._numbers[index] if index < len(self._laps) else None
