"""Gaps and positions of every frame as integers, so that an answer over two hours slices arrays and decodes nothing.

A frame is decoded once, when it arrives; one that could not be shown later is rejected then.
"""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import orjson

from f1stream.topics import BadRecord
from models.frame import FRAME_MS

GAPS = ("gap", "interval")
"""Columns of a frame, in the order of the head's cars; ms."""
PLACES = ("laps_down", "position")
"""Fields of a car's state."""
UNKNOWN = -(2**31)
"""Represents null."""


class GapColumns:
    """One row per frame of a keyframe group: ``GAPS`` by car of the head, then ``PLACES`` by car of the keyframe."""

    __slots__ = ("_first", "_places_at", "_values", "cars", "row_bytes", "width")

    def __init__(self, keyframe: dict[str, Any]) -> None:
        """``keyframe`` from ``read_frame``; ``append`` adds its row too. Raises BadRecord for one without cars."""
        if not keyframe["gap"] or not keyframe["cars"]:
            raise BadRecord(f"the keyframe at {keyframe['t']} ms has no cars")
        self.width = len(keyframe["gap"])
        self.cars = tuple(keyframe["cars"])
        self.row_bytes = 4 * (len(GAPS) * self.width + len(PLACES) * len(self.cars))
        self._values: array[int] | None = array("i")
        self._first = array("i", [UNKNOWN]) * (len(PLACES) * len(self.cars))
        self._places_at = {car: place for place, car in enumerate(self.cars)}

    def append(self, frame: dict[str, Any]) -> None:
        """Add the next frame's row. Raises BadRecord when its cars are not the keyframe's."""
        assert self._values is not None  # noqa: S101 - only complete groups are released
        gaps = frame["gap"] + frame["interval"]
        if len(gaps) != 2 * self.width or len(frame["gap"]) != self.width:
            raise BadRecord(f"the frame at {frame['t']} ms does not have the {self.width} cars of its keyframe")
        try:
            row = array("i", [UNKNOWN if value is None else value for value in gaps])
            row += self._places(frame["cars"])
        except KeyError as car:
            raise BadRecord(f"the frame at {frame['t']} ms has car {car}, which its keyframe does not have") from None
        except (TypeError, OverflowError, AttributeError) as error:
            raise BadRecord(f"the frame at {frame['t']} ms has an invalid gap or position: {error}") from None
        if not self._values:
            self._first = row[2 * self.width :]
        self._values += row

    def _places(self, cars: dict[str, Any]) -> array[int]:
        """The keyframe's values with a frame's changes applied."""
        places = self._first[:]
        for car, state in cars.items():
            at = self._places_at[car]
            for name in PLACES:
                if name in state:
                    value = state[name]
                    places[at] = UNKNOWN if value is None else value
                at += len(self.cars)
        return places

    def release(self) -> None:
        """Free the rows: they are on disk, and ``rows`` receives them from now on."""
        self._values = None

    def rows(self, spilled: bytes = b"") -> Any:
        """The rows as a matrix; ``spilled``: their bytes after ``release``."""
        values = np.frombuffer(spilled, "i4") if self._values is None else np.array(self._values, "i4")
        return values.reshape(-1, self.row_bytes // 4)

    def column(self, rows: Any, name: str, car: str, place: int) -> Any:
        """Column ``name`` of a car in ``rows``; ``place``: its index in the head. None if the rows lack it."""
        if name in GAPS:
            return rows[:, GAPS.index(name) * self.width + place] if place < self.width else None
        if car not in self.cars:
            return None
        before = len(GAPS) * self.width + PLACES.index(name) * len(self.cars)
        return rows[:, before + self.cars.index(car)]


def read_frame(number: int, value: bytes, key: int | None) -> dict[str, Any]:
    """A decoded frame; ``key`` is its keyframe's number, None for a keyframe.

    Raises BadRecord unless it has the fields that this package relies on.
    """
    try:
        frame = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise BadRecord(f"frame {number} is not JSON: {error}") from None
    try:
        own, base = number * FRAME_MS, (number if key is None else key) * FRAME_MS
        if (frame["kind"], frame["t"], frame["key_t"]) != ("key" if key is None else "delta", own, base):
            raise BadRecord(f"frame {number} is not the {'key' if key is None else 'delta'} of {own} ms on {base} ms")
        race, started_ms = frame["race"], frame["race"].get("started_ms")
        states = frame["cars"].values()
        fits = isinstance(race.get("lap") or 0, int) and isinstance(started_ms or 0, int)
        fits = fits and isinstance(frame["gap"], list) and isinstance(frame["interval"], list)
        if not fits or not set(map(type, states)) <= {dict}:
            raise BadRecord(f"frame {number} has invalid cars, gaps or lap")
    except (KeyError, TypeError, AttributeError) as error:
        raise BadRecord(f"frame {number} is not a frame: {type(error).__name__} {error}") from None
    result: dict[str, Any] = frame
    return result
