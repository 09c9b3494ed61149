"""Topic ``updates`` (internal): from the per-driver stage to the per-session stage."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from models.base import Record
from models.bounds import (
    LONGEST_MS,
    MOST_LAPS,
    MOST_UPDATE_SAMPLES,
    CarNumber,
    Compound,
    CutText,
    Dm,
    EmittedMs,
    Epoch,
    Kmh,
    LapNumber,
    Open,
    Seq,
    SessionMs,
    SpanMs,
    TimeMs,
    TyreLife,
    WholeKmh,
)

SAMPLES = Field(max_length=MOST_UPDATE_SAMPLES)
"""A column: one value for each sample."""
MOST_UPDATES = 1_000
"""Entries of one record: at most one for each event of a batch."""


class LapUpdate(Record):
    """The fields of a lap that the race needs, and when it became known."""

    emitted_ms: EmittedMs
    lap_number: LapNumber
    end_ms: SessionMs
    lap_time_ms: SpanMs | None
    compound: Compound | None
    tyre_life: TyreLife | None
    speed_st: WholeKmh | None
    deleted: bool
    official: bool
    """False for an estimated lap that the feed did not send: ``end_ms`` is then an estimate."""
    in_or_out_lap: bool = False
    """The lap began or ended in the pit lane."""


class CarUpdate(Record):
    """One car's packets ``first_seq`` to ``last_seq``, with the laps that they name.

    Packets are identified by (epoch, car, seq), not by the record: after a failure they can be grouped differently.
    """

    epoch: Epoch
    driver_number: CarNumber
    first_seq: Seq
    last_seq: Seq
    until_ms: EmittedMs
    messages: Seq
    """Number of messages of the session published before the last packet."""
    t: Annotated[list[TimeMs], SAMPLES]
    x: Annotated[list[Dm], SAMPLES]
    y: Annotated[list[Dm], SAMPLES]
    speed: Annotated[list[Kmh], SAMPLES]
    drs: list[Open | None] = Field(default=[], max_length=MOST_UPDATE_SAMPLES)
    """1 open, 0 closed, null unknown; empty if no packet has it."""
    laps: Annotated[list[LapUpdate], Field(max_length=MOST_LAPS)]

    @model_validator(mode="after")
    def _columns_agree(self) -> CarUpdate:
        n = len(self.t)
        if not len(self.x) == len(self.y) == len(self.speed) == n or len(self.drs) not in (0, n):
            raise ValueError(f"the columns of car {self.driver_number} do not have {n} values each, as t has")
        if self.t != sorted(self.t):
            raise ValueError(f"the samples of car {self.driver_number} are not in time order")
        if n and not -LONGEST_MS <= self.t[0] <= self.t[-1] <= LONGEST_MS:
            raise ValueError(f"the samples of car {self.driver_number} lie beyond {LONGEST_MS} ms")
        if self.first_seq > self.last_seq:
            raise ValueError(f"first_seq {self.first_seq} is after last_seq {self.last_seq}")
        return self


class DamagedRun(Record):
    """A run that the per-driver stage cannot continue."""

    epoch: Epoch
    driver_number: CarNumber
    reason: CutText
    """The end of the sentence ``This run is damaged: …``."""
    refused: bool = False
    """The run's first record is missing: only a session that already follows the run is damaged."""


class Updates(Record):
    """The updates of one session from one batch of the per-driver stage."""

    entries: Annotated[list[CarUpdate], Field(max_length=MOST_UPDATES)]
    damaged: list[DamagedRun] = Field(default=[], max_length=MOST_UPDATES)
