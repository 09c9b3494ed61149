"""What is stored of a session: its state as of one frame, and the header that holds for the whole run."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field, TypeAdapter

from f1stream.race.stages.car_buffer import CarBuffer
from f1stream.race.state import Race
from models import Entries, Frame, Message, SessionHeader, SessionInfo, Track
from models.frame import Tally

MAX_BYTES = 900_000
"""Largest value of a table: a broker takes records of 1 MB by default."""
DAMAGED = (1 << 64) - 1
"""Version of a damaged run's value: no other value of the run takes its place."""


@dataclass(slots=True)
class PendingInput:
    """What was received beyond a checkpoint's frame."""

    cars: dict[str, CarBuffer]
    messages: deque[tuple[int, int, Message | None]]
    message_seq: int
    """The last message that was received."""


@dataclass(slots=True)
class SessionCheckpoint:
    """What goes into the table: the session as of one frame, or before the first (``t`` and ``race`` are None)."""

    run_id: Annotated[int, Field(alias="epoch")]
    t: int | None
    message_seq: int
    """The last message that is applied."""
    packet_seq: dict[str, int]
    """By car, the last packet that lies wholly at or before ``t``."""
    race: Race | None
    tally: Tally
    ended: bool
    tracks: int
    """How many tracks had been received: the header is written first, and may hold a newer one."""
    keyframe: Frame | None
    pending: Annotated[PendingInput | None, Field(alias="beyond")] = None
    """Only of a run that has gone silent."""
    damaged: str | None = None
    """Why the run cannot be continued; None for a run that can."""


@dataclass(slots=True)
class StoredHeader:
    """Facts that hold for the whole run, in a table of their own: they are large and seldom change."""

    info: SessionInfo | None = None
    entries: Entries | None = None
    tracks: list[Track] = field(default_factory=list)
    """All that were received; the last one counts."""

    @property
    def track(self) -> Track | None:
        """The track that counts."""
        return self.tracks[-1] if self.tracks else None

    def head(self, session_key: str, run_id: int, t: int) -> SessionHeader:
        """What viewers get of it, valid from session time ``t`` (ms) on. The session and its cars are known."""
        assert self.info is not None and self.entries is not None  # noqa: S101
        track = self.track
        return SessionHeader(
            session_key=session_key,
            epoch=run_id,
            t=t,
            info=self.info,
            cars=self.entries.entries,
            outline=track and [(round(x), round(y)) for x, y in track.outline],
            corners=track.corners if track else (),
            rotation=track.rotation if track else None,
            marshal_sectors=track.marshal_sectors if track else (),
        )


CHECKPOINT: TypeAdapter[SessionCheckpoint] = TypeAdapter(SessionCheckpoint)
HEADER: TypeAdapter[StoredHeader] = TypeAdapter(StoredHeader)
