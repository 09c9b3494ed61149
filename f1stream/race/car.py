"""One car on its way: the lines it crossed and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from f1stream.race.kept import AWAITED
from f1stream.race.places import FINISH, PIT_FINISH, SECTOR_1, SECTOR_2, Place, Places, Seen
from f1stream.race.progress import KMH, SILENCE_MS, Progress
from f1stream.race.tyres import TyreSet, after_lap
from models import Timing, TyreChange
from models.frame import Sector

LINES = 60
"""Timing lines a lap, equally spaced; line 0 of a lap is the finish line."""
KEPT = 140
"""Crossings kept: more than two laps, so that the leader's are there for a car about to be lapped twice over."""
COAST_MS = 600
"""A car that falls silent this short of a line has crossed it: recordings end at the flag."""
STANDING_KMH = 2.0
SLOW_MS, LATEST_MS = 5.0, 2_000
"""m/s and ms. A slower car, or one measured earlier or later, does not show where the finish line is."""
MOVED_M = 10.0
"""m. When a sector line is learned to be earlier, it may lie this far behind a car that has not passed it."""
RETHINK = -1e9
"""For ``Car.next_m``: what lies ahead has changed."""


class Shown(NamedTuple):
    """Where a sample shows a car: metres of its progress, session time (ms), m/s."""

    m: float
    t: int
    speed: float

    def until(self, later: Shown, at0: float, at1: float) -> int:
        """When the car passed what is at ``at0`` at its present speed, and at ``at1`` at that of ``later``."""
        off0, off1 = self.m - at0, later.m - at1
        share = off0 / (off0 - off1) if off1 > off0 else 1.0
        return round(self.t + (later.t - self.t) * min(max(share, 0.0), 1.0))


@dataclass(slots=True)
class Visit:
    """One pass through the pit lane."""

    lap: int
    in_ms: int
    out_ms: int | None = None
    standing_ms: int = 0
    """The longest stay in one place."""
    changed: bool = False
    """Tyres were changed."""
    suspended: bool = False
    """The race was suspended meanwhile: whatever was changed, it was no stop."""


@dataclass(slots=True)
class Car:
    """Everything the rules know about one car. Plain values: it is a table's value."""

    number: str
    grid: int
    """Place in the list of entries, from 0."""
    progress: Progress = field(default_factory=Progress)
    line: int = -1
    """The last timing line crossed, counted from the start: lap n ends at line 60 n."""
    line_ms: int = 0
    times: list[int] = field(default_factory=list)
    """When the last lines were crossed; the last is ``line``."""
    next_m: float = RETHINK
    """Nothing is passed before this; lets most samples by at the cost of one comparison."""
    measured_line: int = -1
    """The last line that the samples showed; official times can be ahead of it or behind."""
    measured_at: list[tuple[int, int] | None] = field(default_factory=lambda: [None] * 3)
    """At the finish and the two sector lines: (lap, session time) last measured; then the same, official."""
    official_at: list[tuple[int, int] | None] = field(default_factory=lambda: [None] * 3)
    awaited: list[tuple[int, int, int]] = field(default_factory=list)
    """(place, lap, session time) of official times whose position the next sample will show."""
    seen_at: list[Seen] = field(default_factory=list)
    """Of this lap, to be learned from when the lap is complete."""
    passed_finish: Seen | None = None
    """Where the finish line was taken to be when the car passed it last."""
    seen_ms: int | None = None
    """Its latest sample."""
    standing_from: int | None = None
    coasted: bool = False
    in_pit: bool = False
    waits: bool = False
    """It starts from the pit lane and has not left it yet."""
    visits: list[Visit] = field(default_factory=list)
    sets: list[TyreSet] = field(default_factory=list)
    """Of tyres, in the order in which they were put on; the last one is on the car."""
    lap_times: dict[str, int] = field(default_factory=dict)
    """Valid lap times by lap number (text, as JSON has it); a deleted lap is not among them."""
    lap_ends: dict[str, int] = field(default_factory=dict)
    """Session time at which each lap ended, official where that is known."""
    last_lap: tuple[int, int] | None = None
    """(lap number, ms)."""
    lap_end_ms: int | None = None
    sectors: list[Sector | None] = field(default_factory=lambda: [None] * 3)
    sector_bests: list[int | None] = field(default_factory=lambda: [None] * 3)
    speed_trap: int | None = None
    retired: bool = False
    stopped: bool = False
    """Retired by the written rule only, not by the feed's word: until it crosses a line again."""
    finished: bool = False
    eliminated: bool = False
    """It takes no part any more in this qualifying."""
    timing: Timing | None = None
    """What the feed's own timing shows of it."""

    @property
    def lap(self) -> int:
        """Laps completed."""
        return max(self.line, 0) // LINES

    def starts(self, at: int, places: Places | None) -> None:
        """The race starts: the nearest finish line is the one at which lap 1 begins."""
        self.line_ms = at
        self.visits.clear()  # laps to the grid go through the pit lane
        if places is None:
            return
        length_m = places.length_m
        self.line, self.next_m = -1, RETHINK
        self.times.clear()
        if self.progress.m is not None:
            self.progress.m = (self.progress.m + length_m / 2) % length_m - length_m / 2
            self.measured_line = int(self.progress.m // (length_m / LINES))

    def found(self, length_m: float) -> None:
        """The first position on the reference line: on the lap that the car is known to be on."""
        assert self.progress.m is not None  # noqa: S101
        self.progress.m += round(self.measured_line / LINES - self.progress.m / length_m) * length_m
        self.measured_line = int(self.progress.m // (length_m / LINES))
        self.next_m = RETHINK

    def count_laps(self, laps: int, length_m: float) -> None:
        """Take over an official lap count that measuring has lost: a start in mid-race, a hole in the data."""
        lost = round(laps - self.measured_line / LINES)
        if self.progress.m is not None and lost:
            self.progress.m += lost * length_m
            self.measured_line += lost * LINES
            self.next_m = RETHINK

    def time_at(self, line: int) -> int | None:
        """When ``line`` was crossed, None if that is not known (any more)."""
        back = self.line - line
        return self.times[-1 - back] if 0 <= back < len(self.times) else None

    def passes(self, since: Shown, now: Shown, places: Places) -> list[tuple[Place, int | None]]:
        """What lies between two samples: timing lines by number, sector lines (None)."""
        passed: list[tuple[Place, int | None]] = []
        lap = self.measured_line // LINES + 1
        begin = (lap - 1) * places.length_m
        ahead: list[float] = []
        for sector in (SECTOR_1, SECTOR_2):
            was, is_now = places.position(sector, since.speed), places.position(sector, now.speed)
            if was is None or is_now is None:
                continue
            at0, at1 = begin + was, begin + is_now
            if now.m < at1:
                ahead.append(at1 - places.varies_m)
            elif since.m < at0 or (since.m < at0 + MOVED_M and not self._measured(sector, lap)):
                passed.append((Place(sector, lap, since.until(now, at0, at1)), None))
        while (at1 := self._line_at(self.measured_line + 1, now.speed, places)) <= now.m:
            self.measured_line += 1
            at0 = self._line_at(self.measured_line, since.speed, places)
            time_ms = since.until(now, at0, at1)
            passed.append((Place(FINISH, self.measured_line // LINES, time_ms), self.measured_line))
            if self.measured_line % LINES == 0:
                place = PIT_FINISH if self.in_pit else FINISH
                self.passed_finish = Seen(place, at1 - self.measured_line * places.length_m / LINES, now.speed)
        ahead.append(at1 - places.varies_m if (self.measured_line + 1) % LINES == 0 else at1)
        self.next_m = min(ahead)
        return passed

    def _measured(self, sector: int, lap: int) -> bool:
        known = self.measured_at[sector]
        return known is not None and known[0] == lap

    def _line_at(self, line: int, speed: float, places: Places) -> float:
        at = line * places.length_m / LINES
        if line % LINES == 0:
            at += places.position(PIT_FINISH if self.in_pit else FINISH, speed) or 0.0
        return at

    def crosses(self, line: int, time_ms: int) -> bool:
        """``line`` was crossed at ``time_ms``; lines passed unseen are put evenly in between. True if it is news."""
        if line <= self.line or self.finished:
            return False
        time_ms = max(time_ms, self.line_ms)
        missed = line - self.line
        since = self.line_ms
        for step in range(max(1, missed - KEPT), missed + 1):
            self.times.append(since + (time_ms - since) * step // missed)
        del self.times[:-KEPT]
        self.line, self.line_ms = line, time_ms
        return True

    def corrects(self, line: int, time_ms: int) -> bool:
        """The official time of a line crossed already. True if that changes anything."""
        if self.time_at(line) in (None, time_ms):
            return False
        self.times[line - self.line - 1] = time_ms
        if line == self.line:
            self.line_ms = time_ms
        if line == self.lap * LINES:
            self.lap_end_ms = time_ms
        return True

    def sees(self, since: Shown, now: Shown, places: Places) -> None:
        """The sample ``now`` shows where the car was at official times since the last one."""
        for place, lap, time_ms in self.awaited:
            if since.t <= time_ms <= now.t:
                share = (time_ms - since.t) / (now.t - since.t)
                metres = since.m + (now.m - since.m) * share - (lap - 1) * places.length_m
                self.seen_at.append(Seen(place, metres, since.speed + (now.speed - since.speed) * share))
        del self.seen_at[:-AWAITED]
        self.awaited = [waits for waits in self.awaited if waits[2] > now.t]

    def saw_finish(self, late_ms: int) -> Seen | None:
        """Where the car was officially at the finish line, which it was measured to pass ``late_ms`` later.

        None when it may not have kept its speed in between: then that is not known.
        """
        if self.passed_finish is None or self.passed_finish.speed < SLOW_MS or abs(late_ms) > LATEST_MS:
            return None
        place, metres, speed = self.passed_finish
        return Seen(place, metres - speed * late_ms / 1_000, speed)

    def coasts(self, now: int, places: Places) -> list[tuple[Place, int | None]]:
        """After a silence: what a car that was a moment short of a line must have passed since."""
        at = self.progress
        if self.coasted or at.m is None or self.seen_ms is None or now - self.seen_ms < SILENCE_MS:
            return []
        self.coasted = True
        if at.speed <= STANDING_KMH:
            return []
        since = Shown(at.m, at.t, at.speed / KMH)
        return self.passes(since, Shown(at.m + since.speed * COAST_MS / 1_000, at.t + COAST_MS, since.speed), places)

    def stands(self, t: int, speed: float) -> None:
        """Keep the longest stay in one place of the present visit to the pit lane."""
        if speed > STANDING_KMH:
            self.standing_from = None
        elif self.standing_from is None:
            self.standing_from = t
        elif self.visits:
            self.visits[-1].standing_ms = max(self.visits[-1].standing_ms, t - self.standing_from)

    def fit(self, told: TyreChange, racing: bool) -> None:
        """Another set is on the car, or another one than was told: there is one change to a visit to the pit lane.

        What was on the car before the race (``racing`` is False) it has not raced on.
        """
        if not racing:
            self.sets.clear()
        visit = self.visits[-1] if racing and self.visits else None
        if self.sets and (visit is None or visit.changed):
            first_lap = self.sets.pop().first_lap
        elif visit is None:
            first_lap = max(told.lap, 1)
        else:
            first_lap = visit.lap + 1
        self.sets.append(TyreSet(told.compound, first_lap, told.tyre_life, told.fresh))
        if self.visits:
            self.visits[-1].changed = True

    def wears(self, compound: str, laps: int | None, lap: int) -> None:
        """The record of ``lap``: driven on ``compound``, with ``laps`` on the set at its end."""
        after_lap(self.sets, compound, laps, lap, [visit.lap for visit in self.visits])

    @property
    def compound(self) -> str | None:
        """Of the set that is on the car."""
        return self.sets[-1].compound if self.sets else None

    def tyre_age(self) -> int | None:
        """Laps completed on the set."""
        if not self.sets or self.sets[-1].life_before is None:
            return None
        return self.sets[-1].life_before + max(self.lap + 1 - self.sets[-1].first_lap, 0)

    def stops(self) -> list[Visit]:
        """The pit stops: visits that changed tyres while the race was on."""
        return [visit for visit in self.visits if visit.changed and not visit.suspended]
