"""Which cars take part in a run: those of its first list of entries, and those that later ones add."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from f1stream.topics import BadRecord
from models import Entries, Entry
from models.bounds import MOST_CARS
from models.frame import FRAME_MS

MAX_LISTS = 200
"""Most lists of entries in a run; further ones are refused. Each that changes one makes a new head."""


@dataclass(slots=True)
class Roster:
    """The cars of the lists that were received, applied or not. Session time in ms."""

    entered: set[str] = field(default_factory=set)
    _joins: deque[tuple[int, list[str]]] = field(default_factory=deque)
    """(emitted_ms, cars that join) of the lists that are not applied yet."""
    _lists: int = 0
    """Received since the run began, or since it was read back."""

    def admit(self, message: Entries) -> None:
        """Raises BadRecord for a list that is one too many, or has too many cars."""
        cars = self.entered.union(entry.driver_number for entry in message.entries)
        if len(cars) > MOST_CARS or self._lists >= MAX_LISTS:
            raise BadRecord(f"the run has {len(self.entered)} cars and {self._lists} lists of entries already")

    def take(self, emitted_ms: int, message: Entries, *, is_first: bool) -> None:
        """Receive a list."""
        self._lists += 1
        late = [entry.driver_number for entry in message.entries if entry.driver_number not in self.entered]
        if late and not is_first:
            self._joins.append((emitted_ms, late))
        self.entered.update(late)

    def complete(self, complete: int, promoted: Callable[[str], int]) -> int:
        """The last frame that nothing is missing for, ``complete`` as far as the cars of the race are concerned.

        A car that joins is waited for from that frame on. ``promoted``: up to when a car is complete.
        """
        for emitted_ms, cars in self._joins:
            joins_ms = -(-emitted_ms // FRAME_MS) * FRAME_MS
            if joins_ms > complete:
                break
            complete = min(complete, max(min(map(promoted, cars)), joins_ms - FRAME_MS))
        return complete // FRAME_MS * FRAME_MS

    def apply(self, late: list[Entry]) -> None:
        """These cars have joined the race."""
        if self._joins and any(entry.driver_number in self._joins[0][1] for entry in late):
            self._joins.popleft()

    def restored(self, header: Entries, cars: Collection[str] | None) -> Entries:
        """Begin with the list of a header that was read back; returns it without the cars that the race has not yet.

        The header is written before the checkpoint. ``cars``: of the race; None before it has begun.
        """
        entries = [entry for entry in header.entries if cars is None or entry.driver_number in cars]
        self.entered = {entry.driver_number for entry in entries}
        return header.model_copy(update={"entries": entries})


def merged(before: list[Entry], message: list[Entry]) -> list[Entry]:
    """The list after a further one: what is said of a car is the newest, cars are added behind, none is left out."""
    entries = {entry.driver_number: entry for entry in [*before, *message]}
    return list(entries.values())
