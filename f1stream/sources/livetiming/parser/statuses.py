"""The status of the session and of the track, each of which the feed sends in several topics.

``SessionStatus`` and ``TrackStatus`` are repeated in ``SessionData``, and the former in ``SessionInfo``. Recordings
may lack any of them: FastF1's client before 3.5 and open-f1 do not subscribe to ``SessionStatus``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from f1stream.sources.livetiming.parser.merge import indexed

TRACK_CODES = {"AllClear": "1", "Yellow": "2", "SCDeployed": "4", "Red": "5", "VSCDeployed": "6", "VSCEnding": "7"}
"""The ``Status`` of ``TrackStatus``, by the ``Message`` that both topics have. Source: FastF1."""
OVER = {"Finalised", "Ends"}
"""Statuses after which nothing of the session follows."""


@dataclass
class StatusSequence:
    """One sequence of statuses, which several sources repeat, each with its own delay and its own gaps."""

    statuses: list[str] = field(default_factory=list)
    """As published."""
    _read: dict[str, int] = field(default_factory=dict)
    """By source: how many of ``statuses`` it has repeated or skipped."""
    _last: dict[str, str] = field(default_factory=dict)
    """By source: its latest status."""

    @property
    def latest(self) -> str | None:
        """The present status."""
        return self.statuses[-1] if self.statuses else None

    def is_new(self, source: str, status: str, *, is_event: bool = True) -> bool:
        """Take a source's next status; returns False if it only repeats what another source has sent.

        The same status twice from one source is a new event (a start after an aborted one), unless the source sends
        its state instead of events (``is_event``).
        """
        again = self._last.get(source) == status
        if again and not is_event:
            return False
        self._last[source] = status
        read = self._read.get(source, 0)
        if status in self.statuses[read:]:
            self._read[source] = self.statuses.index(status, read) + 1
            return False
        is_change = again or self.latest != status
        if is_change:
            self.statuses.append(status)
        self._read[source] = len(self.statuses)
        return is_change


def history(series: Iterable[tuple[int, Any]], name: str) -> list[tuple[Any, str]]:
    """(Utc text, status) of every entry of a ``StatusSeries`` that has a status called ``name``."""
    return [
        (entry.get("Utc"), entry[name])
        for _, entry in series
        if isinstance(entry, dict) and isinstance(entry.get(name), str)
    ]


def latest_part(data: dict[str, Any]) -> Any:
    """The last ``QualifyingPart`` of a ``SessionData`` message; None without one."""
    parts = [entry.get("QualifyingPart") for _, entry in indexed(data.get("Series")) if isinstance(entry, dict)]
    return next((part for part in reversed(parts) if part is not None), None)
