"""A finished session in memory: what an archive holds and what the simulator makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from f1stream.errors import UserError
from models import Lap, Message

Columns = dict[str, npt.NDArray[Any]]
"""One car's samples in time order: the columns of ``models.packet.COLUMNS`` that the source has.

Columns that can be null (``drs``, ``relative_distance``, ``driver_ahead``, ``distance_to_driver_ahead``) are
object arrays when they have nulls.
"""


class SourceError(UserError):
    """A source that cannot be read; its text is one sentence for the user."""


@dataclass
class Session:
    """Everything about one session, complete, on the session clock (ms)."""

    session_key: str
    t0_utc_ms: int
    """The UTC instant (Unix ms) of session time 0."""
    start_ms: int
    """When the session itself starts (lights out in a race)."""
    end_ms: int
    """When the last fact of it has been told."""
    telemetry: dict[str, Columns]
    """By driver number, one for every entry, also for cars without samples."""
    laps: list[Lap]
    """Completed and revised laps, in the order they became known; the last revision of a lap counts."""
    messages: list[Message]
    """Told at their ``session_time_ms``; among them one SessionInfo, Entries and (if known) Track. No SessionEnd."""
    laps_known_ms: list[int] | None = None
    """When each of ``laps`` became known; None when each did at its end."""
    truth: Any = field(default=None, repr=False)
    """What really happened, where the source knows (the simulator)."""

    def laps_as_known(self) -> Iterator[tuple[int, Lap]]:
        """``laps``, each with the session time (ms) at which it became known."""
        return zip(self.laps_known_ms or [lap.end_ms for lap in self.laps], self.laps, strict=True)

    def samples(self) -> int:
        """How many samples the session has."""
        return sum(len(columns["session_time_ms"]) for columns in self.telemetry.values())
