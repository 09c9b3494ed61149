"""``DriverList``: the drivers of the session."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from f1stream.sources.livetiming.parser.merge import DELETED, merge
from f1stream.sources.livetiming.parser.values import as_int
from models import Entries, Entry, Lap, Message, Notice
from models.bounds import MOST_CARS, MOST_CODE, MOST_NAME, MOST_NUMBER

ENTRY_OF = "entry of car "
"""Prefix of the ``about`` of a notice of a late entrant; the car's number follows."""
MOST_RENAMED = 2
"""A message that gives this many cars other drivers is the list of another session."""
LAST = 1_000
"""Sorts after every car that has a place."""


@dataclass
class Drivers:
    """The session's drivers. Once it has started the list is fixed: drivers are added, none is replaced.

    After the end the feed sends the drivers of the support race as changes of the same list, under the same numbers,
    minutes before a new ``SessionInfo`` or without one (2025 Italian practice 1, 2023 Hungarian practice 1).
    """

    known: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By car number: its line so far."""
    _first_line: dict[str, int] = field(default_factory=dict)
    """By car number: the first place that the feed gave it. Later places are the order of the session itself."""
    another_session: bool = False
    """Whether the feed has gone on to the drivers of another session."""
    _fixed: list[str] | None = None
    """The cars of the fixed list in its order, late ones at its end; None before the start."""
    _grid: dict[str, int] = field(default_factory=dict)
    """Grid positions of the fixed list."""

    def take(self, change: dict[str, Any], *, snapshot: bool, is_over: bool) -> int:
        """Apply a ``DriverList``; returns how many of its lines were damaged and skipped."""
        if self._fixed is None:
            self.known = {} if snapshot else self.known
        else:
            self.another_session |= self._renamed(change) >= MOST_RENAMED
            if self.another_session or is_over:
                return 0
        damaged = 0
        for number, line in change.items():
            if number.startswith("_"):  # the feed's own markers
                continue
            try:
                self._take_line(number, line)
            except (ValueError, TypeError, AttributeError):
                damaged += 1
        return damaged

    def _take_line(self, number: str, line: Any) -> None:
        if not isinstance(line, dict):
            raise TypeError("a driver is no object")
        fixed = self._fixed_fields(number)
        known = merge(self.known.get(number), {k: v for k, v in line.items() if k not in fixed})
        if _is_named(number, known):
            _entry(number, known, None)  # raises for a damaged line
        self.known[number] = known
        place = as_int(line.get("Line"))
        if place is not None:
            self._first_line.setdefault(number, place)

    def _renamed(self, change: dict[str, Any]) -> int:
        """How many cars the message gives to other drivers."""
        names = self._names()
        return sum(
            isinstance(line, dict) and isinstance(line.get("Tla"), str) and line["Tla"] != names.get(number)
            for number, line in change.items() if number in names
        )  # fmt: skip

    def _fixed_fields(self, number: str) -> set[str]:
        """Fields of a line that no longer change."""
        if self._fixed is None:
            return set()
        return {DELETED, "Tla"} if number in self._names() else {DELETED}

    @property
    def is_fixed(self) -> bool:
        """Whether the list is fixed."""
        return self._fixed is not None

    def fix(self, app_lines: Any) -> None:
        """Fix the list, if it has any driver. ``app_lines``: those of ``TimingAppData``."""
        entries = self.entries(app_lines)
        if self._fixed is None and entries:
            self._fixed = [entry.driver_number for entry in entries]
            self._grid = {entry.driver_number: entry.grid_position for entry in entries if entry.grid_position}

    def late(self) -> list[str]:
        """Add the drivers who were listed after the list was fixed; returns their numbers."""
        if self._fixed is None:
            return []
        late = [number for number in self._names() if number not in self._fixed]
        late = late[: MOST_CARS - len(self._fixed)]
        self._fixed += late
        return late

    def entries(self, app_lines: Any) -> list[Entry]:
        """Every driver with a name, in grid order where it is known, else as the feed first listed them."""
        names = self._names()
        grid = self._grid if self._fixed is not None else _grid(app_lines)
        numbers = self._fixed or sorted(
            names, key=lambda number: (grid.get(number) or LAST, self._first_line.get(number, LAST))
        )
        return [_entry(number, self.known[number], grid.get(number)) for number in numbers[:MOST_CARS]]

    def _names(self) -> dict[str, str]:
        return {number: line["Tla"] for number, line in self.known.items() if _is_named(number, line)}


def _is_named(number: str, line: dict[str, Any]) -> bool:
    return isinstance(line.get("Tla"), str) and 0 < len(number) <= MOST_NUMBER


def _entry(number: str, line: dict[str, Any], grid: int | None) -> Entry:
    return Entry(
        driver_number=number, tla=line["Tla"][:MOST_CODE],
        name=str(line.get("FullName", line["Tla"]))[:MOST_NAME],
        team=str(line.get("TeamName", ""))[:MOST_NAME],
        team_color=str(line.get("TeamColour") or "808080")[:MOST_CODE], grid_position=grid,
    )  # fmt: skip


def _grid(app_lines: Any) -> dict[str, int]:
    """Grid positions by car number; impossible ones are left out."""
    found = {}
    for number, line in app_lines.items() if isinstance(app_lines, dict) else ():
        position = as_int(line.get("GridPos")) if isinstance(line, dict) else None
        if position is not None and 0 < position <= MOST_CARS:
            found[number] = position
    return found


def late_facts(late: list[str], entries: list[Entry], at_ms: int) -> list[Lap | Message]:
    """Facts about drivers who were listed after the start: the whole list, and a notice each."""
    notices = [
        Notice(
            session_time_ms=at_ms, about=f"{ENTRY_OF}{entry.driver_number}",
            text=f"Car {entry.driver_number} ({entry.tla}) was listed after the start.",
        )
        for entry in entries if entry.driver_number in late
    ]  # fmt: skip
    return [Entries(session_time_ms=at_ms, entries=entries), *notices]
