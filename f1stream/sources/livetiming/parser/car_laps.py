"""One car's ``TimingData``, lap by lap, as it is received."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from f1stream.sources.livetiming.parser.merge import indexed
from f1stream.sources.livetiming.parser.values import as_int
from f1stream.sources.timestamps import duration_ms
from models.bounds import MOST_LAPS

LATE_MS = 5_000
"""Values received within this time (ms) after a lap's end still belong to it; a car that leaves the pits within this
time before a lap begins leaves on that lap. Source: FastF1, so that laps are the same."""
LONGEST_MS = 150_000
"""A lap time of this length (ms) or more counts only if the sectors add up to it: between the parts of a qualifying
the feed sends the time since the car's previous lap, garage included."""
SHORTEST_MS = 50_000
"""No lap of a Grand Prix is shorter (ms): the quickest ever, on Bahrain's outer circuit, took 53.4 s."""
TRAPS = ("I1", "I2", "FL", "ST")


@dataclass(slots=True)
class LapRow:
    """One lap as the feed sent it. Times are session time, or durations, in ms; speeds in km/h."""

    ended_ms: int | None = None
    """When the feed counted it."""
    lap_time_ms: int | None = None
    long_time_ms: int | None = None
    """A time of LONGEST_MS or more. The third sector, which may confirm it, is sent up to 0.3 s after it."""
    has_no_time: bool = False
    """The feed sent an empty lap time."""
    sectors: list[int | None] = field(default_factory=lambda: [None, None, None])
    sectors_at: list[int | None] = field(default_factory=lambda: [None, None, None])
    """When each sector's time was sent."""
    speeds: dict[str, int] = field(default_factory=dict)
    pit_in_ms: int | None = None
    pit_out_ms: int | None = None
    earlier_out_ms: int | None = None
    """The pit exit before ``pit_out_ms`` on the same lap: the car went out, came in and went out again."""

    @property
    def has_values(self) -> bool:
        """Whether the feed sent any time or speed of it."""
        return self.lap_time_ms is not None or bool(self.speeds) or any(sector is not None for sector in self.sectors)


@dataclass
class CarLaps:
    """A car's laps so far; the last row is the lap it is on."""

    rows: list[LapRow] = field(default_factory=lambda: [LapRow()])
    bests: list[list[int]] = field(default_factory=lambda: [[]])
    """By part of the session: lap times that were the car's best when set and that the feed did not take back."""
    taken_back: set[int] = field(default_factory=set)
    """Lap times that were the car's best until the feed sent the best before them again."""
    counts_leaving: bool = False
    """Whether the feed counts a lap when a car leaves its garage, as in practice and qualifying: it is one ahead."""
    raced_since_ms: int | None = None
    """When the race started; None while it has not, and in other sessions."""
    _counted: int = 0
    """The feed's own count."""
    _count_before: int = 0
    """The feed's count when we began to receive."""
    _has_left: bool = False
    """Whether it has left the pits once; before that nothing is a lap."""
    _late: bool = False
    """Whether the feed repeats a lap that is over, with the count of that lap."""
    _lap_since_ms: int = 0
    """When its present lap began, as far as is known."""

    def take(self, line: dict[str, Any], at_ms: int, *, snapshot: bool = False) -> bool:
        """Apply a change of the car's line (``snapshot``: the whole line); returns whether a lap has ended."""
        count = as_int(line.get("NumberOfLaps"))
        if count is not None and count > MOST_LAPS:
            count = None
        if snapshot:
            self._begin_late(count or 0, is_in=line.get("InPit", True) is True)
            self._lap_since_ms = at_ms
            return False
        if count is not None and count < self._counted:
            self._late = True
        elif count == self._counted:
            self._late = False
        if self._late:
            return False
        if count is not None and self._has_missed(count, at_ms):
            self._skip_to(count, line, at_ms)
        self._take_values(line, at_ms)
        if isinstance(line.get("InPit"), bool):
            self._take_pit(line["InPit"], at_ms)
        self._take_bests(line)
        if count is None or count <= self._counted:
            return False
        self._counted += 1
        self._lap_since_ms = at_ms
        if not self._has_left:
            return False
        return self._end_lap(at_ms)

    @property
    def laps_before(self) -> int:
        """Laps that it had driven when we began to receive."""
        return max(self._count_before - self.counts_leaving, 0)

    @property
    def lap_number(self) -> int:
        """The lap it is on; 1 until it has left the pits."""
        return self.laps_before + max(len(self.rows) - self._only_left, 1)

    @property
    def shift(self) -> int:
        """The feed's number of a lap minus ours; ours counts only those of ``rows``."""
        return self._count_before + self._only_left

    @property
    def _only_left(self) -> bool:
        """Whether the first row is not a lap: the feed counts one when a car leaves its garage for the first time."""
        first = self.rows[0]
        if first.has_values or len(self.rows) == 1 or self._count_before:
            return False
        return first.ended_ms is None or self.raced_since_ms is None or first.ended_ms < self.raced_since_ms

    def driven(self, *, is_over: bool) -> list[LapRow]:
        """The laps that have ended. ``is_over``: the session has ended; the last lap counts as far as it is known.

        If the car was in its garage when we began to receive, the first row is a lap that it had driven before.
        """
        rows = self.rows[:-1] + ([self.rows[-1]] if is_over and self.rows[-1].has_values else [])
        if rows and self._count_before and not rows[0].has_values:
            rows[0] = LapRow()
        return rows[1:] if self._only_left else rows

    def lap_number_at(self, at_ms: int, sector: int) -> int:
        """The number of the lap that ``sector`` (from 0), sent at ``at_ms``, belongs to."""
        before = len(self.rows) > 1 and self.rows[-2].sectors_at[sector] == at_ms
        return max(self.lap_number - before, 1)

    def _begin_late(self, count: int, *, is_in: bool) -> None:
        """A snapshot after connecting or reconnecting: ``count`` laps are driven."""
        if self._has_left:
            self._miss(count)
        else:
            self._count_before, self._has_left = count, count > 0 or not is_in
        self._counted = max(count, self._counted)

    def _has_missed(self, count: int, at_ms: int) -> bool:
        """Whether the feed skipped laps before the one it counts now.

        A count too high for the time that has passed is a mistake of the feed and counts as one lap.
        """
        missed = count - self._counted - 1
        return self._has_left and missed > 0 and at_ms - self._lap_since_ms > missed * SHORTEST_MS

    def _skip_to(self, count: int, line: dict[str, Any], at_ms: int) -> None:
        """The feed was silent while laps ended: the lap that ends now is number ``count``, those between are missing.

        Of the present row's values, only those sent since the ending lap began belong to that lap.
        """
        earlier = self.rows[-1]
        self._miss(count - 1)
        began_ms = at_ms - (_last_lap_ms(line) or 0)
        row = self.rows[-1]
        for nth, sent_ms in enumerate(earlier.sectors_at):
            if sent_ms is not None and sent_ms > began_ms:
                row.sectors[nth], row.sectors_at[nth] = earlier.sectors[nth], sent_ms
                earlier.sectors[nth] = earlier.sectors_at[nth] = None

    def _miss(self, count: int) -> None:
        """``count`` laps are driven now. When those ended that were driven while nothing was received is unknown."""
        self.rows += [LapRow() for _ in range(count - self._counted)]
        self._counted = max(count, self._counted)

    def _row_at(self, at_ms: int) -> LapRow:
        """The lap that a value sent now belongs to."""
        before = self.rows[-2] if len(self.rows) > 1 else None
        if before is not None and before.ended_ms is not None and at_ms - before.ended_ms < LATE_MS:
            return before
        return self.rows[-1]

    def _take_values(self, line: dict[str, Any], at_ms: int) -> None:
        row = self._row_at(at_ms)
        if isinstance(line.get("Sectors"), dict):  # a list of sectors has no values
            for nth, sector in indexed(line["Sectors"]):
                time_ms = duration_ms(sector.get("Value")) if isinstance(sector, dict) else None
                if time_ms is not None and nth < len(row.sectors):
                    row.sectors[nth], row.sectors_at[nth] = time_ms, at_ms
        last = line.get("LastLapTime")
        if isinstance(last, dict) and isinstance(last.get("Value"), str):
            lap_time_ms = _last_lap_ms(line)
            if lap_time_ms is not None and lap_time_ms >= LONGEST_MS:
                row.long_time_ms = lap_time_ms
            else:
                row.lap_time_ms, row.has_no_time = lap_time_ms, lap_time_ms is None
        if row.long_time_ms is not None and row.long_time_ms == _total(row.sectors):
            row.lap_time_ms, row.has_no_time = row.long_time_ms, False
        speeds = line.get("Speeds")
        if isinstance(speeds, dict):
            for trap in TRAPS:
                speed = as_int(speeds[trap].get("Value")) if isinstance(speeds.get(trap), dict) else None
                if speed is not None:  # the trap on the straight may be on the next lap already
                    (self.rows[-1] if trap == "ST" else row).speeds[trap] = speed

    def _take_pit(self, is_in: bool, at_ms: int) -> None:
        if is_in:
            if self._has_left:
                self.rows[-1].pit_in_ms = at_ms
            return
        self._has_left = True
        row = self.rows[-1]
        row.earlier_out_ms, row.pit_out_ms = row.pit_out_ms, at_ms

    def _take_bests(self, line: dict[str, Any]) -> None:
        parts = indexed(line.get("BestLapTimes"))
        if isinstance(line.get("BestLapTimes"), dict) and parts and parts[0][0] >= len(self.bests):
            self.bests.append([])
        best = line.get("BestLapTime")
        best_ms = duration_ms(best.get("Value")) if isinstance(best, dict) else None
        if best_ms is not None:
            # When a lap is deleted the feed sends the best before it again: faster ones have been taken back.
            self.taken_back |= {time for time in self.bests[-1] if time < best_ms}
            self.taken_back.discard(best_ms)
            self.bests[-1] = [time for time in self.bests[-1] if time > best_ms] + [best_ms]

    def _end_lap(self, at_ms: int) -> bool:
        row, following = self.rows[-1], LapRow()
        row.ended_ms = at_ms
        if row.pit_out_ms is not None and at_ms - row.pit_out_ms < LATE_MS:
            row.pit_out_ms, following.pit_out_ms = row.earlier_out_ms, row.pit_out_ms
        self.rows.append(following)
        return True


def _last_lap_ms(line: dict[str, Any]) -> int | None:
    last = line.get("LastLapTime")
    return duration_ms(last.get("Value")) if isinstance(last, dict) else None


def _total(sectors: list[int | None]) -> int | None:
    known = [sector for sector in sectors if sector is not None]
    return sum(known) if len(known) == len(sectors) else None
