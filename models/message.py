"""Topic ``messages``: facts of the session, and facts of a car that have a time of their own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from models.base import Record
from models.session_type import session_type


class _Fact(Record):
    session_time_ms: int
    """When it happened; the record's ``emitted_ms`` says when it became known."""


class SessionInfo(_Fact):
    """What is being raced, where and when. The first message of a run."""

    kind: Literal["session_info"] = "session_info"
    name: str
    """``Race``, ``Qualifying``, …"""
    type: str
    """``Practice``, ``Qualifying``, ``Sprint`` or ``Race``; a sprint that the feed types ``Race`` is normalised."""
    meeting: str
    location: str
    country_code: str
    circuit: str
    total_laps: int | None
    t0_utc_ms: int
    start_ms: int
    """Where this run of the session begins: the first frame is at or after it."""
    source: str
    simulated: bool = False
    gmt_offset_ms: int | None = None
    """The track's local time is so much ahead of UTC; None where nobody says."""
    path: str | None = None
    """Where Formula 1 keeps the session's files, below https://livetiming.formula1.com/static/; ends with ``/``."""

    @field_validator("type")
    @classmethod
    def _normalise(cls, feed_type: str, info: ValidationInfo) -> str:
        return session_type(feed_type, info.data.get("name", ""))


class Entry(Record):
    """One car that takes part."""

    driver_number: str
    tla: str
    name: str
    team: str
    team_color: str
    """Six hexadecimal digits, without ``#``."""
    grid_position: int | None
    pit_lane_start: bool = False


class Entries(_Fact):
    """Every car of the session, in grid order. No frame is made before it is known."""

    kind: Literal["entries"] = "entries"
    entries: list[Entry]


class Track(_Fact):
    """The reference line on which positions are projected: one lap, beginning at the finish line."""

    kind: Literal["track"] = "track"
    outline: Annotated[list[tuple[float, float]], Field(min_length=10)]
    """X, Y in driving direction; closed from the last point to the first."""
    corners: tuple[tuple[str, float, float], ...] = ()
    """Name, X, Y."""
    rotation: float | None = None
    """Degrees by which the official map is turned, counterclockwise; None where nobody says."""
    marshal_sectors: tuple[tuple[int, float, float], ...] = ()
    """Number, and X, Y where it begins."""


class SessionStatus(_Fact):
    """The feed's ``SessionStatus``: ``Aborted`` is a red flag, the next ``Started`` the restart."""

    kind: Literal["session_status"] = "session_status"
    status: Literal["Inactive", "Started", "Aborted", "Finished", "Finalised", "Ends"]


class TrackStatus(_Fact):
    """1 all clear, 2 yellow, 4 safety car, 5 red, 6 virtual safety car, 7 virtual safety car ending."""

    kind: Literal["track_status"] = "track_status"
    status: str
    message: str


class RaceControl(_Fact):
    """A message of race control."""

    kind: Literal["race_control"] = "race_control"
    category: str
    message: str
    status: str | None = None
    flag: str | None = None
    scope: str | None = None
    sector: int | None = None
    driver_number: str | None = None
    lap: int | None = None


class Weather(_Fact):
    """Degrees Celsius, per cent, hPa, degrees and m/s."""

    kind: Literal["weather"] = "weather"
    air_temp: float
    track_temp: float
    humidity: float
    pressure: float
    rainfall: bool
    wind_direction: float
    wind_speed: float


class LapCount(_Fact):
    """The lap the leader is on."""

    kind: Literal["lap_count"] = "lap_count"
    lap: int
    total_laps: int


class PitIn(_Fact):
    """A car entered the pit lane."""

    kind: Literal["pit_in"] = "pit_in"
    driver_number: str
    lap: int


class PitOut(_Fact):
    """A car left the pit lane."""

    kind: Literal["pit_out"] = "pit_out"
    driver_number: str
    lap: int


class TyreChange(_Fact):
    """A car got another set: at the start, and at every stop that changes tyres."""

    kind: Literal["tyre_change"] = "tyre_change"
    driver_number: str
    lap: int
    """The first lap driven on it."""
    compound: str
    tyre_life: int | None
    """Laps driven on the set before this lap, where that is known."""
    fresh: bool | None


class SectorTime(_Fact):
    """A car ended sector 1, 2 or 3; ``session_time_ms`` is official."""

    kind: Literal["sector"] = "sector"
    driver_number: str
    lap: int
    sector: Literal[1, 2, 3]
    time_ms: int | None
    """How long it took, where the feed says so."""


MiniSectorCount = Annotated[int, Field(ge=1, le=99)]


class MiniSector(_Fact):
    """The feed's timing colours a mini-sector that a car ended, or changes what it has coloured."""

    kind: Literal["mini_sector"] = "mini_sector"
    driver_number: str
    lap: int
    sector: Literal[1, 2, 3]
    mini_sector: Annotated[int, Field(ge=0, le=99)]
    """Counted from 1 within the sector; 0 only for what was cleared as a whole."""
    mark: Literal["overall", "personal", "slower"] | None = None
    """None for a colour that means none of these, as in the pits."""
    change: Literal["passed", "recoloured", "cleared"] = "passed"
    """``passed``: the car ended it now. ``recoloured``: another car was better since, or somebody looked again.
    ``cleared``: the colours of the lap before, which stood after this one, are gone."""
    counts: tuple[MiniSectorCount, MiniSectorCount, MiniSectorCount] | None = None
    """How many mini-sectors each sector has."""


class Retirement(_Fact):
    """A car is out of the race."""

    kind: Literal["retirement"] = "retirement"
    driver_number: str


class SessionPart(_Fact):
    """A part of a qualifying begins: Q1, Q2 or Q3."""

    kind: Literal["session_part"] = "session_part"
    part: int
    entries: int | None = None
    """How many cars take part in it."""
    goes_on: int | None = None
    """How many of them go on to the next part; None in the last one."""


class Timing(_Fact):
    """What the feed's own timing shows of a car now. Gaps are to the leader and to the car ahead."""

    kind: Literal["timing"] = "timing"
    driver_number: str
    position: int | None = None
    gap_ms: int | None = None
    gap_laps: int | None = None
    """Instead of ``gap_ms`` for a car that is laps down."""
    interval_ms: int | None = None
    interval_laps: int | None = None
    knocked_out: bool = False
    """It takes no part any more in this qualifying."""
    stopped: bool = False


class SessionClock(_Fact):
    """How much of the session is left."""

    kind: Literal["clock"] = "clock"
    remaining_ms: int
    running: bool


class TeamRadio(_Fact):
    """A recorded message between a driver and the team."""

    kind: Literal["team_radio"] = "team_radio"
    driver_number: str
    path: str
    """Below ``SessionInfo.path``: ``TeamRadio/OLIBEA01_87_20250316_150501.mp3``."""


class Notice(_Fact):
    """Something that viewers should know of the source itself, such as a topic that is silent."""

    kind: Literal["notice"] = "notice"
    about: str
    text: str | None
    """One sentence; None when it is well again."""


class SessionEnd(_Fact):
    """The last message of a run: every car's last packet ends at ``session_time_ms``."""

    kind: Literal["session_end"] = "session_end"


Message = Annotated[
    SessionInfo | Entries | Track | SessionStatus | TrackStatus | RaceControl | Weather | LapCount
    | PitIn | PitOut | TyreChange | SectorTime | MiniSector | Retirement | SessionPart | Timing | SessionClock
    | TeamRadio | Notice | SessionEnd,
    Field(discriminator="kind"),
]  # fmt: skip
"""Every kind of message, told apart by ``kind``."""
