"""Topic ``frames``: the race as the page shows it, five times a second of session time.

A keyframe is complete. A delta has the fast columns and what has changed since the last keyframe, so that a keyframe
and any one of its deltas make the complete picture. An absent field is unchanged; null is unknown.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from models.base import Record
from models.bounds import (
    MOST_CARS,
    MOST_MARKS,
    MOST_POINTS,
    CarNumber,
    Code,
    Compound,
    Count,
    CutText,
    Degrees,
    Dm,
    EmittedMs,
    Epoch,
    Key,
    LapNumber,
    Laps,
    Measure,
    Metres,
    Name,
    Open,
    Position,
    Reason,
    Sentence,
    SessionMs,
    Small,
    SpanMs,
    WholeDm,
    WholeKmh,
)
from models.message import Entry, MiniSectorCount, RaceControl, SessionInfo

FRAME_MS = 200
"""ms between two frames. A frame's number is its session time divided by this."""
KEYFRAME_MS = 10_000
"""ms between two keyframes."""
MOST_STINTS = 100
"""Stints of one car in a frame; the race keeps fewer (``f1stream.race.limits``)."""
MOST_PENALTIES = 200
"""Penalties and incidents of one car in a frame; the race keeps fewer."""
MOST_NOTICES = 20
"""Notices in a frame."""
MOST_MESSAGES = 20
"""Messages of race control in a frame."""
CARS = Field(max_length=MOST_CARS)
"""A column: one value for each car."""

CarStatus = Literal["grid", "running", "pit", "retired", "finished", "eliminated"]
Mark = Literal["personal", "overall"]
PenaltyKind = Literal["incident", "time", "drive_through", "stop_go"]
PitCondition = Literal["green", "vsc", "sc"]
PenaltyState = Literal["noted", "investigated", "after_race", "given", "served"]


class Sector(Record):
    """The latest time of one sector, and whether it was a best one."""

    ms: SpanMs | None
    mark: Mark | None


class Stop(Record):
    """A pit stop: the lap on which the car came in, its time in the pit lane and standing still."""

    lap: LapNumber
    pit_lane_ms: SpanMs | None
    stationary_ms: SpanMs | None


class Stint(Record):
    """The laps driven so far on one set of tyres."""

    compound: Compound
    first_lap: Laps
    laps: Laps
    """Laps completed on the set in this session."""
    tyre_life_before: Laps | None
    """Laps on the set when the stint began."""
    fresh: bool | None
    """Whether the set was new; None if unknown."""


class Penalty(Record):
    """An incident that the stewards investigate, or a penalty. Incidents that are closed without one are removed."""

    kind: PenaltyKind
    state: PenaltyState
    """``given``: race control has not reported it as served."""
    seconds: Small | None
    """Seconds of a time penalty, or of a stop-and-go."""
    reason: Reason
    """In the stewards' words; empty if they gave none."""
    lap: LapNumber | None
    """The lap on which the incident, or the penalty, was first published."""


class CarState(Record):
    """Values of a car that change seldom."""

    position: Position = 0
    status: CarStatus = "grid"
    lap: Laps = 0
    """Laps completed."""
    laps_down: Laps = 0
    """Whole laps behind the leader; the frame's ``gap`` is the rest, in ms."""
    interval_laps: Laps = 0
    """Whole laps behind the car ahead."""
    last_lap_ms: SpanMs | None = None
    last_lap_mark: Mark | None = None
    best_lap_ms: SpanMs | None = None
    sectors: tuple[Sector | None, Sector | None, Sector | None] = (None, None, None)
    compound: Compound | None = None
    """``SOFT``, ``MEDIUM``, ``HARD``, ``INTERMEDIATE``, ``WET``; up to 2018 also ``SUPERSOFT`` and others."""
    tyre_age: Laps | None = None
    """Laps completed on the set."""
    stints: tuple[Stint, ...] = Field(default=(), max_length=MOST_STINTS)
    """All stints, the present one last."""
    stops: Small = 0
    """Pit stops with a tyre change, those under a red flag not counted."""
    pit_stops: tuple[Stop, ...] = Field(default=(), max_length=MOST_STINTS)
    speed_trap: WholeKmh | None = None
    """The car's highest speed at the trap."""
    mini_sectors: Annotated[str, Field(max_length=300)] = ""
    """A character for each mini-sector of the lap that the car has ended: ``p`` the best of all so far, ``g`` its own
    best, ``y`` slower, ``-`` unknown. After a lap's end they stay until the first one of the next lap."""
    official_gap_ms: SpanMs | None = None
    """Gap to the leader in the feed's own timing, if it has one; likewise below."""
    official_gap_laps: Laps | None = None
    official_interval_ms: SpanMs | None = None
    official_interval_laps: Laps | None = None
    penalties: tuple[Penalty, ...] = Field(default=(), max_length=MOST_PENALTIES)
    """Oldest first."""
    position_with_penalties: Position | None = None
    """Position if unserved time penalties were added now; None while no car has any."""


class YellowSector(Record):
    """A marshals' sector under yellow flags."""

    sector: Small
    double: bool


class FastestLap(Record):
    """The fastest lap so far."""

    driver_number: CarNumber
    lap: LapNumber
    ms: SpanMs


class PitLoss(Record):
    """The time that a pit stop costs: the median of the race's stops so far under one condition."""

    condition: PitCondition
    """Track status at the pit entry: ``vsc`` virtual safety car, ``sc`` safety car, else ``green``."""
    loss_ms: SpanMs
    stops: Small
    """Number of stops that it is the median of."""


class Tally(Record):
    """Number of records of a run that the race has applied, to be compared with those published."""

    samples: Count = 0
    laps: Count = 0
    messages: Count = 0


class RaceState(Record):
    """Values of the session that change seldom."""

    status: Code = "Inactive"
    suspended: bool = False
    started_ms: SessionMs | None = None
    """Session time of the start; None before it, and after an aborted one. See ``models.session_start``."""
    track_status: Code = "1"
    track_message: Name = "AllClear"
    lap: Laps = 0
    """The lap the leader is on; 0 before the start."""
    total_laps: LapNumber | None = None
    part: Small | None = None
    """The part of a practice or qualifying, from 1; None in a race. In parts, order and gaps are by best lap."""
    goes_on: Small | None = None
    """Number of cars that advance from this part to the next."""
    clock_ms: SpanMs | None = None
    """Time left at ``clock_at_ms``, by the feed's clock."""
    clock_at_ms: SessionMs | None = None
    clock_runs: bool = False
    overtaking_aid: Literal["DRS", "OVERTAKE"] | None = None
    """The overtaking aid that race control enables and disables: DRS, from 2026 the overtake mode."""
    overtaking_enabled: bool | None = None
    notices: tuple[Sentence, ...] = Field(default=(), max_length=MOST_NOTICES)
    """Problems of the source, as sentences."""
    fastest_lap: FastestLap | None = None
    pit_loss: tuple[PitLoss, ...] = Field(default=(), max_length=3)
    """By condition, where the race had stops."""
    air_temp: Measure | None = None
    track_temp: Measure | None = None
    rainfall: bool | None = None
    race_control: tuple[RaceControl, ...] = Field(default=(), max_length=MOST_MESSAGES)
    """The latest messages, oldest first."""
    yellow_sectors: tuple[YellowSector, ...] = Field(default=(), max_length=MOST_MARKS)
    """Ordered by number; empty under a red flag, which holds everywhere."""
    sector_lines: tuple[Metres | None, Metres | None] = (None, None)
    """Metres along the reference line at which sectors 1 and 2 end, as learned so far."""
    pit_lane: tuple[tuple[WholeDm, WholeDm], ...] = Field(default=(), max_length=MOST_MARKS)
    """X, Y (1/10 m) from the entry line to the exit line, as the first car drove it; empty before."""
    mini_sectors: tuple[MiniSectorCount, MiniSectorCount, MiniSectorCount] | None = None
    """Number of mini-sectors of each sector; None until there are any."""
    mini_source: Literal["feed", "lines"] | None = None
    """``feed``: the feed's own mini-sectors; ``lines``: sections between our timing lines."""
    ended: bool = False
    """Whether this is the run's last frame."""
    tally: Tally | None = None
    """Only in the last frame."""


class Frame(Record):
    """The race at session time ``t``: exactly what was known by then. Columns are in the header's car order."""

    kind: Literal["key", "delta"]
    t: EmittedMs
    key_t: EmittedMs
    """Session time of the keyframe that a delta belongs to; ``t`` in a keyframe."""
    x: list[WholeDm | None] = CARS
    y: list[WholeDm | None] = CARS
    speed: list[WholeKmh | None] = CARS
    age: list[SpanMs | None] = CARS
    """Milliseconds since the car's latest sample."""
    gap: list[SpanMs | None] = CARS
    """Milliseconds behind the leader at the last timing line crossed, or since the leader crossed the next one, if
    that is more. On the same lap not less than that of the car ahead."""
    interval: list[SpanMs | None] = CARS
    """Milliseconds behind the car ahead: likewise."""
    cars: dict[CarNumber, CarState] = CARS
    race: RaceState
    along: list[Small | None] = Field(default=[], max_length=MOST_CARS)
    """Without a reference line only: the completed share of a car's lap in 1/10,000, estimated from the mini-sectors
    that it passed; null for a car in the pits or out."""
    drs: list[Open | None] = Field(default=[], max_length=MOST_CARS)
    """1 open, 0 closed, null unknown; absent until it is known of any car."""


class DamageNotice(Record):
    """A run that the race worker cannot continue: no frame follows, and viewers see the reason as a notice."""

    kind: Literal["damaged"] = "damaged"
    session_key: Key
    epoch: Epoch
    reason: CutText
    """The end of the sentence ``This run is damaged: …``."""


class SessionHeader(Record):
    """Precedes the frames of a run: the session, its cars in column order, its track."""

    kind: Literal["head"] = "head"
    session_key: Key
    epoch: Epoch
    t: EmittedMs
    """Valid from the frame at this session time on."""
    info: SessionInfo
    cars: list[Entry] = CARS
    outline: list[tuple[WholeDm, WholeDm]] | None = Field(max_length=MOST_POINTS)
    """The track's reference line from the finish line on, 1/10 m; null until known."""
    corners: tuple[tuple[Code, Dm, Dm], ...] = Field(default=(), max_length=MOST_MARKS)
    rotation: Degrees | None = None
    """Degrees by which the official map is turned, counterclockwise."""
    marshal_sectors: tuple[tuple[Small, Dm, Dm], ...] = Field(default=(), max_length=MOST_MARKS)
    """Number, and X, Y where it begins."""
