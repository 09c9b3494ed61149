"""How much of a session is kept: the newest, so that a frame and a checkpoint stay small whatever a source publishes.

Real sessions reach none of these limits. A frame then has less than 500 kB, a checkpoint less than 900 kB.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel

T = TypeVar("T")
R = TypeVar("R", bound=BaseModel)

STINTS = 660
"""Sets of tyres of all cars together; visits to the pit lane likewise."""
FEWEST_STINTS = 5
LAPS = 2_400
"""Lap times of all cars together, and ends of laps."""
FEWEST_LAPS = 24
CONDITIONS = 500
"""Changes of the track status."""
AWAITED = 20
"""Official times of one car that wait for a sample, and places it was seen at on a lap."""
COMPARED = 500
"""Measurements that no metric has taken yet."""
MESSAGES_BYTES = 16_000
"""JSON of the messages of race control that are shown."""
NOTICES_BYTES = 6_000
CASES_BYTES = 40_000
"""JSON of what the stewards have on their table, counted once for each car concerned."""


def stints_of_car(cars: int) -> int:
    """How many sets and visits are kept of each of so many cars."""
    return max(STINTS // max(cars, 1), FEWEST_STINTS)


def laps_of_car(cars: int) -> int:
    """How many laps are kept of each of so many cars."""
    return max(LAPS // max(cars, 1), FEWEST_LAPS)


def newest(items: Sequence[R], most: int, most_bytes: int) -> list[R]:
    """The last ``most`` of them, or fewer: as many as have ``most_bytes`` as JSON."""
    kept: list[R] = []
    for item in reversed(items[-most:]):
        most_bytes -= len(item.model_dump_json().encode())
        if most_bytes < 0:
            break
        kept.append(item)
    return kept[::-1]


def trim(laps: dict[str, int], most: int) -> None:
    """Drop the laps with the lowest numbers that are too many."""
    if len(laps) > most:
        for lap in sorted(laps, key=int)[: len(laps) - most]:
            del laps[lap]


def trim_slowest(laps: dict[str, int], most: int) -> None:
    """Drop the slowest of lap times that are too many: the best ones count for something."""
    if len(laps) > most:
        for lap in sorted(laps, key=laps.__getitem__)[most:]:
            del laps[lap]
