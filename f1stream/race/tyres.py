"""The sets of tyres that a car has driven on, one after the other: its stints."""

from __future__ import annotations

from dataclasses import dataclass

from models.frame import Stint

UNKNOWN = {"UNKNOWN", "TEST_UNKNOWN", ""}
"""What sources say of a set whose compound they do not know."""


@dataclass(slots=True)
class TyreSet:
    """A set on the car. A set put on at a stop is first driven on the lap after the one on which the car came in."""

    compound: str
    first_lap: int
    life_before: int | None
    """Laps on the set when ``first_lap`` began."""
    fresh: bool | None


def put_on(sets: list[TyreSet], new: TyreSet, *, changed: bool) -> None:
    """``new`` is on the car from its first lap on; what was known of that lap is corrected.

    ``changed`` is False: nothing was put on then, the car went on with the set before.
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
    """``sets`` without those that only a source's count begins.

    ``passes``: laps on which the car came into the pit lane and did not stand still there. A set of the same compound
    as before that was put on then is the one before: the feed sometimes begins its age again.
    """
    found: list[TyreSet] = []
    for one in sets:
        if not (found and found[-1].compound == one.compound and one.first_lap - 1 in passes):
            found.append(one)
    return found


def after_lap(sets: list[TyreSet], compound: str, laps: int | None, lap: int, visited: list[int]) -> None:
    """The record of ``lap`` says: driven on ``compound``, ``laps`` on the set with this one. Corrects the last set.

    ``visited``: laps on which the car came into the pit lane, and may have changed tyres. A set that is younger than
    its stint was put on at one of these visits, though nobody told; without any, the stint began later than was told.
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
    """As a frame has them, ``lap`` laps being completed."""
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
