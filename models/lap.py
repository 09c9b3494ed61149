"""Topic ``laps``: one completed lap of one car, with all of FastF1's lap fields."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from models.base import Record
from models.bounds import (
    CarNumber,
    Code,
    Compound,
    Instant,
    LapNumber,
    Name,
    Position,
    SessionMs,
    Small,
    SpanMs,
    Text,
    TyreLife,
    WholeKmh,
)


class Lap(Record):
    """A completed lap. A revision is the same lap again: the last one wins."""

    model_config = ConfigDict(populate_by_name=True)

    driver: Annotated[Code, Field(validation_alias="Driver")]
    """Three-letter abbreviation."""
    driver_number: Annotated[CarNumber, Field(validation_alias="DriverNumber")]
    team: Annotated[Name, Field(validation_alias="Team")]
    lap_number: Annotated[LapNumber, Field(validation_alias="LapNumber", ge=1)]
    end_ms: Annotated[SessionMs, Field(validation_alias="Time")]
    """Session time at which the lap ended (FastF1's ``Time``)."""
    lap_time_ms: Annotated[SpanMs | None, Field(validation_alias="LapTime")]
    pit_out_ms: Annotated[SessionMs | None, Field(validation_alias="PitOutTime")]
    pit_in_ms: Annotated[SessionMs | None, Field(validation_alias="PitInTime")]
    sector1_ms: Annotated[SpanMs | None, Field(validation_alias="Sector1Time")]
    sector2_ms: Annotated[SpanMs | None, Field(validation_alias="Sector2Time")]
    sector3_ms: Annotated[SpanMs | None, Field(validation_alias="Sector3Time")]
    sector1_end_ms: Annotated[SessionMs | None, Field(validation_alias="Sector1SessionTime")]
    """Session time at which the first sector ended; likewise below."""
    sector2_end_ms: Annotated[SessionMs | None, Field(validation_alias="Sector2SessionTime")]
    sector3_end_ms: Annotated[SessionMs | None, Field(validation_alias="Sector3SessionTime")]
    start_ms: Annotated[SessionMs | None, Field(validation_alias="LapStartTime")]
    start_utc: Annotated[Instant | None, Field(validation_alias="LapStartDate")]
    stint: Annotated[Small | None, Field(validation_alias="Stint")]
    tyre_life: Annotated[TyreLife | None, Field(validation_alias="TyreLife")]
    """Laps driven on this set, this one included."""
    position: Annotated[Position | None, Field(validation_alias="Position")]
    speed_i1: Annotated[WholeKmh | None, Field(validation_alias="SpeedI1")]
    speed_i2: Annotated[WholeKmh | None, Field(validation_alias="SpeedI2")]
    speed_fl: Annotated[WholeKmh | None, Field(validation_alias="SpeedFL")]
    """Speed at the finish line."""
    speed_st: Annotated[WholeKmh | None, Field(validation_alias="SpeedST")]
    """Speed at the speed trap on the longest straight."""
    compound: Annotated[Compound | None, Field(validation_alias="Compound")]
    track_status: Annotated[Name | None, Field(validation_alias="TrackStatus")]
    """Every track status code seen during the lap, in order: ``"124"``."""
    is_personal_best: Annotated[bool | None, Field(validation_alias="IsPersonalBest")]
    fresh_tyre: Annotated[bool | None, Field(validation_alias="FreshTyre")]
    deleted: Annotated[bool | None, Field(validation_alias="Deleted")]
    """The stewards deleted the lap time; a later revision can reinstate it."""
    deleted_reason: Annotated[Text | None, Field(validation_alias="DeletedReason")]
    generated: Annotated[bool, Field(validation_alias="FastF1Generated")]
    """FastF1 added this lap for a car that retired on it: its end is not an official time."""
    is_accurate: Annotated[bool | None, Field(validation_alias="IsAccurate")]
