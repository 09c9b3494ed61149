"""Limits of a race's state: the newest values are kept, so that frames and checkpoints stay small.

Within them a frame has less than 500 kB and a checkpoint less than 900 kB, whatever a source publishes. Recorded
sessions reach none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel

T = TypeVar("T")
R = TypeVar("R", bound=BaseModel)

STINTS = 660
"""Sets of tyres of all cars together; pit visits likewise."""
FEWEST_STINTS = 5
"""Sets of tyres kept of each car, however many cars there are."""
LAPS = 2_400
"""Lap times of all cars together; lap ends likewise."""
FEWEST_LAPS = 24
"""Lap times kept of each car, however many cars there are."""
CONDITIONS = 500
"""Changes of the track status."""
AWAITED = 20
"""Official times of one car that wait for a sample, and its observations of one lap."""
COMPARED = 500
"""Measurements that are in no metric yet."""
MESSAGES_BYTES = 16_000
"""Bytes of JSON: the messages of race control in a frame."""
NOTICES_BYTES = 6_000
"""Bytes of JSON: the notices in a frame."""
CASES_BYTES = 40_000
"""Bytes of JSON: incidents and penalties, counted once for each car concerned."""


def stints_of_car(cars: int) -> int:
    """How many sets and pit visits are kept of each car."""
    return max(STINTS // max(cars, 1), FEWEST_STINTS)


def laps_of_car(cars: int) -> int:
    """How many laps are kept of each car."""
    return max(LAPS // max(cars, 1), FEWEST_LAPS)


def newest(items: Sequence[R], most: int, most_bytes: int) -> list[R]:
    """The last ``most`` items, or fewer: as many as fit into ``most_bytes`` of JSON."""
    kept: list[R] = []
    for item in reversed(items[-most:]):
        most_bytes -= len(item.model_dump_json().encode())
        if most_bytes < 0:
            break
        kept.append(item)
    return kept[::-1]


def trim(laps: dict[str, int], most: int) -> None:
    """Drop the oldest laps beyond ``most``."""
    if len(laps) > most:
        for lap in sorted(laps, key=int)[: len(laps) - most]:
            del laps[lap]


def trim_slowest(laps: dict[str, int], most: int) -> None:
    """Drop the slowest lap times beyond ``most``: the best ones decide order and marks."""
    if len(laps) > most:
        for lap in sorted(laps, key=laps.__getitem__)[most:]:
            del laps[lap]
