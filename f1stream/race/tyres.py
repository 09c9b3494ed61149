"""A car's stints: the sets of tyres that it has driven on, one after the other."""

from __future__ import annotations

from dataclasses import dataclass

from models.frame import Stint

UNKNOWN = {"UNKNOWN", "TEST_UNKNOWN", ""}
"""Compounds that mean unknown."""


@dataclass(slots=True)
class TyreSet:
    """A set on the car. A set fitted at a stop is first driven on the lap after the one on which the car came in."""

    compound: str
    first_lap: int
    life_before: int | None
    """Laps on the set when ``first_lap`` began."""
    fresh: bool | None


def fit(sets: list[TyreSet], new: TyreSet, *, changed: bool) -> None:
    """Add ``new``, or replace the set with the same first lap.

    ``changed`` is False: no set was fitted then, the car continued on the one before; a set of that lap is removed.
    """
    known = next((n for n, one in enumerate(sets) if one.first_lap == new.first_lap), None)
    if not changed and any(one.first_lap < new.first_lap for one in sets):
        if known is not None:
            del sets[known]
    elif known is not None:
        sets[known] = new
    else:
        sets.append(new)
        sets.sort(key=lambda one: one.first_lap)


def driven(sets: list[TyreSet], passes: set[int]) -> list[TyreSet]:
    """``sets`` without those that exist only in the source's count of laps.

    ``passes``: laps on which the car drove through the pit lane without stopping. A set of the same compound that
    begins then is the one before: the feed sometimes restarts its age.
    """
    found: list[TyreSet] = []
    for one in sets:
        if not (found and found[-1].compound == one.compound and one.first_lap - 1 in passes):
            found.append(one)
    return found


def after_lap(sets: list[TyreSet], compound: str, laps: int | None, lap: int, visited: list[int]) -> None:
    """Correct the last set by the record of ``lap``: driven on ``compound``, with ``laps`` on the set at its end.

    ``visited``: laps on which the car came into the pit lane, and may have changed tyres. A set that is younger than
    its stint was fitted at one of these visits without a message; without any, the stint began later than published.
    """
    if compound in UNKNOWN:
        return
    if not sets:
        first = 1 if laps is None else max(lap - laps + 1, 1)
        sets.append(TyreSet(compound, first, None if laps is None else laps - (lap - first + 1), None))
        return
    last = sets[-1]
    driven = lap - last.first_lap + 1
    if driven <= 0:  # a lap on the set before
        return
    if laps is None or laps >= driven:
        last.compound = compound
        last.life_before = last.life_before if laps is None else laps - driven
        return
    first = lap - laps + 1
    if any(last.first_lap <= came_in < first for came_in in visited):
        sets.append(TyreSet(compound, first, 0, None))
    else:
        last.compound, last.first_lap, last.life_before = compound, first, 0


def stints(sets: list[TyreSet], lap: int) -> tuple[Stint, ...]:
    """The stints for a frame, with ``lap`` laps completed."""
    ends = [*(later.first_lap for later in sets[1:]), lap + 1]
    return tuple(
        Stint.model_construct(
            compound=one.compound,
            first_lap=one.first_lap,
            laps=max(min(end, lap + 1) - one.first_lap, 0),
            tyre_life_before=one.life_before,
            fresh=one.fresh,
        )
        for one, end in zip(sets, ends, strict=False)
    )
