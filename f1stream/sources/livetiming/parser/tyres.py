"""A car's sets of tyres, from the stints in ``TimingAppData``.

The feed numbers stints from 0 and begins one whenever a car has been in the pit lane. It does so late or early, uses
a number twice, and corrects earlier stints. What a car drove is known more reliably: it is on one set between two
visits to the pit lane. So each stint of the feed is assigned to the run of laps that it belongs to.
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
"""Laps on one set; with more, which is a mistake of the feed, the set's age is unknown. No race has as many laps."""
OF_A_SET = {"Compound", "New", "StartLaps", "TyresNotChanged"}
"""The fields of a stint that identify a set; ``TotalLaps`` only counts."""


@dataclass(slots=True)
class TyreStint:
    """The laps driven on a set of tyres between two visits to the pit lane."""

    number: int
    """From 0, of the stints that the feed has sent."""
    first_lap: int
    compound: str | None
    is_fresh: bool | None
    laps_before: int | None
    """Laps on the set when ``first_lap`` began; None if unknown."""
    is_changed: bool
    """False if the car left the pit lane on the set that it came with."""

    @property
    def is_known(self) -> bool:
        """Whether the feed knows the compound."""
        return self.compound not in {None, *UNKNOWN_COMPOUNDS}


@dataclass(slots=True)
class TyreRun:
    """The laps between two visits to the pit lane."""

    first_lap: int | None
    """None while it is not known: we began to receive later."""
    stint: int | None = None
    """The feed's number of the stint that is assigned to it."""
    replaced: dict[str, Any] | None = None
    """The fields of ``stint`` before the feed used its number for the following run."""


@dataclass
class CarTyres:
    """A car's stints as the feed sent them, and the runs that they are assigned to."""

    sent: dict[int, dict[str, Any]] = field(default_factory=dict)
    """By the feed's number: its fields so far."""
    runs: list[TyreRun] = field(default_factory=lambda: [TyreRun(1)])
    joined: tuple[int, bool] | None = None
    """At the last snapshot: laps driven, and whether the car was in the pit lane."""
    is_state: bool = False
    """Whether the latest message was a snapshot, not a change."""
    published: dict[int, TyreChange] = field(default_factory=dict)
    """By first lap, as last published."""

    def take(self, line: dict[str, Any], *, snapshot: bool = False) -> bool:
        """Apply a change of the car's line (``snapshot``: the whole line); returns whether it was about its sets."""
        stints = [(number, change) for number, change in indexed(line.get("Stints")) if isinstance(change, dict)]
        about = [number for number, change in stints if change.keys() & OF_A_SET]
        for number, change in stints:
            before = self.sent.get(number, {})
            if self._begins_again(number, before, change):
                self.runs[-2].replaced, self.runs[-1].stint = before, number
            self.sent[number] = before | change
        self.is_state = snapshot
        self._assign(sorted(self.sent) if snapshot else about)
        return bool(about)

    def enter_pit_lane(self, lap: int) -> None:
        """The car came into the pit lane on ``lap``."""
        self.runs.append(TyreRun(lap + 1))

    def restart(self) -> None:
        """The start of the race was aborted: earlier visits to the pit lane do not belong to it."""
        self.runs = self.runs[:1]

    def join(self, laps: int, visits: int, *, is_in: bool, is_new: bool, came_in: int | None = None) -> None:
        """Apply a snapshot of the car's timing, the first (``is_new``) or one after a lost connection.

        The car has driven ``laps`` laps, with ``visits`` to the pit lane; ``is_in``: it is there. ``came_in``: the
        lap on which it came in while nothing was received. The feed does not count every visit of a practice.
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
        if is_new or self.is_state:  # else the feed's counts are from before the lost connection
            self._assign(sorted(self.sent))
            self._find_first_laps()

    def stints(self) -> list[TyreStint]:
        """The stints so far after all corrections, oldest first; of several that begin on one lap, the last."""
        found: list[TyreStint] = []
        known: TyreStint | None = None
        for run in self.runs:
            fields = self._fields(run)
            if fields is None or run.first_lap is None:
                continue
            stint = self._stint(len(found), run.first_lap, fields, known)
            known = stint if stint.is_known else known
            if found and found[-1].first_lap == stint.first_lap:
                stint.is_changed |= found.pop().is_changed
            found.append(stint)
        return found

    def changes(self, car: str, at_ms: int) -> list[TyreChange]:
        """The changes to publish: new sets, and sets that were published with other values."""
        stints = [stint for stint in self.stints() if stint.is_known]
        on_lap = None if self.joined is None else self.joined[0] + 1
        changes = {
            stint.first_lap: TyreChange(
                session_time_ms=at_ms, driver_number=car, lap=stint.first_lap, compound=stint.compound or "",
                tyre_life=stint.laps_before, fresh=stint.is_fresh, changed=stint.is_changed, on_lap=on_lap,
            )
            for stint in stints
        }  # fmt: skip
        for lap, before in self.published.items():  # published for another lap than the right one
            changes.setdefault(lap, before.model_copy(update={"changed": False, "session_time_ms": at_ms}))
        new = [change for lap, change in sorted(changes.items()) if not _same(change, self.published.get(lap))]
        self.published |= {change.lap: change for change in new}
        return new

    def _begins_again(self, number: int, before: dict[str, Any], change: dict[str, Any]) -> bool:
        """Whether the feed reuses the number of the run before, on which the car has driven, for a new set."""
        if len(self.runs) < 2 or self.runs[-1].stint is not None or self.runs[-2].stint != number:
            return False
        laps = as_int(change.get("TotalLaps"))
        starts = as_int(change.get("StartLaps", before.get("StartLaps")))
        return "Compound" in change and laps is not None and laps == starts and bool(self._driven(self.runs[-2]))

    def _assign(self, numbers: list[int]) -> None:
        """Assign stints to the runs without one. A stint that is sent before its visit to the pit lane waits."""
        last = max((n for n, run in enumerate(self.runs) if run.stint is not None), default=-1)
        before = -1 if last < 0 else self.runs[last].stint or 0
        new = [number for number in numbers if number > before]
        free = self.runs[last + 1 :]
        if not new or not free:
            return
        if last < 0 and self.joined is not None:  # the last set is on the car, unless it gets another one now
            free = free[:-1] if self.joined[1] and len(new) < len(free) else free
            free, new = free[-len(new) :], new[-len(free) :]
        elif len(new) < len(free):  # earlier stints are sent late: the feed counts a stint for each visit
            free = free[min(new[0] - before - 1, len(free) - len(new)) :]
        for run, number in zip(free, new, strict=False):
            run.stint = number
        self._find_first_laps()

    def _find_first_laps(self) -> None:
        """For runs that began unseen: the first lap by the feed's counts (``TotalLaps`` - ``StartLaps``)."""
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

    def _fields(self, run: TyreRun) -> dict[str, Any] | None:
        if run.replaced is not None:
            return run.replaced
        return None if run.stint is None else self.sent[run.stint]

    def _driven(self, run: TyreRun) -> int | None:
        """The laps of a run by the feed's counts."""
        fields = self._fields(run) or {}
        total, start = as_int(fields.get("TotalLaps")), as_int(fields.get("StartLaps"))
        return None if total is None or start is None else min(max(total - start, 0), MOST_LAPS)

    def _stint(self, number: int, first_lap: int, fields: dict[str, Any], before: TyreStint | None) -> TyreStint:
        stint = TyreStint(
            number=number, first_lap=first_lap, compound=_compound(fields.get("Compound")),
            is_fresh=fields["New"] in ("true", True) if "New" in fields else None,
            laps_before=_laps(fields.get("StartLaps")), is_changed=True,
        )  # fmt: skip
        if not stint.is_known:
            stint.laps_before = None
        if not stint.is_known or before is None or fields.get("TyresNotChanged") in ("0", 0, False):
            return stint
        stint.is_changed = stint.compound != before.compound
        if (
            not stint.is_changed and before.laps_before is not None
        ):  # a set that stays on the car does not get younger
            age = before.laps_before + first_lap - before.first_lap
            stint.laps_before = min(max(age, stint.laps_before or 0), MOST_LAPS)
        return stint


def stint_of(stints: list[TyreStint], lap: int) -> TyreStint | None:
    """The stint that ``lap`` belongs to; None if unknown."""
    return next((stint for stint in reversed(stints) if stint.first_lap <= lap), None)


def _compound(text: Any) -> str | None:
    return text if isinstance(text, str) and text.isascii() and text.isprintable() and len(text) <= 20 else None


def _laps(value: Any) -> int | None:
    laps = as_int(value)
    return laps if laps is not None and 0 <= laps <= MOST_ON_A_SET else None


def _same(one: TyreChange, other: TyreChange | None) -> bool:
    return other is not None and one == other.model_copy(update={"session_time_ms": one.session_time_ms})


def corrected(facts: list[Message]) -> list[Message]:
    """A recording's facts, with the final values of each set at the time it was first published.

    ``on_lap`` is kept: after a reconnect it is where the car was then, not where it was when the set was published.
    """
    latest = {(fact.driver_number, fact.lap): fact for fact in facts if isinstance(fact, TyreChange)}
    found: list[Message] = []
    for fact in facts:
        if isinstance(fact, TyreChange):
            known = latest.pop((fact.driver_number, fact.lap), None)
            if known is None:
                continue  # a correction of what is corrected here
            found.append(known.model_copy(update={"session_time_ms": fact.session_time_ms, "on_lap": fact.on_lap}))
        else:
            found.append(fact)
    return found


def corrected_laps(laps: list[Lap]) -> list[Lap]:
    """A recording's laps, with the final tyres of each lap in all of its revisions."""
    latest = {(lap.driver_number, lap.lap_number): lap for lap in laps}
    tyres = ("stint", "compound", "tyre_life", "fresh_tyre")
    return [
        lap.model_copy(update={name: getattr(latest[lap.driver_number, lap.lap_number], name) for name in tyres})
        for lap in laps
    ]
