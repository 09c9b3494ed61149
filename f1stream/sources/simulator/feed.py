"""The messages that race control and timing publish during a simulated race."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from models import Message, RaceControl, SessionStatus, TrackStatus

TRACK_STATUS = {"1": "AllClear", "2": "Yellow", "4": "SCDeployed", "5": "Red", "6": "VSCDeployed", "7": "VSCEnding"}
Status = Literal["Inactive", "Started", "Aborted", "Finished", "Finalised", "Ends"]


@dataclass
class SimulatedFeed:
    """Collects published messages. Race time is seconds since lights out, session time integer ms."""

    start_ms: int
    """Session time of lights out."""
    t0_utc_ms: int
    messages: list[Message] = field(default_factory=list)
    statuses: list[tuple[float, str]] = field(default_factory=list)
    """All track statuses with their race times."""

    def ms(self, t: float) -> int:
        """Convert a race time to session time."""
        return self.start_ms + round(t * 1000)

    def clock(self, t: float) -> str:
        """Convert a race time to the time of day (UTC)."""
        return datetime.fromtimestamp((self.t0_utc_ms + self.ms(t)) / 1000, UTC).strftime("%H:%M:%S")

    def session(self, t: float, status: Status) -> None:
        """Publish a session status."""
        self.messages.append(SessionStatus(session_time_ms=self.ms(t), status=status))

    def track(self, t: float, status: str) -> None:
        """Publish a track status."""
        self.statuses.append((t, status))
        self.messages.append(TrackStatus(session_time_ms=self.ms(t), status=status, message=TRACK_STATUS[status]))

    def say(
        self, t: float, lap: int, message: str, category: str = "Other", *, status: str | None = None,
        flag: str | None = None, sector: int | None = None, driver_number: str | None = None,
    ) -> None:  # fmt: skip
        """Publish a race control message; a flag is for a sector, a driver or, without either, the whole track."""
        scope = None
        if flag is not None:
            scope = "Sector" if sector is not None else "Driver" if driver_number is not None else "Track"
        self.messages.append(
            RaceControl(
                session_time_ms=self.ms(t), category=category, message=message, status=status, flag=flag,
                scope=scope, sector=sector, driver_number=driver_number, lap=max(lap, 1),
            )
        )  # fmt: skip
