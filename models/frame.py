"""Topic ``frames``: the race as the page shows it, five times a second of session time.

A keyframe stands alone; a delta holds the fast columns and what has changed since the last keyframe, so that
a keyframe and any one delta after it make the whole picture. An absent field is unchanged; a null is unknown.
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
"""A frame's number is its session time divided by this."""
KEYFRAME_MS = 10_000
MOST_STINTS = 100
"""Of one car; the race keeps fewer."""
MOST_PENALTIES = 200
"""Of one car; the race keeps fewer."""
MOST_NOTICES = 20
MOST_MESSAGES = 20
"""Of race control."""
CARS = Field(max_length=MOST_CARS)
"""Of a column."""

CarStatus = Literal["grid", "running", "pit", "retired", "finished", "eliminated"]
Mark = Literal["personal", "overall"]
PenaltyKind = Literal["incident", "time", "drive_through", "stop_go"]
PitCondition = Literal["green", "vsc", "sc"]
PenaltyState = Literal["noted", "investigated", "after_race", "given", "served"]


class Sector(Record):
    """The latest time of one sector and whether it was a best."""

    ms: SpanMs | None
    mark: Mark | None


class Stop(Record):
    """A pit stop: the lap on which the car came in, its time in the pit lane and standing still."""

    lap: LapNumber
    pit_lane_ms: SpanMs | None
    stationary_ms: SpanMs | None


class Stint(Record):
    """A stretch on one set of tyres, as far as it has been driven."""

    compound: Compound
    first_lap: Laps
    laps: Laps
    """Completed on it in this session."""
    tyre_life_before: Laps | None
    """Laps on the set when the stint began."""
    fresh: bool | None
    """It had not been used before; None where nobody told."""


class Penalty(Record):
    """What the stewards look at, or what they gave. An incident without consequences is not told any more."""

    kind: PenaltyKind
    state: PenaltyState
    """``given``: not served yet, as far as they told."""
    seconds: Small | None
    """Of a time penalty, or to stand still."""
    reason: Reason
    """In the stewards' words, empty where they gave none."""
    lap: LapNumber | None
    """On which it was first told: the incident, or the penalty."""


class CarState(Record):
    """What changes now and then about a car."""

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
    """``SOFT``, ``MEDIUM``, ``HARD``, ``INTERMEDIATE``, ``WET``; of 2018 and before also ``SUPERSOFT`` and others."""
    tyre_age: Laps | None = None
    """Laps completed on the set."""
    stints: tuple[Stint, ...] = Field(default=(), max_length=MOST_STINTS)
    """All of them, the present one last."""
    stops: Small = 0
    """Pit stops that changed tyres, suspensions not counted."""
    pit_stops: tuple[Stop, ...] = Field(default=(), max_length=MOST_STINTS)
    speed_trap: WholeKmh | None = None
    """The car's highest speed at the trap."""
    mini_sectors: Annotated[str, Field(max_length=300)] = ""
    """How the mini-sectors were that the car has behind it on its lap, a character each: ``p`` the best of all so
    far, ``g`` its own best, ``y`` slower, ``-`` not known. After a lap's end they stay until the next one's first."""
    official_gap_ms: SpanMs | None = None
    """Behind the leader as the feed's own timing has it, where it has; likewise below."""
    official_gap_laps: Laps | None = None
    official_interval_ms: SpanMs | None = None
    official_interval_laps: Laps | None = None
    penalties: tuple[Penalty, ...] = Field(default=(), max_length=MOST_PENALTIES)
    """Oldest first."""
    position_with_penalties: Position | None = None
    """In the order if unserved time penalties were added now; None while no car of the race has any."""


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
    """What a pit stop costs against staying out: the median of the race's stops so far under one condition."""

    condition: PitCondition
    """Track status when the car came in: neither of the others, virtual safety car, safety car."""
    loss_ms: SpanMs
    stops: Small
    """How many it is the median of."""


class Tally(Record):
    """What a run consisted of, as the race has seen it: to be held against what was published."""

    samples: Count = 0
    laps: Count = 0
    messages: Count = 0


class RaceState(Record):
    """What changes now and then about the session."""

    status: Code = "Inactive"
    suspended: bool = False
    started_ms: SessionMs | None = None
    """Session time of the start, None before it; an aborted start is none. See ``models.session_start``."""
    track_status: Code = "1"
    track_message: Name = "AllClear"
    lap: Laps = 0
    """The lap the leader is on; 0 before the start."""
    total_laps: LapNumber | None = None
    part: Small | None = None
    """Of a practice or qualifying, counted from 1; None in a race. The order is by best lap, and so are the gaps."""
    goes_on: Small | None = None
    """How many cars of this part go on to the next."""
    clock_ms: SpanMs | None = None
    """What was left of the session at ``clock_at_ms``, as the feed counts it."""
    clock_at_ms: SessionMs | None = None
    clock_runs: bool = False
    overtaking_aid: Literal["DRS", "OVERTAKE"] | None = None
    """What race control enables and disables for all: DRS, from 2026 the overtake mode."""
    overtaking_enabled: bool | None = None
    notices: tuple[Sentence, ...] = Field(default=(), max_length=MOST_NOTICES)
    """What is amiss with the source, as sentences."""
    fastest_lap: FastestLap | None = None
    pit_loss: tuple[PitLoss, ...] = Field(default=(), max_length=3)
    """Where stops of this race tell."""
    air_temp: Measure | None = None
    track_temp: Measure | None = None
    rainfall: bool | None = None
    race_control: tuple[RaceControl, ...] = Field(default=(), max_length=MOST_MESSAGES)
    """The latest messages, oldest first."""
    yellow_sectors: tuple[YellowSector, ...] = Field(default=(), max_length=MOST_MARKS)
    """By number; none under a red flag, which holds everywhere."""
    sector_lines: tuple[Metres | None, Metres | None] = (None, None)
    """Metres along the reference line at which sectors 1 and 2 end, as learned so far."""
    pit_lane: tuple[tuple[WholeDm, WholeDm], ...] = Field(default=(), max_length=MOST_MARKS)
    """X, Y (1/10 m) from the entry line to the exit line, as a car drove it; empty until one has."""
    mini_sectors: tuple[MiniSectorCount, MiniSectorCount, MiniSectorCount] | None = None
    """How many each sector has; None until there are any."""
    mini_source: Literal["feed", "lines"] | None = None
    """Whose mini-sectors they are: the feed's own, or stretches between our timing lines."""
    ended: bool = False
    """This is the last frame of the run."""
    tally: Tally | None = None
    """Told with the last frame."""


class Frame(Record):
    """The race at session time ``t``: exactly what was known by then. Columns are in the head's car order."""

    kind: Literal["key", "delta"]
    t: EmittedMs
    key_t: EmittedMs
    """The keyframe that a delta builds on; ``t`` itself for a keyframe."""
    x: list[WholeDm | None] = CARS
    y: list[WholeDm | None] = CARS
    speed: list[WholeKmh | None] = CARS
    age: list[SpanMs | None] = CARS
    """Milliseconds since the car's latest sample."""
    gap: list[SpanMs | None] = CARS
    """Milliseconds behind the leader at the last timing line crossed."""
    interval: list[SpanMs | None] = CARS
    """Milliseconds behind the car ahead at the last timing line crossed."""
    cars: dict[CarNumber, CarState] = CARS
    race: RaceState
    # No default_factory: of one, model_construct reads the signature each time, which takes longer than all else.
    along: list[Small | None] = Field(default=[], max_length=MOST_CARS)
    """Only where there is no reference line: how much of a lap's time a car has behind it, in 1/10,000, as estimated
    from the mini-sectors that it passed; null for one in the pits or out."""
    drs: list[Open | None] = Field(default=[], max_length=MOST_CARS)
    """1 open, 0 closed, null unknown; left out until a car tells."""


class DamageNotice(Record):
    """A run that the race worker cannot continue: no frame follows. Viewers see the reason as a notice."""

    kind: Literal["damaged"] = "damaged"
    session_key: Key
    epoch: Epoch
    reason: CutText
    """A sentence's end."""


class SessionHeader(Record):
    """What stands before a run's frames: the session, its cars in column order, its track."""

    kind: Literal["head"] = "head"
    session_key: Key
    epoch: Epoch
    t: EmittedMs
    """It holds from the frame at this session time on."""
    info: SessionInfo
    cars: list[Entry] = CARS
    outline: list[tuple[WholeDm, WholeDm]] | None = Field(max_length=MOST_POINTS)
    """The track's reference line from the finish line on, 1/10 m; null until it is known."""
    corners: tuple[tuple[Code, Dm, Dm], ...] = Field(default=(), max_length=MOST_MARKS)
    rotation: Degrees | None = None
    """Degrees by which the official map is turned, counterclockwise."""
    marshal_sectors: tuple[tuple[Small, Dm, Dm], ...] = Field(default=(), max_length=MOST_MARKS)
    """Number, and X, Y where it begins."""
