"""Topic ``frames``: the race as the page shows it, five times a second of session time.

A keyframe stands alone; a delta holds the fast columns and what has changed since the last keyframe, so that
a keyframe and any one delta after it make the whole picture. An absent field is unchanged; a null is unknown.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from models.base import Record
from models.message import Entry, RaceControl, SessionInfo

FRAME_MS = 200
"""A frame's number is its session time divided by this."""
KEYFRAME_MS = 10_000

CarStatus = Literal["grid", "running", "pit", "retired", "finished", "eliminated"]
Mark = Literal["personal", "overall"]
PenaltyKind = Literal["incident", "time", "drive_through", "stop_go"]
PitCondition = Literal["green", "vsc", "sc"]
PenaltyState = Literal["noted", "investigated", "after_race", "given", "served"]


class Sector(Record):
    """The latest time of one sector and whether it was a best."""

    ms: int | None
    mark: Mark | None


class Stop(Record):
    """A pit stop: the lap on which the car came in, its time in the pit lane and standing still."""

    lap: int
    pit_lane_ms: int | None
    stationary_ms: int | None


class Stint(Record):
    """A stretch on one set of tyres, as far as it has been driven."""

    compound: str
    first_lap: int
    laps: int
    """Completed on it in this session."""
    tyre_life_before: int | None
    """Laps on the set when the stint began."""
    fresh: bool | None
    """It had not been used before; None where nobody told."""


class Penalty(Record):
    """What the stewards look at, or what they gave. An incident without consequences is not told any more."""

    kind: PenaltyKind
    state: PenaltyState
    """``given``: not served yet, as far as they told."""
    seconds: int | None
    """Of a time penalty, or to stand still."""
    reason: str
    """In the stewards' words, empty where they gave none."""
    lap: int | None
    """On which it was first told: the incident, or the penalty."""


class CarState(Record):
    """What changes now and then about a car."""

    position: int = 0
    status: CarStatus = "grid"
    lap: int = 0
    """Laps completed."""
    laps_down: int = 0
    """Whole laps behind the leader; the frame's ``gap`` is the rest, in ms."""
    interval_laps: int = 0
    """Whole laps behind the car ahead."""
    last_lap_ms: int | None = None
    last_lap_mark: Mark | None = None
    best_lap_ms: int | None = None
    sectors: tuple[Sector | None, Sector | None, Sector | None] = (None, None, None)
    compound: str | None = None
    """``SOFT``, ``MEDIUM``, ``HARD``, ``INTERMEDIATE``, ``WET``."""
    tyre_age: int | None = None
    """Laps completed on the set."""
    stints: tuple[Stint, ...] = ()
    """All of them, the present one last."""
    stops: int = 0
    """Pit stops that changed tyres, suspensions not counted."""
    pit_stops: tuple[Stop, ...] = ()
    speed_trap: int | None = None
    """The car's highest speed at the trap."""
    mini_sectors: str = ""
    """How the mini-sectors were that the car has behind it on its lap, a character each: ``p`` the best of all so
    far, ``g`` its own best, ``y`` slower, ``-`` not known. After a lap's end they stay until the next one's first."""
    official_gap_ms: int | None = None
    """Behind the leader as the feed's own timing has it, where it has; likewise below."""
    official_gap_laps: int | None = None
    official_interval_ms: int | None = None
    official_interval_laps: int | None = None
    penalties: tuple[Penalty, ...] = ()
    """Oldest first."""
    position_with_penalties: int | None = None
    """In the order if unserved time penalties were added now; None while no car of the race has any."""


class YellowSector(Record):
    """A marshals' sector under yellow flags."""

    sector: int
    double: bool


class FastestLap(Record):
    """The fastest lap so far."""

    driver_number: str
    lap: int
    ms: int


class PitLoss(Record):
    """What a pit stop costs against staying out: the median of the race's stops so far under one condition."""

    condition: PitCondition
    """Track status when the car came in: neither of the others, virtual safety car, safety car."""
    loss_ms: int
    stops: int
    """How many it is the median of."""


class Tally(Record):
    """What a run consisted of, as the race has seen it: to be held against what was published."""

    samples: int = 0
    laps: int = 0
    messages: int = 0


class RaceState(Record):
    """What changes now and then about the session."""

    status: str = "Inactive"
    suspended: bool = False
    started_ms: int | None = None
    """Session time of the start, None before it; an aborted start is none. See ``models.session_start``."""
    track_status: str = "1"
    track_message: str = "AllClear"
    lap: int = 0
    """The lap the leader is on; 0 before the start."""
    total_laps: int | None = None
    part: int | None = None
    """Of a practice or qualifying, counted from 1; None in a race. The order is by best lap, and so are the gaps."""
    goes_on: int | None = None
    """How many cars of this part go on to the next."""
    clock_ms: int | None = None
    """What was left of the session at ``clock_at_ms``, as the feed counts it."""
    clock_at_ms: int | None = None
    clock_runs: bool = False
    overtaking_aid: Literal["DRS", "OVERTAKE"] | None = None
    """What race control enables and disables for all: DRS, from 2026 the overtake mode."""
    overtaking_enabled: bool | None = None
    notices: tuple[str, ...] = ()
    """What is amiss with the source, as sentences."""
    fastest_lap: FastestLap | None = None
    pit_loss: tuple[PitLoss, ...] = ()
    """Where stops of this race tell."""
    air_temp: float | None = None
    track_temp: float | None = None
    rainfall: bool | None = None
    race_control: tuple[RaceControl, ...] = ()
    """The latest messages, oldest first."""
    yellow_sectors: tuple[YellowSector, ...] = ()
    """By number; none under a red flag, which holds everywhere."""
    sector_lines: tuple[int | None, int | None] = (None, None)
    """Metres along the reference line at which sectors 1 and 2 end, as learned so far."""
    pit_lane: tuple[tuple[int, int], ...] = ()
    """X, Y (1/10 m) from the entry line to the exit line, as a car drove it; empty until one has."""
    mini_sectors: tuple[int, int, int] | None = None
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
    t: int
    key_t: int
    """The keyframe that a delta builds on; ``t`` itself for a keyframe."""
    x: list[int | None]
    y: list[int | None]
    speed: list[int | None]
    age: list[int | None]
    """Milliseconds since the car's latest sample."""
    gap: list[int | None]
    """Milliseconds behind the leader at the last timing line crossed."""
    interval: list[int | None]
    """Milliseconds behind the car ahead at the last timing line crossed."""
    cars: dict[str, CarState]
    race: RaceState
    # No default_factory: of one, model_construct reads the signature each time, which takes longer than all else.
    along: list[int | None] = Field(default=[])
    """Only where there is no reference line: how much of a lap's time a car has behind it, in 1/10,000, as estimated
    from the mini-sectors that it passed; null for one in the pits or out."""
    drs: list[int | None] = Field(default=[])
    """1 open, 0 closed, null unknown; left out until a car tells."""


class Damaged(Record):
    """A run that the race worker cannot continue: no frame follows. Viewers see the reason as a notice."""

    kind: Literal["damaged"] = "damaged"
    session_key: str
    epoch: int
    reason: str
    """A sentence's end."""


class Head(Record):
    """What stands before a run's frames: the session, its cars in column order, its track."""

    kind: Literal["head"] = "head"
    session_key: str
    epoch: int
    t: int
    """It holds from the frame at this session time on."""
    info: SessionInfo
    cars: list[Entry]
    outline: list[tuple[int, int]] | None
    """The track's reference line from the finish line on, 1/10 m; null until it is known."""
    corners: tuple[tuple[str, float, float], ...] = ()
    rotation: float | None = None
    """Degrees by which the official map is turned, counterclockwise."""
    marshal_sectors: tuple[tuple[int, float, float], ...] = ()
    """Number, and X, Y where it begins."""
