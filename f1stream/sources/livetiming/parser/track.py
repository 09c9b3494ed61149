"""The track's outline, from a lap that a car drove."""

from __future__ import annotations

import numpy as np

from f1stream.sources.session import Columns
from models import Lap

SHORTEST_DM, LONGEST_DM = 25_000.0, 80_000.0
"""Length of a circuit (1/10 m); a lap beyond these bounds gives no outline. Monaco has 3.3 km, Spa 7.0."""
STEP_DM = 100.0
"""Distance (1/10 m) between two points of an outline."""
FARTHEST_APART_DM = 1_500.0
"""Distance (1/10 m) between two samples; a lap with a greater one has a gap and gives no outline."""


def outline(columns: Columns, lap: Lap) -> list[tuple[float, float]] | None:
    """The line (X, Y in 1/10 m) of a lap, a point every 10 m; None if it was not driven at speed or has gaps."""
    at = columns["session_time_ms"]
    if not lap.is_accurate or lap.start_ms is None or len(at) == 0 or not np.any(columns["x"]):
        return None
    inside = (at > lap.start_ms) & (at < lap.end_ms)
    times = np.concatenate(([lap.start_ms], at[inside], [lap.end_ms]))
    x, y = np.interp(times, at, columns["x"]), np.interp(times, at, columns["y"])
    x, y = np.append(x, x[0]), np.append(y, y[0])
    steps = np.hypot(np.diff(x), np.diff(y))
    length = float(steps.sum())
    if not SHORTEST_DM < length < LONGEST_DM or steps.max() > FARTHEST_APART_DM:
        return None
    along = np.concatenate(([0.0], np.cumsum(steps)))
    where = np.arange(0.0, length, STEP_DM)
    return [
        (round(px, 1), round(py, 1))
        for px, py in zip(np.interp(where, along, x).tolist(), np.interp(where, along, y).tolist(), strict=True)
    ]
