"""A car somewhere on the oval, without a race around it."""

from __future__ import annotations

from f1stream.race.car import LINES, Car
from f1stream.race.progress import Progress
from tests.support.oval import LAP_M

LINE_M = LAP_M / LINES
"""Metres between two timing lines."""


def car_at(metres: float, speed: float = 72.0, t: int = 0) -> Car:
    """A car before the start, ``metres`` from the finish line."""
    car = Car("4", 0, progress=Progress(metres, t, speed), seen_ms=t)
    car.measured_line = int(metres // LINE_M)
    return car
