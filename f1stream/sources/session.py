"""A finished session in memory, from an archive, a recording or the simulator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from f1stream.errors import UserError

if TYPE_CHECKING:  # not at run time: who only opens a source does not wait for them
    import numpy.typing as npt

    from models import Lap, Message

Columns = dict[str, "npt.NDArray[Any]"]
"""One car's samples in time order: the columns of ``models.packet.COLUMNS`` that the source has.

Null (in ``drs``, ``relative_distance``, ``driver_ahead``, ``distance_to_driver_ahead``) is NaN in arrays of floats,
and None in arrays of objects, which need four times the memory.
"""


class SourceError(UserError):
    """A source that cannot be read; the text is one sentence for the user."""


@dataclass
class Session:
    """Everything about one session, complete, on the session clock (ms)."""

    session_key: str
    t0_utc_ms: int
    """The UTC instant (Unix ms) of session time 0."""
    start_ms: int
    """When the session itself starts (lights out in a race)."""
    end_ms: int
    """When its last fact becomes known."""
    telemetry: dict[str, Columns]
    """By driver number; every entry has one, also a car without samples."""
    laps: list[Lap]
    """Completed and revised laps in the order in which they became known; the last revision of a lap counts."""
    messages: list[Message]
    """Known at their ``session_time_ms``. Includes one SessionInfo, Entries and (if known) Track; no SessionEnd."""
    laps_known_ms: list[int] | None = None
    """Session time at which each of ``laps`` became known; None if that is its end."""
    truth: Any = field(default=None, repr=False)
    """The exact facts, from the simulator only."""

    def laps_as_known(self) -> Iterator[tuple[int, Lap]]:
        """``laps``, each with the session time (ms) at which it became known."""
        return zip(self.laps_known_ms or [lap.end_ms for lap in self.laps], self.laps, strict=True)

    def samples(self) -> int:
        """The number of samples."""
        return sum(len(columns["session_time_ms"]) for columns in self.telemetry.values())
