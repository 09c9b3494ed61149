"""Topic ``updates`` (internal): from the per-driver agent to the per-session one."""

from __future__ import annotations

from pydantic import Field

from models.base import Record


class LapUpdate(Record):
    """What the race needs of a lap, and when it became known."""

    emitted_ms: int
    lap_number: int
    end_ms: int
    lap_time_ms: int | None
    compound: str | None
    tyre_life: int | None
    speed_st: int | None
    deleted: bool
    official: bool
    """False for a lap that was made up: its end is nobody's time."""


class CarUpdate(Record):
    """A run of one car's packets, ``first_seq`` to ``last_seq``, with its laps in between.

    Its identity is (epoch, car, seq), never the record's: after a failure the same packets can come back
    in other runs.
    """

    epoch: int
    driver_number: str
    first_seq: int
    last_seq: int
    until_ms: int
    messages: int
    """How many messages of the session were published before the last packet."""
    t: list[int]
    x: list[float]
    y: list[float]
    speed: list[float]
    drs: list[int | None] = Field(default=[])
    """1 open, 0 closed, null unknown; empty when no packet of the run has it."""
    laps: list[LapUpdate]


class DamagedRun(Record):
    """A run that the per-driver stage cannot continue."""

    epoch: int
    driver_number: str
    reason: str
    """A sentence's end."""


class Updates(Record):
    """All that one batch of the per-driver agent made of one session."""

    entries: list[CarUpdate]
    damaged: list[DamagedRun] = Field(default=[])
