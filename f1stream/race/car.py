"""One car on its way: the lines it crossed and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil
from typing import NamedTuple

from f1stream.race.kept import AWAITED
from f1stream.race.places import FINISH, PIT_FINISH, SECTOR_1, SECTOR_2, Place, Places, Seen
from f1stream.race.progress import KMH, SILENCE_MS, Progress
from f1stream.race.tyres import TyreSet, after_lap, driven, put_on
from models import Timing, TyreChange
from models.frame import Sector

LINES = 60
"""Timing lines a lap, equally spaced; line 0 of a lap is the finish line."""
KEPT = 140
"""Crossings kept: more than two laps, so that the leader's are there for a car about to be lapped twice over."""
COAST_MS = 600
"""A car that falls silent this short of a line has crossed it: recordings end at the flag."""
STANDING_KMH = 2.0
CHANGE_MS = 1_700
"""ms. No car has stood for less when its tyres were changed: the quickest stop took 1.80 s (Qatar 2023)."""
STOOD_MS = 1_000
"""ms. Samples show so much of any such stop: they are 0.3 s apart at most when nothing is lost."""
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
    """Tyres were changed, by what was published."""
    kept: bool = False
    """Tyres were not changed, by what was published."""
    seen_ms: int | None = None
    """The latest sample from the pit lane."""
    unseen_ms: int = 0
    """The longest time without a sample, from the pit entry to ``seen_ms``."""
    suspended: bool = False
    """The race was suspended meanwhile: whatever was changed, it was no stop."""

    @property
    def passed(self) -> bool:
        """Whether it is known that the car did not stand still: no tyres were changed."""
        if self.out_ms is None or self.seen_ms is None:
            return False
        return max(self.unseen_ms, self.out_ms - self.seen_ms) < CHANGE_MS and self.standing_ms < STOOD_MS


@dataclass(slots=True)
class ShownBest:
    """The best lap of a car in one part of a practice or qualifying, as the feed shows it."""

    ms: int | None
    """None: the feed has taken it back, or there is none yet."""
    lap: int | None
    """None where neither the feed nor a lap of ours has it."""
    since_ms: int
    """Session time from which it was shown."""
    deleted_ms: int | None = None
    """When race control deleted it, if the feed still shows it."""


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
    joined_on: int = 1
    """The lap that it was on when we began to listen."""
    lap_times: dict[str, int] = field(default_factory=dict)
    """Valid lap times by lap number (text, as JSON has it); a deleted lap is not among them."""
    shown_bests: dict[int, ShownBest] = field(default_factory=dict)
    """By part of a practice or qualifying, from 0, what the feed shows as its best lap."""
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
    """Retired by our rule only, not by the feed: until its next sign of life."""
    heard_ms: int | None = None
    """Its last sign of life since the start; None: there was none."""
    pause_ms: int = 0
    """Between its last two."""
    led_at_pit_in: int = 0
    """``State.laps_led`` when it came into the pits."""
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
        self.heard_ms, self.pause_ms = None, 0
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
        along = self.progress.m / length_m
        if self.line > self.measured_line + LINES // 2:  # by its laps; since then it has come less than a lap
            laps = ceil((self.line - 1) / LINES - along)
        else:
            laps = round(self.measured_line / LINES - along)
        self.progress.m += laps * length_m
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
        """A sample from the pit lane: keep the present visit's longest stay in one place."""
        visit = self.visits[-1] if self.visits else None
        if visit is not None:
            visit.unseen_ms = max(visit.unseen_ms, t - (visit.in_ms if visit.seen_ms is None else visit.seen_ms))
            visit.seen_ms = t
        if speed > STANDING_KMH:
            self.standing_from = None
        elif self.standing_from is None:
            self.standing_from = t
        elif visit is not None:
            visit.standing_ms = max(visit.standing_ms, t - self.standing_from)

    def fit(self, change: TyreChange, racing: bool) -> None:
        """Another set is on the car, or another one than was published, or none after all.

        What was on the car before the race (``racing`` is False) it has not raced on.
        """
        first_lap = max(change.lap, 1)
        if self.finished and first_lap > self.lap:
            return  # announced after the flag: it was not driven
        if not racing and first_lap == 1:
            self.sets.clear()
        self.joined_on = max(change.on_lap or 1, self.joined_on)
        put_on(self.sets, TyreSet(change.compound, first_lap, change.tyre_life, change.fresh), changed=change.changed)
        visit = next((visit for visit in reversed(self.visits) if visit.lap == first_lap - 1), None)
        if visit is not None:
            visit.changed, visit.kept = change.changed, not change.changed

    def wears(self, compound: str, laps: int | None, lap: int) -> None:
        """The record of ``lap``: driven on ``compound``, with ``laps`` on the set at its end."""
        after_lap(self.sets, compound, laps, lap, [visit.lap for visit in self.visits if not visit.kept])

    @property
    def compound(self) -> str | None:
        """Of the set that is on the car."""
        return self.sets[-1].compound if self.sets else None

    def driven_sets(self) -> list[TyreSet]:
        """``sets`` as the visits to the pit lane bear them out."""
        passes = {visit.lap for visit in self.visits if visit.passed}
        return driven(self.sets, passes) if passes else self.sets

    def tyre_age(self) -> int | None:
        """Laps completed on the set."""
        if not self.sets or (last := self.driven_sets()[-1]).life_before is None:
            return None
        return last.life_before + max(self.laps_driven + 1 - last.first_lap, 0)

    @property
    def laps_driven(self) -> int:
        """Laps completed, those too that we have not heard."""
        return max(self.lap, self.joined_on - 1)

    def stops(self) -> list[Visit]:
        """The pit stops: visits that changed tyres while the race was on."""
        sets = self.driven_sets()
        none = {one.first_lap - 1 for one in self.sets if one not in sets} if len(sets) < len(self.sets) else set()
        return [visit for visit in self.visits if visit.changed and not visit.suspended and visit.lap not in none]

    def stops_unseen(self) -> int:
        """Stops from before we began to listen: changes of sets without a visit while the earlier one was driven."""
        visited = [visit.lap for visit in self.visits]
        return sum(
            not any(before.first_lap <= lap < after.first_lap for lap in visited)
            for before, after in pairwise(self.sets)
        )
