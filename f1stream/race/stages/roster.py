"""The cars of a run: those of its first list of entries, and those that later lists add."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from f1stream.topics import BadRecord
from models import Entries, Entry
from models.bounds import MOST_CARS
from models.frame import FRAME_MS

MAX_LISTS = 200
"""Most lists of entries in a run; further ones are refused. Each change publishes a new session header."""


@dataclass(slots=True)
class Roster:
    """The cars of all received lists, applied or not. Session times in ms."""

    entered: set[str] = field(default_factory=set)
    _joins: deque[tuple[int, list[str]]] = field(default_factory=deque)
    """(emitted_ms, joining cars) of each list that is not applied yet."""
    is_known: bool = False
    """Whether a list was received."""
    _lists: int = 0
    """Received since the run began, or since it was restored."""

    def admit(self, message: Entries) -> None:
        """Raises BadRecord for one list or car too many."""
        cars = self.entered.union(entry.driver_number for entry in message.entries)
        if len(cars) > MOST_CARS or self._lists >= MAX_LISTS:
            raise BadRecord(f"the run has {len(self.entered)} cars and {self._lists} lists of entries already")

    def take(self, emitted_ms: int, message: Entries) -> None:
        """Receive a list."""
        self._lists += 1
        late = [entry.driver_number for entry in message.entries if entry.driver_number not in self.entered]
        if late and self.is_known:
            self._joins.append((emitted_ms, late))
        self.is_known = True
        self.entered.update(late)

    def complete(self, complete: int, ready: Callable[[str], int]) -> int:
        """The last complete frame, if ``complete`` is when the cars of the race are complete.

        From the frame in which a car joins, frames wait for it too. ``ready``: up to when a car is complete.
        """
        for emitted_ms, cars in self._joins:
            joins_ms = -(-emitted_ms // FRAME_MS) * FRAME_MS
            if joins_ms > complete:
                break
            complete = min(complete, max(min(map(ready, cars)), joins_ms - FRAME_MS))
        return complete // FRAME_MS * FRAME_MS

    def apply(self, late: list[Entry]) -> None:
        """Note that these cars have joined the race."""
        if self._joins and any(entry.driver_number in self._joins[0][1] for entry in late):
            self._joins.popleft()

    def restored(self, header: Entries, cars: Collection[str] | None) -> Entries:
        """Start from a stored header's list; returns the list without cars that are not in the race yet.

        Such cars are possible because the header is written before the checkpoint. ``cars``: of the race; None before
        it has begun.
        """
        entries = [entry for entry in header.entries if cars is None or entry.driver_number in cars]
        self.entered, self.is_known = {entry.driver_number for entry in entries}, True
        return header.model_copy(update={"entries": entries})


def merged(before: list[Entry], message: list[Entry]) -> list[Entry]:
    """Merge a later list: a car's entry is replaced by the newer one, new cars are appended, none is removed."""
    entries = {entry.driver_number: entry for entry in [*before, *message]}
    return list(entries.values())
