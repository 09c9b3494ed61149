"""Which lap each sample belongs to, and how far along the lap the car was."""

from __future__ import annotations

import numpy as np

from f1stream.sources.session import Columns
from models import Lap

MS_PER_HOUR = 3_600.0
"""Speed (km/h) times time (ms) divided by this is metres."""


def annotate_laps(columns: Columns, laps: list[Lap]) -> None:
    """Add lap, distance (m, speed integrated since the lap's start) and relative distance to one car's samples.

    Samples outside of any lap have lap 0. Source of the integration rule: FastF1.
    """
    at, speed = columns["session_time_ms"], columns["speed"]
    numbers = np.zeros(len(at), dtype=np.int64)
    distance, relative = np.zeros(len(at)), np.full(len(at), None, dtype=object)
    for lap in laps:
        if lap.start_ms is None:
            continue
        first, last = np.searchsorted(at, [lap.start_ms, lap.end_ms]).tolist()
        if last <= first:
            continue
        steps = np.diff(at[first:last], prepend=lap.start_ms)
        driven = np.cumsum(speed[first:last] * steps) / MS_PER_HOUR
        numbers[first:last] = lap.lap_number
        distance[first:last] = driven.round(2)
        if driven[-1] > 0:
            relative[first:last] = (driven / driven[-1]).round(6)
    columns["lap"], columns["distance"], columns["relative_distance"] = numbers, distance, relative
