"""One car: its progress, the timing lines it crossed and when, its pit visits, tyres and laps."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil
from typing import Annotated

from pydantic import Field

from f1stream.race.progress import Progress
from f1stream.race.timing_points import Observation, TimingPoints
from f1stream.race.tyres import TyreSet, after_lap, driven, fit
from models import Timing, TyreChange
from models.frame import Sector

LINES = 60
"""Timing lines a lap, equally spaced; line 0 of a lap is the finish line."""
CROSSINGS = 140
"""Crossing times kept, two laps and a third: the gap of a car that is about to be lapped twice needs the leader's
crossing times of two laps ago."""
STATIONARY_KMH = 2.0
"""km/h. A car in the pit lane is stationary up to this speed."""
CHANGE_MS = 1_700
"""ms. No tyre change takes less: the quickest stop took 1.80 s (Qatar 2023)."""
STOOD_MS = 1_000
"""ms. Shortest time that samples show a car stationary during a tyre change: they are at most 0.3 s apart when none
is lost."""
NEXT_UNKNOWN = -1e9
"""For ``Car.next_m``: the points ahead of the car must be looked up again."""


@dataclass(slots=True)
class PitVisit:
    """One pass through the pit lane."""

    lap: int
    in_ms: int
    out_ms: int | None = None
    stationary_ms: Annotated[int, Field(alias="standing_ms")] = 0
    """The longest time in one place."""
    changed: bool = False
    """A message says that tyres were changed."""
    kept: bool = False
    """A message says that tyres were not changed."""
    seen_ms: int | None = None
    """The latest sample from the pit lane."""
    unseen_ms: int = 0
    """The longest time without a sample, from the pit entry to ``seen_ms``."""
    suspended: bool = False
    """The race was suspended meanwhile: a tyre change then is no pit stop."""

    @property
    def is_drive_through(self) -> bool:
        """Whether the samples show that the car did not stop: no tyres were changed."""
        if self.out_ms is None or self.seen_ms is None:
            return False
        return max(self.unseen_ms, self.out_ms - self.seen_ms) < CHANGE_MS and self.stationary_ms < STOOD_MS


@dataclass(slots=True)
class FeedBest:
    """A car's best lap in one part of a practice or qualifying, as the feed shows it."""

    ms: int | None
    """None: the feed has withdrawn it, or there is none yet."""
    lap: int | None
    """None where neither the feed nor a lap record has the number."""
    since_ms: int
    """Session time from which it was shown."""
    deleted_ms: int | None = None
    """When race control deleted it, if the feed still shows it."""


@dataclass(slots=True)
class Car:
    """Everything the rules know of one car, as plain values: part of a checkpoint.

    An alias is the field's name in checkpoints, which releases before and after this one read and write.
    """

    number: str
    grid: int
    """Index in the list of entries, from 0."""
    progress: Progress = field(default_factory=Progress)
    line: int = -1
    """The last timing line crossed, counted from the start: lap n ends at line 60 n."""
    line_ms: int = 0
    times: list[int] = field(default_factory=list)
    """When the last ``CROSSINGS`` lines were crossed; the last one is ``line``."""
    next_m: float = NEXT_UNKNOWN
    """Progress (m) before which no point is passed: most samples cost one comparison."""
    measured_line: int = -1
    """The last line crossed by samples; ``line`` also counts official times, and can be ahead or behind."""
    measured_at: list[tuple[int, int] | None] = field(default_factory=lambda: [None] * 3)
    """For the finish line and the two sector lines, the (lap, session time) last measured."""
    official_at: list[tuple[int, int] | None] = field(default_factory=lambda: [None] * 3)
    """The same, official."""
    awaited: list[tuple[int, int, int]] = field(default_factory=list)
    """(point, lap, session time) of official times whose position the next sample will show."""
    seen_at: list[Observation] = field(default_factory=list)
    """Observations of this lap, learned from when the lap is complete."""
    passed_finish: Observation | None = None
    """Where the finish line was assumed to be when the car last passed it."""
    seen_ms: int | None = None
    """Its latest sample."""
    stationary_since: Annotated[int | None, Field(alias="standing_from")] = None
    """Session time from which it has not moved, in the pit lane."""
    coasted: bool = False
    """``coast_to_lines`` was applied since the latest sample."""
    in_pit: bool = False
    waits: bool = False
    """It starts from the pit lane and has not left it."""
    visits: list[PitVisit] = field(default_factory=list)
    sets: list[TyreSet] = field(default_factory=list)
    """Sets of tyres in the order in which they were fitted; the last one is on the car."""
    joined_on: int = 1
    """The lap that it was on when the run began."""
    lap_times: dict[str, int] = field(default_factory=dict)
    """Valid lap times by lap number (text, as JSON has it); a deleted lap is not among them."""
    feed_bests: Annotated[dict[int, FeedBest], Field(alias="shown_bests")] = field(default_factory=dict)
    """By part of a practice or qualifying, from 0: its best lap as the feed shows it."""
    lap_ends: dict[str, int] = field(default_factory=dict)
    """Session time at which each lap ended, official where that is known."""
    last_lap: tuple[int, int] | None = None
    """(lap number, ms)."""
    lap_end_ms: int | None = None
    """Session time at which its last lap ended."""
    sectors: list[Sector | None] = field(default_factory=lambda: [None] * 3)
    sector_bests: list[int | None] = field(default_factory=lambda: [None] * 3)
    speed_trap: int | None = None
    retired: bool = False
    stopped: bool = False
    """Retired by our rule only, not by the feed: until its next sign of life. See ``retirements``."""
    heard_ms: int | None = None
    """Its last sign of life since the start; None without one."""
    pause_ms: int = 0
    """Time between its last two signs of life."""
    led_at_pit_in: int = 0
    """``Race.laps_led`` when it entered the pits."""
    finished: bool = False
    eliminated: bool = False
    """It is out of this qualifying."""
    timing: Timing | None = None
    """The feed's own timing of it, as last published."""

    @property
    def lap(self) -> int:
        """Laps completed."""
        return max(self.line, 0) // LINES

    def start(self, at: int, points: TimingPoints | None) -> None:
        """Start the race at session time ``at``: lap 1 begins at the finish line nearest to the car."""
        self.line_ms = at
        self.heard_ms, self.pause_ms = None, 0
        self.visits.clear()  # cars drive through the pit lane on their way to the grid
        if points is None:
            return
        length_m = points.length_m
        self.line, self.next_m = -1, NEXT_UNKNOWN
        self.times.clear()
        if self.progress.m is not None:
            self.progress.m = (self.progress.m + length_m / 2) % length_m - length_m / 2
            self.measured_line = int(self.progress.m // (length_m / LINES))

    def set_lap(self, length_m: float) -> None:
        """Add the laps that the car is known to have completed to its first position on the reference line."""
        assert self.progress.m is not None  # noqa: S101
        along = self.progress.m / length_m
        if self.line > self.measured_line + LINES // 2:  # official laps are ahead of the samples, by less than a lap
            laps = ceil((self.line - 1) / LINES - along)
        else:
            laps = round(self.measured_line / LINES - along)
        self.progress.m += laps * length_m
        self.measured_line = int(self.progress.m // (length_m / LINES))
        self.next_m = NEXT_UNKNOWN

    def correct_lap_count(self, laps: int, length_m: float) -> None:
        """Take over the official lap count where measuring has lost it: a late start, a gap in the samples."""
        lost = round(laps - self.measured_line / LINES)
        if self.progress.m is not None and lost:
            self.progress.m += lost * length_m
            self.measured_line += lost * LINES
            self.next_m = NEXT_UNKNOWN

    def time_at(self, line: int) -> int | None:
        """When ``line`` was crossed; None if that is unknown, or no longer kept."""
        back = self.line - line
        return self.times[-1 - back] if 0 <= back < len(self.times) else None

    def cross(self, line: int, time_ms: int) -> bool:
        """Record that ``line`` was crossed at ``time_ms``; lines missed before it are spaced evenly in time.

        False, and nothing is recorded, for a line crossed before, and after the finish.
        """
        if line <= self.line or self.finished:
            return False
        time_ms = max(time_ms, self.line_ms)
        missed = line - self.line
        since = self.line_ms
        for step in range(max(1, missed - CROSSINGS), missed + 1):
            self.times.append(since + (time_ms - since) * step // missed)
        del self.times[:-CROSSINGS]
        self.line, self.line_ms = line, time_ms
        return True

    def correct_time(self, line: int, time_ms: int) -> bool:
        """Replace the time of a line crossed before by its official time. True if that changes anything."""
        if self.time_at(line) in (None, time_ms):
            return False
        self.times[line - self.line - 1] = time_ms
        if line == self.line:
            self.line_ms = time_ms
        if line == self.lap * LINES:
            self.lap_end_ms = time_ms
        return True

    def update_visit(self, t: int, speed: float) -> bool:
        """Apply a sample from the pit lane: the visit's longest time in one place, and without a sample.

        True if the car's time in one place has grown.
        """
        visit = self.visits[-1] if self.visits else None
        if visit is not None:
            visit.unseen_ms = max(visit.unseen_ms, t - (visit.in_ms if visit.seen_ms is None else visit.seen_ms))
            visit.seen_ms = t
        if speed > STATIONARY_KMH:
            self.stationary_since = None
        elif self.stationary_since is None:
            self.stationary_since = t
        elif visit is not None and t - self.stationary_since > visit.stationary_ms:
            visit.stationary_ms = t - self.stationary_since
            return True
        return False

    def fit_tyres(self, change: TyreChange, racing: bool) -> None:
        """Apply a tyre change, or the correction of one.

        Before the start (``racing`` is False) the set replaces all earlier ones: the car has not raced on them.
        """
        first_lap = max(change.lap, 1)
        if self.finished and first_lap > self.lap:
            return  # published after the flag: the set was not driven
        if not racing and first_lap == 1:
            self.sets.clear()
        self.joined_on = max(change.on_lap or 1, self.joined_on)
        fit(self.sets, TyreSet(change.compound, first_lap, change.tyre_life, change.fresh), changed=change.changed)
        visit = next((visit for visit in reversed(self.visits) if visit.lap == first_lap - 1), None)
        if visit is not None:
            visit.changed, visit.kept = change.changed, not change.changed

    def update_tyres(self, compound: str, laps: int | None, lap: int) -> None:
        """Apply the record of ``lap``: driven on ``compound``, with ``laps`` on the set at its end."""
        after_lap(self.sets, compound, laps, lap, [visit.lap for visit in self.visits if not visit.kept])

    @property
    def compound(self) -> str | None:
        """Compound of the set that is on the car."""
        return self.sets[-1].compound if self.sets else None

    def driven_sets(self) -> list[TyreSet]:
        """``sets`` without those that its pit visits contradict."""
        passes = {visit.lap for visit in self.visits if visit.is_drive_through}
        return driven(self.sets, passes) if passes else self.sets

    def tyre_age(self) -> int | None:
        """Laps completed on the set."""
        if not self.sets or (last := self.driven_sets()[-1]).life_before is None:
            return None
        return last.life_before + max(self.laps_driven + 1 - last.first_lap, 0)

    @property
    def laps_driven(self) -> int:
        """Laps completed, including those before the run began."""
        return max(self.lap, self.joined_on - 1)

    def stops(self) -> list[PitVisit]:
        """The pit stops: visits that changed tyres while the race was on."""
        sets = self.driven_sets()
        none = {one.first_lap - 1 for one in self.sets if one not in sets} if len(sets) < len(self.sets) else set()
        return [visit for visit in self.visits if visit.changed and not visit.suspended and visit.lap not in none]

    def stops_unseen(self) -> int:
        """Stops before the run began: changes of sets without a visit while the earlier set was driven."""
        visited = sorted(visit.lap for visit in self.visits)
        return sum(
            bisect_left(visited, before.first_lap) == bisect_left(visited, after.first_lap)
            for before, after in pairwise(self.sets)
        )
