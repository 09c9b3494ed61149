"""What the feed's ``TimingAppData`` says of one car's tyres."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from f1stream.sources.livetiming.merge import indexed
from f1stream.sources.livetiming.values import whole


@dataclass(slots=True)
class Stint:
    """A set of tyres as told so far."""

    from_ms: int
    """Session time at which it was first told."""
    compound: str | None = None
    is_fresh: bool | None = None
    start_laps: int | None = None
    """Laps driven on the set before."""
    is_changed: bool = True
    """Whether the tyres were changed: the feed begins a stint whenever a car has been in the pits."""


@dataclass
class Tyres:
    """A car's stints: every change that was told, in order."""

    changes: list[tuple[int, int, dict[str, Any]]] = field(default_factory=list)
    """(session time, stint counted from 0, what was told)."""

    def take(self, line: dict[str, Any], at_ms: int) -> bool:
        """Apply a change of the car's line; returns whether it was of the tyres."""
        told = [(at_ms, stint, change) for stint, change in indexed(line.get("Stints")) if isinstance(change, dict)]
        self.changes += told
        return any(change.keys() & {"Compound", "New", "StartLaps", "TyresNotChanged"} for _, _, change in told)

    def stints(self, in_laps_ended: list[int]) -> list[tuple[int, Stint]]:
        """(number from 0, stint), after all corrections so far. ``in_laps_ended``: when laps into the pits ended.

        Between two visits to the pits there is one stint: where the feed counts on, it does so by mistake.
        Source: FastF1.
        """
        found: dict[int, Stint] = {}
        expected, was_told, visits = 0, False, iter([*in_laps_ended, None])
        until = next(visits)
        for at_ms, counted, change in self.changes:
            while until is not None and at_ms > until:
                expected, was_told, until = expected + was_told, False, next(visits)
            number = min(counted, expected)
            was_told |= number == expected
            stint = found.setdefault(number, Stint(at_ms))
            _apply(stint, change)
        return sorted(found.items())


def _apply(stint: Stint, change: dict[str, Any]) -> None:
    if isinstance(change.get("Compound"), str):
        stint.compound = change["Compound"]
    if "New" in change:
        stint.is_fresh = change["New"] in ("true", True)
    if whole(change.get("StartLaps")) is not None:
        stint.start_laps = whole(change["StartLaps"])
    if "TyresNotChanged" in change:
        stint.is_changed = change["TyresNotChanged"] in ("0", 0, False)
