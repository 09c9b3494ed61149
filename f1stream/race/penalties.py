"""Open incidents and penalties of the cars, by the stewards' messages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from f1stream.race.limits import CASES_BYTES
from f1stream.race.order import Distance
from f1stream.race.stewards import StewardsMessage, read_message
from models import RaceControl
from models.frame import MOST_PENALTIES, Penalty


@dataclass(frozen=True, slots=True)
class Case:
    """An incident that is open, or a penalty."""

    cars: tuple[str, ...]
    where: str
    at: str
    penalty: Penalty


def update_cases(cases: tuple[Case, ...], message: RaceControl) -> tuple[Case, ...]:
    """The cases after ``message``, oldest first; ``cases`` itself if it changes none.

    Messages have no case number: a message belongs to the oldest case that it can mean. An incident that is noted
    twice is two cases until a later message says otherwise. A penalty or a warning for one car closes the incident
    for all cars in it. A correction replaces the case that it corrects, even if it names other cars.

    The newest cases that fit into a frame (``CASES_BYTES``) are kept.
    """
    after = _updated(cases, message)
    return after if after is cases else _newest(after)


def _newest(cases: tuple[Case, ...]) -> tuple[Case, ...]:
    left = CASES_BYTES
    for nth in range(len(cases) - 1, -1, -1):
        case = cases[nth]
        left -= len(case.penalty.model_dump_json().encode()) * len(case.cars)
        left -= sum(map(len, case.cars)) + len(case.where.encode())
        if left < 0:
            return cases[nth + 1 :]
    return cases


def _updated(cases: tuple[Case, ...], message: RaceControl) -> tuple[Case, ...]:
    parsed = read_message(message.message)
    if parsed is None:
        return cases
    if parsed.verdict == "served":
        return _served(cases, parsed, message.lap)
    if parsed.verdict in {"given", "closed"}:
        return _punished(cases, parsed, message.lap)
    return _incident(cases, parsed, message.lap)


def _incident(cases: tuple[Case, ...], parsed: StewardsMessage, lap: int | None) -> tuple[Case, ...]:
    known = _incident_match([case for case in cases if case.penalty.kind == "incident"], parsed)
    if parsed.verdict == "dropped":
        return cases if known is None else tuple(case for case in cases if case is not known)
    if known is None:
        return (*cases, _case(parsed, lap))
    now = _case(parsed, known.penalty.lap)
    if not parsed.reason:
        now = replace(now, penalty=now.penalty.model_copy(update={"reason": known.penalty.reason}))
    return tuple(now if case is known else case for case in cases)


def _incident_match(incidents: list[Case], parsed: StewardsMessage) -> Case | None:
    """The incident that a message decides or corrects: with the same cars, else with some in the same place."""
    if parsed.verdict == "noted" and not parsed.corrects:
        return None
    cars = set(parsed.cars)
    same = [case for case in incidents if set(case.cars) == cars]
    if known := _best_match(same, parsed):
        return known
    if not parsed.corrects:  # a decision may leave out cars that were not involved
        some = (case for case in incidents if cars & set(case.cars) and any(_facts_shared(case, parsed)))
        return _best_match(some, parsed)
    if same:  # the correction is of the reason, or of another fact
        return same[-1]

    def likeness(case: Case) -> int:
        return len(cars & set(case.cars)) + sum(_facts_shared(case, parsed))

    alike = [case for case in reversed(incidents) if likeness(case) or _agreement(case, parsed) >= 0]
    return max(alike, key=likeness, default=None)


def _punished(cases: tuple[Case, ...], parsed: StewardsMessage, lap: int | None) -> tuple[Case, ...]:
    """A penalty, or a decision without one in this session: both close the incident."""
    if parsed.corrects and (wrong := _corrected(cases, parsed)):
        return tuple(_case(parsed, wrong.penalty.lap) if case is wrong else case for case in cases)
    incident = _best_match((c for c in cases if c.penalty.kind == "incident" and parsed.cars[0] in c.cars), parsed)
    left = cases if incident is None else tuple(case for case in cases if case is not incident)
    return left if parsed.verdict == "closed" else (*left, _case(parsed, lap))


def _corrected(cases: tuple[Case, ...], parsed: StewardsMessage) -> Case | None:
    """The newest penalty that ``parsed`` corrects: of the same car, or the same penalty for another car."""
    given = [case for case in reversed(cases) if case.penalty.state == "given"]
    own = (case for case in given if case.cars == parsed.cars and _agreement(case, parsed) >= 0)
    others = (
        case
        for case in given
        if (case.penalty.kind, case.penalty.seconds, case.penalty.reason)
        == (parsed.kind, parsed.seconds, parsed.reason)
    )
    return next(own, None) or next(others, None)


def _served(cases: tuple[Case, ...], parsed: StewardsMessage, lap: int | None) -> tuple[Case, ...]:
    given = [
        case
        for case in cases
        if case.penalty.state == "given"
        and (case.cars, case.penalty.kind) == (parsed.cars, parsed.kind)
        and parsed.seconds in (None, case.penalty.seconds)
    ]
    known = _best_match(given, parsed) or (given[0] if given else None)
    if known is None:  # the penalty was given before this run began
        return (*cases, _case(parsed, lap))
    served = replace(known, penalty=known.penalty.model_copy(update={"state": "served"}))
    return tuple(served if case is known else case for case in cases)


def _best_match(cases: Iterable[Case], parsed: StewardsMessage) -> Case | None:
    """The case that a message concerns: with the most equal facts and none that differs; of equals the oldest."""
    best = max(cases, key=lambda case: _agreement(case, parsed), default=None)
    return None if best is None or _agreement(best, parsed) < 0 else best


def _agreement(case: Case, parsed: StewardsMessage) -> int:
    """The number of equal facts; -1 if a fact that both name differs."""
    facts = _facts(case, parsed)
    return -1 if any(a and b and a != b for a, b in facts) else sum(a == b for a, b in facts)


def _facts_shared(case: Case, parsed: StewardsMessage) -> list[bool]:
    return [bool(a) and a == b for a, b in _facts(case, parsed)]


def _facts(case: Case, parsed: StewardsMessage) -> tuple[tuple[str, str], ...]:
    return (case.where, parsed.where), (case.at, parsed.at), (case.penalty.reason, parsed.reason)


def _case(parsed: StewardsMessage, lap: int | None) -> Case:
    assert parsed.verdict not in {"dropped", "closed"}  # noqa: S101
    penalty = Penalty(kind=parsed.kind, state=parsed.verdict, seconds=parsed.seconds, reason=parsed.reason, lap=lap)
    return Case(parsed.cars, parsed.where, parsed.at, penalty)


def penalties_of_car(cases: tuple[Case, ...], number: str) -> tuple[Penalty, ...]:
    """Incidents and penalties of one car, oldest first; the newest ``MOST_PENALTIES``."""
    return tuple(case.penalty for case in cases if number in case.cars)[-MOST_PENALTIES:]


def unserved_ms(cases: tuple[Case, ...]) -> dict[str, int]:
    """By car with any: the sum of its unserved time penalties (ms), to be added to its race time."""
    unserved: dict[str, int] = {}
    for case in cases:
        if case.penalty.kind == "time" and case.penalty.state == "given":
            unserved[case.cars[0]] = unserved.get(case.cars[0], 0) + (case.penalty.seconds or 0) * 1_000
    return unserved


def order_with_penalties(
    unserved: dict[str, int], order: list[str], gaps: dict[str, Distance], retired: set[str]
) -> list[str]:
    """First to last if unserved time penalties (``unserved_ms``) were added to the race times now.

    ``order`` and ``gaps`` (to the leader) are those on track. Cars with fewer laps stay behind cars with more, as in
    a classification, and retired cars behind all. Gaps are measured at different moments and can be unknown: before
    penalties, no car is ahead of one that it follows.
    """
    times: dict[str, tuple[int, int]] = {}
    laps = ms = 0
    for number in (number for number in order if number not in retired):
        gap = gaps[number]
        laps, ms = max((laps, ms), (gap.laps, gap.ms if gap.ms is not None else 0))
        times[number] = laps, ms + unserved.get(number, 0)
    return [*sorted(times, key=times.__getitem__), *(number for number in order if number in retired)]
