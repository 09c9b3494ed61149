"""Topic ``telemetry``: a packet has consecutive samples of one car, column by column."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from models.base import Record
from models.bounds import LONGEST_MS, MOST_SAMPLES, CarNumber, Code, Dm, Int64, Kmh, Laps, Measure, SessionMs, TimeMs

SAMPLES = Field(max_length=MOST_SAMPLES)
"""A column: one value for each sample."""
OPEN_DRS = frozenset({10, 12, 14})
"""Source: FastF1's ``car_data``; in Mexico 2025 cars at over 300 km/h had 8 or one of these, never 0 or 1."""


class Packet(Record):
    """0..n samples of one car in time order; the car has no other sample up to ``until_ms``.

    A car without samples has empty packets, so that silence is explicit. The columns are those of FastF1's merged
    telemetry (car data and positions on one clock, values in between interpolated); a column that a source does not
    have is null. A sample's UTC time is the header ``t0_utc_ms`` plus its session time.
    """

    driver_number: CarNumber
    until_ms: SessionMs
    session_time_ms: Annotated[list[TimeMs], SAMPLES]
    x: Annotated[list[Dm], SAMPLES]
    y: Annotated[list[Dm], SAMPLES]
    z: Annotated[list[Dm], SAMPLES]
    speed: Annotated[list[Kmh], SAMPLES]
    rpm: Annotated[list[Measure], SAMPLES]
    throttle: Annotated[list[Measure], SAMPLES]
    """Per cent; 104 is the feed's code for "no data"."""
    brake: Annotated[list[bool], SAMPLES]
    gear: Annotated[list[Int64], SAMPLES]
    """As recorded: corrupt car data has gears up to 128."""
    drs: Annotated[list[Int64 | None] | None, SAMPLES] = None
    """The feed's codes: ``OPEN_DRS`` open; 8 may be opened; 0 and 1 closed. Cars have none from 2026 on."""
    status: Annotated[list[Code] | None, SAMPLES] = None
    """``OnTrack`` or ``OffTrack``."""
    lap: Annotated[list[Laps] | None, SAMPLES] = None
    distance: Annotated[list[Measure] | None, SAMPLES] = None
    """Metres since the start of the lap; slightly negative where interpolated."""
    relative_distance: Annotated[list[Measure | None] | None, SAMPLES] = None
    driver_ahead: Annotated[list[CarNumber | None] | None, SAMPLES] = None
    distance_to_driver_ahead: Annotated[list[Measure | None] | None, SAMPLES] = None

    @model_validator(mode="after")
    def _columns_agree(self) -> Packet:
        times = self.session_time_ms
        n = len(times)
        for name in COLUMNS:
            column = getattr(self, name)
            if column is not None and len(column) != n:
                raise ValueError(f"column {name} has {len(column)} values, session_time_ms has {n}")
        if n:
            if times[-1] > self.until_ms:
                raise ValueError(f"a sample at {times[-1]} ms lies after until_ms {self.until_ms}")
            if times != sorted(times):
                raise ValueError("samples are not in time order")
            if times[0] < -LONGEST_MS:
                raise ValueError(f"a sample at {times[0]} ms lies before {-LONGEST_MS}")
        return self


COLUMNS = tuple(name for name in Packet.model_fields if name not in {"driver_number", "until_ms"})
"""Names of a packet's columns, ``session_time_ms`` first."""
