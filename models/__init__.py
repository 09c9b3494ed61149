"""Pydantic records of the topics, the page and the warehouse, each defined once.

Units: times are integer milliseconds on the session clock (``*_ms``), distances metres, X, Y and Z tenths of a metre
as in the feed, speeds km/h.
"""

from models.dead_letter import DeadLetter
from models.frame import CarState, DamageNotice, Frame, RaceState, SessionHeader, YellowSector
from models.lap import Lap
from models.marts import Marts, ResultRow, Round, RoundResult, RoundSession, Season, SessionResult, StandingRow
from models.message import (
    Entries,
    Entry,
    LapCount,
    Message,
    MiniSector,
    Notice,
    PartBest,
    PitIn,
    PitOut,
    RaceControl,
    Retirement,
    SectorTime,
    SessionClock,
    SessionEnd,
    SessionInfo,
    SessionPart,
    SessionStatus,
    TeamRadio,
    Timing,
    Track,
    TrackStatus,
    TyreChange,
    Weather,
)
from models.packet import Packet
from models.update import CarUpdate, DamagedRun, LapUpdate, Updates

__all__ = [
    "CarState",
    "CarUpdate",
    "DamageNotice",
    "DamagedRun",
    "DeadLetter",
    "Entries",
    "Entry",
    "Frame",
    "Lap",
    "LapCount",
    "LapUpdate",
    "Marts",
    "Message",
    "MiniSector",
    "Notice",
    "Packet",
    "PartBest",
    "PitIn",
    "PitOut",
    "RaceControl",
    "RaceState",
    "ResultRow",
    "Retirement",
    "Round",
    "RoundResult",
    "RoundSession",
    "Season",
    "SectorTime",
    "SessionClock",
    "SessionEnd",
    "SessionHeader",
    "SessionInfo",
    "SessionPart",
    "SessionResult",
    "SessionStatus",
    "StandingRow",
    "TeamRadio",
    "Timing",
    "Track",
    "TrackStatus",
    "TyreChange",
    "Updates",
    "Weather",
    "YellowSector",
]  # fmt: skip
