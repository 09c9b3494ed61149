"""Topic ``messages``: facts of the session and of single cars, each with its session time."""

from __future__ import annotations

from math import dist
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from models.base import Record
from models.bounds import (
    LONGEST_MS,
    MOST_CARS,
    MOST_MARKS,
    MOST_POINTS,
    CarNumber,
    Code,
    Compound,
    Degrees,
    EmittedMs,
    LapNumber,
    Laps,
    Measure,
    Name,
    Path,
    Position,
    Sentence,
    SessionMs,
    Small,
    Source,
    SpanMs,
    Text,
    TrackDm,
    TyreLife,
    UtcMs,
)
from models.session_type import session_type

SHORTEST_M, LONGEST_M = 500, 100_000
"""m, bounds of the length of a track's line."""
NARROWEST_M = 100
"""m, least diagonal of the rectangle around a track's line: on a smaller one, positions cannot be distinguished."""


class _Fact(Record):
    session_time_ms: SessionMs
    """When it happened; the record's ``emitted_ms`` says when it became known."""


class SessionInfo(_Fact):
    """The session: what, where and when. The first message of a run."""

    kind: Literal["session_info"] = "session_info"
    name: Name
    """``Race``, ``Qualifying``, …"""
    type: Name
    """``Practice``, ``Qualifying``, ``Sprint`` or ``Race``; a sprint that the feed types ``Race`` is normalised."""
    meeting: Name
    location: Name
    country_code: Name
    circuit: Name
    total_laps: LapNumber | None
    t0_utc_ms: UtcMs
    start_ms: EmittedMs
    """Where this run of the session begins: the first frame is at or after it."""
    source: Source
    simulated: bool = False
    gmt_offset_ms: SpanMs | None = None
    """How far the track's local time is ahead of UTC; None if unknown."""
    path: Path | None = None
    """Folder of the session's files below https://livetiming.formula1.com/static/; ends with ``/``."""

    @field_validator("type")
    @classmethod
    def _normalise(cls, feed_type: str, info: ValidationInfo) -> str:
        return session_type(feed_type, info.data.get("name", ""))


class Entry(Record):
    """One car that takes part."""

    driver_number: Annotated[CarNumber, Field(min_length=1)]
    tla: Code
    name: Name
    team: Name
    team_color: Code
    """Six hexadecimal digits, without ``#``."""
    grid_position: Position | None
    pit_lane_start: bool = False


class Entries(_Fact):
    """Every car of the session, in grid order. No frame is made before the first one."""

    kind: Literal["entries"] = "entries"
    entries: Annotated[list[Entry], Field(min_length=1, max_length=MOST_CARS)]

    @field_validator("entries")
    @classmethod
    def _each_once(cls, entries: list[Entry]) -> list[Entry]:
        numbers = [entry.driver_number for entry in entries]
        twice = next((number for number in numbers if numbers.count(number) > 1), None)
        if twice is not None:
            raise ValueError(f"car {twice} is in it more than once")
        return entries


class Track(_Fact):
    """The reference line on which positions are projected: one lap, beginning at the finish line."""

    kind: Literal["track"] = "track"
    outline: Annotated[list[tuple[TrackDm, TrackDm]], Field(min_length=10, max_length=MOST_POINTS)]
    """X, Y in driving direction; closed from the last point to the first."""
    corners: Annotated[tuple[tuple[Code, TrackDm, TrackDm], ...], Field(max_length=MOST_MARKS)] = ()
    """Name, X, Y."""
    rotation: Degrees | None = None
    """Degrees by which the official map is turned, counterclockwise; None if unknown."""
    marshal_sectors: Annotated[tuple[tuple[Small, TrackDm, TrackDm], ...], Field(max_length=MOST_MARKS)] = ()
    """Number, and X, Y where it begins."""

    @field_validator("outline")
    @classmethod
    def _is_a_lap(cls, outline: list[tuple[float, float]]) -> list[tuple[float, float]]:
        length_m = sum(dist(one, other) for one, other in zip(outline, [*outline[1:], outline[0]], strict=True)) / 10
        if not SHORTEST_M <= length_m <= LONGEST_M:
            raise ValueError(f"the outline is {length_m:.0f} m long, not within {SHORTEST_M} and {LONGEST_M}")
        lows, highs = map(min, zip(*outline, strict=True)), map(max, zip(*outline, strict=True))
        if (apart_m := dist(tuple(lows), tuple(highs)) / 10) < NARROWEST_M:
            raise ValueError(f"the outline's points lie within {apart_m:.0f} m, less than {NARROWEST_M}")
        return outline


class SessionStatus(_Fact):
    """The feed's ``SessionStatus``: ``Aborted`` is a red flag, the next ``Started`` the restart."""

    kind: Literal["session_status"] = "session_status"
    status: Literal["Inactive", "Started", "Aborted", "Finished", "Finalised", "Ends"]


class TrackStatus(_Fact):
    """1 all clear, 2 yellow, 4 safety car, 5 red, 6 virtual safety car, 7 virtual safety car ending."""

    kind: Literal["track_status"] = "track_status"
    status: Code
    message: Name


class RaceControl(_Fact):
    """A message of race control."""

    kind: Literal["race_control"] = "race_control"
    category: Code
    message: Text
    status: Code | None = None
    flag: Code | None = None
    scope: Code | None = None
    sector: Small | None = None
    driver_number: CarNumber | None = None
    lap: LapNumber | None = None


class Weather(_Fact):
    """Degrees Celsius, per cent, hPa, degrees and m/s."""

    kind: Literal["weather"] = "weather"
    air_temp: Measure
    track_temp: Measure
    humidity: Measure
    pressure: Measure
    rainfall: bool
    wind_direction: Measure
    wind_speed: Measure


class LapCount(_Fact):
    """The lap the leader is on."""

    kind: Literal["lap_count"] = "lap_count"
    lap: LapNumber
    total_laps: LapNumber


class PitIn(_Fact):
    """A car entered the pit lane."""

    kind: Literal["pit_in"] = "pit_in"
    driver_number: CarNumber
    lap: LapNumber


class PitOut(_Fact):
    """A car left the pit lane."""

    kind: Literal["pit_out"] = "pit_out"
    driver_number: CarNumber
    lap: LapNumber


class TyreChange(_Fact):
    """A car's set from ``lap`` on: at the start, and at every stop that changes tyres.

    Another change of the same ``lap`` corrects it.
    """

    kind: Literal["tyre_change"] = "tyre_change"
    driver_number: CarNumber
    lap: LapNumber
    """The first lap driven on it."""
    compound: Compound
    tyre_life: TyreLife | None
    """Laps driven on the set before ``lap``; None if unknown."""
    fresh: bool | None
    changed: bool = True
    """False: the car left the pit lane on the same set; revokes an earlier change of the same ``lap``."""
    on_lap: LapNumber | None = None
    """The lap that the car is on, in a run that began after the session; else None."""


class SectorTime(_Fact):
    """A car ended sector 1, 2 or 3; ``session_time_ms`` is official."""

    kind: Literal["sector"] = "sector"
    driver_number: CarNumber
    lap: LapNumber
    sector: Literal[1, 2, 3]
    time_ms: SpanMs | None
    """The sector's time; None if the feed has none."""


MiniSectorCount = Annotated[int, Field(ge=1, le=99)]


class MiniSector(_Fact):
    """The feed's timing colours a mini-sector that a car ended, or changes a colour."""

    kind: Literal["mini_sector"] = "mini_sector"
    driver_number: CarNumber
    lap: LapNumber
    sector: Literal[1, 2, 3]
    mini_sector: Annotated[int, Field(ge=0, le=99)]
    """Counted from 1 within the sector; 0 where all of them were cleared."""
    mark: Literal["overall", "personal", "slower"] | None = None
    """None for any other colour, as in the pits."""
    change: Literal["passed", "recoloured", "cleared"] = "passed"
    """``passed``: the car ended it now. ``recoloured``: another car was better since, or the feed corrected it.
    ``cleared``: the colours of the previous lap from here on are removed."""
    counts: tuple[MiniSectorCount, MiniSectorCount, MiniSectorCount] | None = None
    """Number of mini-sectors of each sector."""


class Retirement(_Fact):
    """A car is out of the race."""

    kind: Literal["retirement"] = "retirement"
    driver_number: CarNumber
    revoked: bool = False
    """True: the retirement was an error."""


class SessionPart(_Fact):
    """A part of a qualifying begins: Q1, Q2 or Q3."""

    kind: Literal["session_part"] = "session_part"
    part: Annotated[int, Field(ge=0, le=9)]
    entries: Small | None = None
    """Number of cars in it."""
    goes_on: Small | None = None
    """Number of cars that advance to the next part; None in the last one."""


class PartBest(Record):
    """A car's best lap of one part of the session, as the feed shows it."""

    part: Annotated[int, Field(ge=1, le=9)]
    """From 1; a practice is one part."""
    ms: Annotated[int, Field(ge=1, le=7 * LONGEST_MS)] | None = None
    """None: the car has none, or it was withdrawn."""
    lap: LapNumber | None = None
    """None if the feed does not have it."""


class Timing(_Fact):
    """The feed's own timing of a car. Gaps are to the leader, intervals to the car ahead."""

    kind: Literal["timing"] = "timing"
    driver_number: CarNumber
    position: Position | None = None
    gap_ms: SpanMs | None = None
    gap_laps: Laps | None = None
    """Instead of ``gap_ms`` for a car that is laps down."""
    interval_ms: SpanMs | None = None
    interval_laps: Laps | None = None
    knocked_out: bool = False
    """It is out of this qualifying."""
    stopped: bool = False
    in_pit: bool | None = None
    laps: LapNumber | None = None
    """The feed's lap count: in a race the laps completed, else the lap that the car is on or was on last."""
    bests: list[PartBest] = Field(default=[], max_length=9)
    """Best laps that this message changes."""


class SessionClock(_Fact):
    """The time left in the session."""

    kind: Literal["clock"] = "clock"
    remaining_ms: SpanMs
    running: bool


class TeamRadio(_Fact):
    """A recorded message between a driver and the team."""

    kind: Literal["team_radio"] = "team_radio"
    driver_number: CarNumber
    path: Path
    """Below ``SessionInfo.path``: ``TeamRadio/OLIBEA01_87_20250316_150501.mp3``."""


class Notice(_Fact):
    """A problem of the source that viewers should know, such as a silent topic."""

    kind: Literal["notice"] = "notice"
    about: Code
    text: Sentence | None
    """One sentence; None: the problem is over."""


class SessionEnd(_Fact):
    """The last message of a run: every car's last packet ends at ``session_time_ms``."""

    kind: Literal["session_end"] = "session_end"


Message = Annotated[
    SessionInfo | Entries | Track | SessionStatus | TrackStatus | RaceControl | Weather | LapCount
    | PitIn | PitOut | TyreChange | SectorTime | MiniSector | Retirement | SessionPart | Timing | SessionClock
    | TeamRadio | Notice | SessionEnd,
    Field(discriminator="kind"),
]  # fmt: skip
"""Every kind of message, distinguished by ``kind``."""
