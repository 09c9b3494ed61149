"""Mini-sectors in the colours of the sport: purple the best of all so far, green a car's own best, yellow slower.

The feed has mini-sectors and colours of its own; where it publishes them, they are shown unchanged. Otherwise
mini-sectors are sections between our timing lines, ``OF_SECTOR`` in each sector, and a car's time in one is compared
with its own best and with the best of all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from f1stream.race.car import LINES, Car
from f1stream.race.timing_points import SECTOR_1, SECTOR_2, TimingPoints
from models import MiniSector

OF_SECTOR = 8
"""Our mini-sectors in a sector, of two to three lines each. The feed has 6 to 11."""
ENOUGH = 5
"""Observations of both sector lines after which sectors end there; before, each is a third of a lap."""
JUMP_M = 10.0
"""m. A larger correction of a car's progress voids its mini-sector: its time would be off by 0.1 s or more, and a
wrong best would stand until the end."""
OVERALL, PERSONAL, SLOWER, UNKNOWN = "p", "g", "y", "-"
MARKS = {"overall": OVERALL, "personal": PERSONAL, "slower": SLOWER, None: UNKNOWN}


def divided(first: int, second: int) -> list[int]:
    """The timing lines at which mini-sectors end, given those at which sectors 1 and 2 do."""
    bounds = ((0, first), (first, second), (second, LINES))
    return [begin + (end - begin) * n // OF_SECTOR for begin, end in bounds for n in range(1, OF_SECTOR + 1)]


THIRDS = divided(LINES // 3, 2 * LINES // 3)


@dataclass(slots=True)
class MiniSectorColours:
    """The mini-sectors of one session and their colours."""

    source: Literal["feed", "lines"] | None = None
    counts: tuple[int, int, int] | None = None
    """How many mini-sectors each sector has."""
    marks: Annotated[dict[str, str], Field(alias="told")] = field(default_factory=dict)
    """By car: a character for each mini-sector of its lap that it has ended; see ``MARKS``."""
    ends: list[int] = field(default_factory=THIRDS.copy)
    """Timing lines of a lap at which our own mini-sectors end; the last is ``LINES``."""
    learned: bool = False
    """``ends`` include the sector lines, and no longer change."""
    overall: list[tuple[int, str] | None] = field(default_factory=lambda: [None] * len(THIRDS))
    """For each of our own mini-sectors: the best time (ms) of all cars, and the car."""
    personal: dict[str, list[int | None]] = field(default_factory=dict)
    """The same by car: its own best times."""
    last: dict[str, int] = field(default_factory=dict)
    """By car: the last end of a mini-sector that it crossed on track, as a line counted from the start."""

    # -- the feed's own ---------------------------------------------------------------------------------

    def apply(self, message: MiniSector) -> set[str]:
        """Apply a colour of the feed. Returns changed cars.

        Without ``counts`` the mini-sector's place in the lap is unknown: ignored.
        """
        if message.counts is None:
            return set()
        changed = {message.driver_number}
        if self.source != "feed":
            changed.update(self.marks)
            self.marks.clear()
        self.source, self.counts = "feed", message.counts
        nth = sum(message.counts[: message.sector - 1]) + message.mini_sector - 1
        known = self.marks.get(message.driver_number, "").ljust(nth, UNKNOWN)
        rest = "" if message.change == "cleared" else known[nth + 1 :]
        mark = MARKS[message.mark] if message.mini_sector else ""
        self.marks[message.driver_number] = known[:nth] + mark + rest if nth >= 0 else ""
        return changed

    # -- from our own lines ----------------------------------------------------------------------------

    def begin(self) -> None:
        """Forget all times: a part of the session begins, or the ends of mini-sectors have changed."""
        self.overall = [None] * len(self.ends)
        self.personal.clear()
        self.last.clear()

    def learn(self, points: TimingPoints) -> bool:
        """Let mini-sectors end at the sector lines, once these are known. True when the ends have changed."""
        if self.learned or self.source == "feed":
            return False
        first, second = points.usual(SECTOR_1), points.usual(SECTOR_2)
        if first is None or second is None or min(len(points.observed[s]) for s in (SECTOR_1, SECTOR_2)) < ENOUGH:
            return False
        ends = divided(round(first / points.length_m * LINES), round(second / points.length_m * LINES))
        if len(set(ends)) < len(ends) or ends[0] == 0:
            return False  # a sector has fewer lines than mini-sectors
        self.ends, self.learned = ends, True
        self.marks.clear()
        self.begin()
        return True

    def reset_lines(self) -> None:
        """Start with thirds of a lap again: the sector lines are unknown on a new reference line."""
        if self.source != "feed":
            self.ends, self.learned = THIRDS.copy(), False
            self.marks.clear()
            self.begin()

    def interrupt(self, car: str) -> None:
        """Leave the car's current mini-sector without a colour: its samples have a gap, or it enters the pits."""
        self.last.pop(car, None)

    def cross(self, car: Car, since: int) -> list[str]:
        """Apply that ``car`` crossed its present line; lines after ``since`` were missed. Returns changed cars."""
        if self.source == "feed":
            return []
        self.source, self.counts = "lines", (OF_SECTOR, OF_SECTOR, OF_SECTOR)
        changed: list[str] = []
        for line in range(max(since + 1, car.line - LINES), car.line + 1):
            within = (line - 1) % LINES + 1
            if line > 0 and within in self.ends:
                changed += self._passes(car, line, self.ends.index(within))
            elif line == 0 and not car.in_pit:
                self.marks[car.number] = ""
                self.last[car.number] = 0
                changed.append(car.number)
        return changed

    def _passes(self, car: Car, line: int, nth: int) -> list[str]:
        before = self.marks.get(car.number, "") if nth else ""
        width = self.ends[nth] - (self.ends[nth - 1] if nth else 0)
        begun = car.time_at(line - width) if self.last.get(car.number) == line - width else None
        if car.in_pit or line != car.line:
            self.last.pop(car.number, None)
        else:
            self.last[car.number] = line
        changed, mark = [car.number], UNKNOWN
        if begun is not None and line == car.line and not car.in_pit:
            beaten, mark = self._compare(car.number, nth, car.line_ms - begun)
            changed += beaten
        self.marks[car.number] = before[:nth].ljust(nth, UNKNOWN) + mark
        return changed

    def _compare(self, car: str, nth: int, ms: int) -> tuple[list[str], str]:
        """The cars that lose the best of all, and the colour of ``ms``."""
        own, best = self.personal.setdefault(car, [None] * len(self.ends)), self.overall[nth]
        before = own[nth]
        if before is not None and ms >= before:
            return [], SLOWER
        own[nth] = ms
        if best is not None and ms >= best[0]:
            return [], PERSONAL
        self.overall[nth] = (ms, car)
        shown = self.marks.get(best[1], "") if best else ""
        if best is None or shown[nth : nth + 1] != OVERALL:
            return [], OVERALL
        self.marks[best[1]] = shown[:nth] + PERSONAL + shown[nth + 1 :]
        return [best[1]], OVERALL
