"""Stored form of a session: the checkpoint as of one frame, and the header, which is valid for the whole run."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field, TypeAdapter

from f1stream.race.stages.session_join import CarBuffer
from f1stream.race.state import Race
from models import Entries, Frame, Message, SessionHeader, SessionInfo, Track
from models.frame import Tally

MAX_BYTES = 900_000
"""Largest value of a table. A broker accepts records of 1 MB by default; a run that needs more is damaged."""
DAMAGED = (1 << 64) - 1
"""Version of a damaged run's value: greater than that of any other value of the run."""


@dataclass(slots=True)
class PendingInput:
    """Input beyond a checkpoint's frame."""

    cars: dict[str, CarBuffer]
    messages: deque[tuple[int, int, Message | None]]
    message_seq: int
    """The last received message."""


@dataclass(slots=True)
class SessionCheckpoint:
    """A session as of one frame; ``t`` and ``race`` are None before the first.

    Fields with an alias are stored under the alias: the name in checkpoints of earlier releases.
    """

    run_id: Annotated[int, Field(alias="epoch")]
    t: int | None
    message_seq: int
    """The last applied message."""
    packet_seq: dict[str, int]
    """By car, the last packet that lies wholly at or before ``t``."""
    race: Race | None
    tally: Tally
    ended: bool
    tracks: int
    """Number of applied tracks. The header is written first, so it may have a newer one."""
    keyframe: Frame | None
    pending: Annotated[PendingInput | None, Field(alias="beyond")] = None
    """Only for a silent run."""
    damaged: str | None = None
    """Why the run cannot be continued; None for a run that can."""


@dataclass(slots=True)
class StoredHeader:
    """The session header as stored, in a table of its own: it is large and seldom changes."""

    info: SessionInfo | None = None
    entries: Entries | None = None
    tracks: list[Track] = field(default_factory=list)
    """All applied tracks; the last one is valid."""

    @property
    def track(self) -> Track | None:
        """The valid track."""
        return self.tracks[-1] if self.tracks else None

    def session_header(self, session_key: str, run_id: int, t: int) -> SessionHeader:
        """The header for viewers, valid from session time ``t`` (ms) on. Info and entries must be known."""
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
