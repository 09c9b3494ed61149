"""What the feed's ``TimingData`` says of one car, lap by lap, as it comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from f1stream.sources.livetiming.merge import indexed
from f1stream.sources.livetiming.values import duration_ms, whole

LATE_MS = 5_000
"""Values that come so soon after a lap's end still belong to it; a car that leaves the pits so soon before a lap's
beginning leaves on that lap. Source: FastF1, so that laps are the same."""
LONGEST_MS = 150_000
"""A longer lap time is believed only if the sectors add up to it: between the parts of a qualifying the feed sends
the time since the car's previous lap."""
TRAPS = ("I1", "I2", "FL", "ST")


@dataclass(slots=True)
class Row:
    """One lap as the feed told it. Times are session time, or durations, in ms; speeds in km/h."""

    ended_ms: int | None = None
    """When the feed counted it."""
    lap_time_ms: int | None = None
    has_no_time: bool = False
    """The feed said that there is no lap time."""
    sectors: list[int | None] = field(default_factory=lambda: [None, None, None])
    sectors_at: list[int | None] = field(default_factory=lambda: [None, None, None])
    speeds: dict[str, int] = field(default_factory=dict)
    pit_in_ms: int | None = None
    pit_out_ms: int | None = None

    @property
    def is_told(self) -> bool:
        """Whether there is anything of it."""
        return self.lap_time_ms is not None or bool(self.speeds) or any(sector is not None for sector in self.sectors)


@dataclass
class CarLaps:
    """A car's laps so far, the one it is on last."""

    rows: list[Row] = field(default_factory=lambda: [Row()])
    bests: list[list[int]] = field(default_factory=lambda: [[]])
    """By part of the session: lap times that were the car's best when they were set, and were not taken back."""
    laps_before: int = 0
    """Laps that it had driven when we began to listen."""
    _counted: int = 0
    """The feed's own count."""
    _has_left: bool = False
    """Whether it has left the pits once; before, nothing is a lap."""
    _late: bool = False

    def take(self, line: dict[str, Any], at_ms: int, *, snapshot: bool = False) -> bool:
        """Apply a change of the car's line; returns whether a lap has ended. ``snapshot``: all of it at once."""
        count = whole(line.get("NumberOfLaps"))
        if snapshot:
            self._begin_late(count or 0, is_in=line.get("InPit", True) is True)
            return False
        if count is not None and count < self._counted:
            self._late = True  # of a lap that is over: the feed sometimes goes back in time
        elif count == self._counted:
            self._late = False
        if self._late:
            return False
        self._take_values(line, at_ms)
        if isinstance(line.get("InPit"), bool):
            self._take_pit(line["InPit"], at_ms)
        self._take_bests(line)
        if count is None or count <= self._counted:
            return False
        self._counted += 1
        if not self._has_left:
            return False
        return self._end_lap(at_ms)

    @property
    def lap_number(self) -> int:
        """The lap it is on; before it has left the pits, 1."""
        return self.laps_before + max(len(self.rows) - (not self.rows[0].is_told and len(self.rows) > 1), 1)

    def lap_number_at(self, at_ms: int, sector: int) -> int:
        """The lap of which ``sector`` (from 0), told at ``at_ms``, is one."""
        before = len(self.rows) > 1 and self.rows[-2].sectors_at[sector] == at_ms
        return max(self.lap_number - before, 1)

    def _begin_late(self, count: int, *, is_in: bool) -> None:
        """We have just begun to listen, or again after a loss: ``count`` laps are driven."""
        if self._has_left:
            self.rows += [Row() for _ in range(count - self._counted)]  # nobody knows when the one before ended
        else:
            self.laps_before, self._has_left = count, count > 0 or not is_in
        self._counted = max(count, self._counted)

    def _row_at(self, at_ms: int) -> Row:
        """The lap to which a value belongs that comes now."""
        before = self.rows[-2] if len(self.rows) > 1 else None
        if before is not None and before.ended_ms is not None and at_ms - before.ended_ms < LATE_MS:
            return before
        return self.rows[-1]

    def _take_values(self, line: dict[str, Any], at_ms: int) -> None:
        row = self._row_at(at_ms)
        if isinstance(line.get("Sectors"), dict):  # a list has no values
            for nth, sector in indexed(line["Sectors"]):
                told = duration_ms(sector.get("Value")) if isinstance(sector, dict) else None
                if told is not None and nth < len(row.sectors):
                    row.sectors[nth], row.sectors_at[nth] = told, at_ms
        last = line.get("LastLapTime")
        if isinstance(last, dict) and isinstance(last.get("Value"), str):
            told = duration_ms(last["Value"])
            if told is None or told < LONGEST_MS or told == _total(row.sectors):
                row.lap_time_ms, row.has_no_time = told, told is None
        speeds = line.get("Speeds")
        if isinstance(speeds, dict):
            for trap in TRAPS:
                speed = whole(speeds[trap].get("Value")) if isinstance(speeds.get(trap), dict) else None
                if speed is not None:  # the trap on the straight may already be on the next lap
                    (self.rows[-1] if trap == "ST" else row).speeds[trap] = speed

    def _take_pit(self, is_in: bool, at_ms: int) -> None:
        if is_in:
            if self._has_left:
                self.rows[-1].pit_in_ms = at_ms
            return
        self._has_left = True
        self.rows[-1].pit_out_ms = at_ms

    def _take_bests(self, line: dict[str, Any]) -> None:
        parts = indexed(line.get("BestLapTimes"))
        if isinstance(line.get("BestLapTimes"), dict) and parts and parts[0][0] >= len(self.bests):
            self.bests.append([])
        best = line.get("BestLapTime")
        told = duration_ms(best.get("Value")) if isinstance(best, dict) else None
        if told is not None:
            # When a lap is deleted the feed sends the best before it again: what is faster has been taken back.
            self.bests[-1] = [time for time in self.bests[-1] if time > told] + [told]

    def _end_lap(self, at_ms: int) -> bool:
        row, following = self.rows[-1], Row()
        row.ended_ms = at_ms
        if row.pit_out_ms is not None and at_ms - row.pit_out_ms < LATE_MS:
            row.pit_out_ms, following.pit_out_ms = None, row.pit_out_ms
        self.rows.append(following)
        return True


def _total(sectors: list[int | None]) -> int | None:
    told = [sector for sector in sectors if sector is not None]
    return sum(told) if len(told) == len(sectors) else None
