"""A car's sets of tyres, as ``TimingAppData`` lists its stints.

The feed numbers stints from 0 and begins one whenever a car has been in the pit lane. It does so late or early, sets
the number twice, and corrects what it said of earlier ones. What a car drove is known better: it is on one set
between two visits to the pit lane. So each stint of the feed is given to the run of laps that it is about.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from f1stream.sources.livetiming.parser.merge import indexed
from f1stream.sources.livetiming.parser.values import as_int
from models import Lap, Message, TyreChange
from models.bounds import MOST_LAPS

UNKNOWN_COMPOUNDS = {"UNKNOWN", "TEST_UNKNOWN"}
MOST_ON_A_SET = 200
"""Laps. No race has as many; more is a mistake, and the age is unknown."""
OF_A_SET = {"Compound", "New", "StartLaps", "TyresNotChanged"}
"""The fields that say which set it is; ``TotalLaps`` only counts."""


@dataclass(slots=True)
class TyreStint:
    """A set of tyres and the laps driven on it, or as much of them as lies between two visits to the pit lane."""

    number: int
    """From 0, of those that the feed has announced."""
    first_lap: int
    compound: str | None
    is_fresh: bool | None
    laps_before: int | None
    """Laps on the set when ``first_lap`` began; None where nobody knows."""
    is_changed: bool
    """False where the car left the pit lane on the set that it came with."""

    @property
    def is_known(self) -> bool:
        """Whether the feed knows the compound."""
        return self.compound not in {None, *UNKNOWN_COMPOUNDS}


@dataclass(slots=True)
class TyreRun:
    """The laps between two visits to the pit lane."""

    first_lap: int | None
    """None as long as it is not known: we began to listen later."""
    stint: int | None = None
    """The feed's number of the stint that it announced for it."""
    replaced: dict[str, Any] | None = None
    """What the feed said of ``stint`` before it used the number for the following run."""


@dataclass
class CarTyres:
    """A car's stints: as the feed has announced them, and the runs that they belong to."""

    announced: dict[int, dict[str, Any]] = field(default_factory=dict)
    """By the feed's number: its fields so far."""
    runs: list[TyreRun] = field(default_factory=lambda: [TyreRun(1)])
    joined: tuple[int, bool] | None = None
    """When we last began to listen: laps driven, and whether the car was in the pit lane."""
    is_state: bool = False
    """The latest that was taken was a state of the feed, not a change."""
    published: dict[int, TyreChange] = field(default_factory=dict)
    """By first lap."""

    def take(self, line: dict[str, Any], *, snapshot: bool = False) -> bool:
        """Apply a change of the car's line (``snapshot``: all of it); returns whether it was about its sets."""
        stints = [(number, change) for number, change in indexed(line.get("Stints")) if isinstance(change, dict)]
        about = [number for number, change in stints if change.keys() & OF_A_SET]
        for number, change in stints:
            before = self.announced.get(number, {})
            if self._begins_again(number, before, change):
                self.runs[-2].replaced, self.runs[-1].stint = before, number
            self.announced[number] = before | change
        self.is_state = snapshot
        self._give(sorted(self.announced) if snapshot else about)
        return bool(about)

    def enters(self, lap: int) -> None:
        """The car came into the pit lane on ``lap``."""
        self.runs.append(TyreRun(lap + 1))

    def restarts(self) -> None:
        """The race starts, or its start was aborted: earlier visits to the pit lane are none of it."""
        self.runs = self.runs[:1]

    def joins(self, laps: int, visits: int, *, is_in: bool, is_new: bool, came_in: int | None = None) -> None:
        """We begin to listen (``is_new``), or again after a loss.

        The car has driven ``laps`` laps, with ``visits`` to the pit lane; ``is_in``: it is there. ``came_in``: the
        lap on which it came in while nothing was heard. The feed does not count every visit of a practice.
        """
        if laps <= 0:
            return
        if is_new:
            self.runs.clear()
        self.runs += [TyreRun(None) for _ in range(visits + 1 - len(self.runs))]
        if came_in is not None and self.runs[-1].first_lap is not None:
            self.runs.append(TyreRun(None))
        if came_in is not None:
            self.runs[-1].first_lap = came_in + 1
        self.joined = laps, is_in
        if is_new or self.is_state:  # else the feed's counts are from before the loss
            self._give(sorted(self.announced))
            self._find_first_laps()

    def stints(self) -> list[TyreStint]:
        """The stints so far, after all corrections, oldest first; of several that begin on one lap the last."""
        found: list[TyreStint] = []
        known: TyreStint | None = None
        for run in self.runs:
            told = self._told(run)
            if told is None or run.first_lap is None:
                continue
            stint = self._stint(len(found), run.first_lap, told, known)
            known = stint if stint.is_known else known
            if found and found[-1].first_lap == stint.first_lap:
                stint.is_changed |= found.pop().is_changed
            found.append(stint)
        return found

    def news(self, car: str, at_ms: int) -> list[TyreChange]:
        """What is to be published: sets that are new, and those of which something else was published."""
        stints = [stint for stint in self.stints() if stint.is_known]
        on_lap = None if self.joined is None else self.joined[0] + 1
        changes = {
            stint.first_lap: TyreChange(
                session_time_ms=at_ms, driver_number=car, lap=stint.first_lap, compound=stint.compound or "",
                tyre_life=stint.laps_before, fresh=stint.is_fresh, changed=stint.is_changed, on_lap=on_lap,
            )
            for stint in stints
        }  # fmt: skip
        for lap, before in self.published.items():  # announced for another lap than it turned out
            changes.setdefault(lap, before.model_copy(update={"changed": False, "session_time_ms": at_ms}))
        news = [change for lap, change in sorted(changes.items()) if not _same(change, self.published.get(lap))]
        self.published |= {change.lap: change for change in news}
        return news

    def _begins_again(self, number: int, before: dict[str, Any], change: dict[str, Any]) -> bool:
        """Whether the feed begins a set under the number of the run before, on which the car has driven."""
        if len(self.runs) < 2 or self.runs[-1].stint is not None or self.runs[-2].stint != number:
            return False
        laps = as_int(change.get("TotalLaps"))
        starts = as_int(change.get("StartLaps", before.get("StartLaps")))
        return "Compound" in change and laps is not None and laps == starts and bool(self._driven(self.runs[-2]))

    def _give(self, numbers: list[int]) -> None:
        """Give stints to the runs that have none. One that is announced ahead of its visit waits for it."""
        last = max((n for n, run in enumerate(self.runs) if run.stint is not None), default=-1)
        before = -1 if last < 0 else self.runs[last].stint or 0
        new = [number for number in numbers if number > before]
        free = self.runs[last + 1 :]
        if not new or not free:
            return
        if last < 0 and self.joined is not None:  # the last one is on the car, unless it will get another one now
            free = free[:-1] if self.joined[1] and len(new) < len(free) else free
            free, new = free[-len(new) :], new[-len(free) :]
        elif len(new) < len(free):  # others are announced late: the feed counts a stint for each visit
            free = free[min(new[0] - before - 1, len(free) - len(new)) :]
        for run, number in zip(free, new, strict=False):
            run.stint = number
        self._find_first_laps()

    def _find_first_laps(self) -> None:
        """Where nobody saw a run begin, the feed's counts (``TotalLaps`` less ``StartLaps``) say when it did."""
        following: int | None = 1
        for run in self.runs:
            driven = self._driven(run)
            if run.first_lap is None and self.joined is not None:
                laps, is_in = self.joined
                if run is not self.runs[-1]:
                    run.first_lap = following
                elif driven is not None or is_in:
                    run.first_lap = max(laps + 1 - (driven or 0), 1)
            following = None if run.first_lap is None or driven is None else run.first_lap + driven

    def _told(self, run: TyreRun) -> dict[str, Any] | None:
        if run.replaced is not None:
            return run.replaced
        return None if run.stint is None else self.announced[run.stint]

    def _driven(self, run: TyreRun) -> int | None:
        """The laps of a run by the feed's counts."""
        told = self._told(run) or {}
        total, start = as_int(told.get("TotalLaps")), as_int(told.get("StartLaps"))
        return None if total is None or start is None else min(max(total - start, 0), MOST_LAPS)

    def _stint(self, number: int, first_lap: int, told: dict[str, Any], before: TyreStint | None) -> TyreStint:
        stint = TyreStint(
            number=number, first_lap=first_lap, compound=_compound(told.get("Compound")),
            is_fresh=told["New"] in ("true", True) if "New" in told else None,
            laps_before=_laps(told.get("StartLaps")), is_changed=True,
        )  # fmt: skip
        if not stint.is_known:
            stint.laps_before = None
        if not stint.is_known or before is None or told.get("TyresNotChanged") in ("0", 0, False):
            return stint
        stint.is_changed = stint.compound != before.compound
        if not stint.is_changed and before.laps_before is not None:  # a set that was not changed does not get younger
            age = before.laps_before + first_lap - before.first_lap
            stint.laps_before = min(max(age, stint.laps_before or 0), MOST_LAPS)
        return stint


def stint_of(stints: list[TyreStint], lap: int) -> TyreStint | None:
    """The stint that ``lap`` is one of."""
    return next((stint for stint in reversed(stints) if stint.first_lap <= lap), None)


def _compound(told: Any) -> str | None:
    return told if isinstance(told, str) and told.isascii() and told.isprintable() and len(told) <= 20 else None


def _laps(told: Any) -> int | None:
    laps = as_int(told)
    return laps if laps is not None and 0 <= laps <= MOST_ON_A_SET else None


def _same(one: TyreChange, other: TyreChange | None) -> bool:
    return other is not None and one == other.model_copy(update={"session_time_ms": one.session_time_ms})


def corrected(facts: list[Message]) -> list[Message]:
    """A recording's facts, with each set from when it was first announced as it is known in the end.

    ``on_lap`` stays: after a reconnect it says where the car was then, not where it was when the set was announced.
    """
    latest = {(fact.driver_number, fact.lap): fact for fact in facts if isinstance(fact, TyreChange)}
    found: list[Message] = []
    for fact in facts:
        if isinstance(fact, TyreChange):
            known = latest.pop((fact.driver_number, fact.lap), None)
            if known is None:
                continue  # it only corrects what has been corrected here
            found.append(known.model_copy(update={"session_time_ms": fact.session_time_ms, "on_lap": fact.on_lap}))
        else:
            found.append(fact)
    return found


def corrected_laps(laps: list[Lap]) -> list[Lap]:
    """Likewise each lap's tyres, in all of its revisions."""
    latest = {(lap.driver_number, lap.lap_number): lap for lap in laps}
    tyres = ("stint", "compound", "tyre_life", "fresh_tyre")
    return [
        lap.model_copy(update={name: getattr(latest[lap.driver_number, lap.lap_number], name) for name in tyres})
        for lap in laps
    ]
