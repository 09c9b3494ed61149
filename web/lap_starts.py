"""The frame at which the leader began each lap, recorded as frames arrive: going to a lap decodes nothing."""

from __future__ import annotations

from bisect import bisect_left


class LapStarts:
    """First frames by lap, both increasing. Laps count from 1; lap 0 is before the start."""

    def __init__(self) -> None:
        self._laps: list[int] = []
        self._numbers: list[int] = []

    def note(self, number: int, lap: int) -> None:
        """Record that the leader is on ``lap`` at frame ``number``.

        A lower lap than before (an aborted start) removes the laps above it.
        """
        keep = bisect_left(self._laps, lap + 1)
        del self._laps[keep:], self._numbers[keep:]
        if lap > (self._laps[-1] if self._laps else 0):
            self._laps.append(lap)
            self._numbers.append(number)

    def first(self, lap: int) -> int | None:
        """The number of the first frame on ``lap`` or a later lap; None while there is none."""
        index = bisect_left(self._laps, lap)
        return self._numbers[index] if index < len(self._laps) else None
