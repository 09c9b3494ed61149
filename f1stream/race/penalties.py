"""What the stewards have on their table: incidents of cars and the penalties that came of them.

Source of the wording: race control's messages of recorded sessions from 2018 to 2026. Those of 2018 to 2021 close an
incident with ``NO INVESTIGATION NECESSARY`` and separate cars by a comma without a space; those of 2026 end with the
time of day of the incident, ``(15:39:17)``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from f1stream.race.limits import CASES_BYTES
from f1stream.race.order import Distance
from models import RaceControl
from models.bounds import MOST_REASON
from models.frame import MOST_PENALTIES, Penalty, PenaltyKind, PenaltyState

Verdict = PenaltyState | Literal["dropped", "closed"]
"""``dropped``: no further action. ``closed``: decided, without a cost in this session."""

_CAR = r"\d{1,4}(?: ?\(\w{1,10}\))?"
_CARS = rf"CARS? (?P<cars>{_CAR}(?:(?: ?, ?(?:AND )?| AND | ?& ?){_CAR})*)"
_REASON = r"(?: ?[-–] ?(?P<reason>.*?))? ?(?:\((?P<at>\d{1,2}:\d\d:\d\d)\))?"
_INCIDENT = re.compile(
    rf"(?P<where>.*?) ?INCIDENT INVOLVING {_CARS} "
    r"(?:(?P<dropped>(?:(?:NOTED|REVIEWED|UNDER INVESTIGATION) ?-? ?)?"
    r"NO (?:FURTHER )?(?:ACTION|INVESTIGATION)(?: (?:NECESSARY|REQUIRED|TAKEN))?)"
    r"|(?P<noted>NOTED)|(?P<investigated>UNDER INVESTIGATION)"
    rf"|(?P<after_race>(?:WILL|TO) BE INVESTIGATED AFTER (?:THE )?\w+(?: QUALIFYING| SHOOTOUT)?)){_REASON}"
)
_PENALTY = re.compile(
    r"(?P<served>PENALTY SERVED ?[-–] ?)?(?:(?P<seconds>\d{1,4}) SECONDS? )?"
    r"(?:(?P<time>TIME)|(?P<drive_through>DRIVE[ -]THROUGH)|(?P<stop_go>STOP(?:/| AND |-AND-|-)GO)) PENALTY "
    rf"FOR CAR (?P<cars>{_CAR}){_REASON}"
)
_FREE = re.compile(rf"(?:WARNING|REPRIMAND(?: \(\w+\))?|\w+ (?:GRID )?PLACE (?:GRID )?PENALTY) FOR {_CARS}{_REASON}")
"""Decisions that close an incident and cost nothing in this session."""
_BEFORE = re.compile(r"(?:(?:FIA STEWARDS|UPDATE|(?P<correction>CORRECTION)) ?:+ ?)*")


class StewardsMessage(NamedTuple):
    """One message of the stewards, taken apart."""

    verdict: Verdict
    kind: PenaltyKind
    cars: tuple[str, ...]
    where: str
    """Of an incident: ``TURN 4``, ``PIT LANE``; empty where the message does not say."""
    reason: str
    at: str
    """Time of day of the incident; empty where the message does not say."""
    seconds: int | None = None
    corrects: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """An incident that is open, or a penalty."""

    cars: tuple[str, ...]
    where: str
    at: str
    penalty: Penalty


def read(text: str) -> StewardsMessage | None:
    """Take apart one message of race control; None if it is neither of an incident with cars nor of a penalty."""
    text = " ".join(text.split())
    before = _BEFORE.match(text)
    assert before is not None  # noqa: S101
    rest, corrects = text[before.end() :], before["correction"] is not None
    if found := _INCIDENT.fullmatch(rest):
        verdict: Verdict = next(each for each in _VERDICTS if found[each])
        cars, reason = _cars(found["cars"]), _reason(found["reason"])
        return StewardsMessage(
            verdict, "incident", cars, _place(found["where"]), reason, found["at"] or "", corrects=corrects
        )
    if found := _PENALTY.fullmatch(rest):
        kind: PenaltyKind = next(each for each in _KINDS if found[each])
        seconds = int(found["seconds"]) if found["seconds"] else None
        if kind == "time" and seconds is None:
            return None
        return StewardsMessage("served" if found["served"] else "given", kind, _cars(found["cars"]), "",
                               _reason(found["reason"]), found["at"] or "", seconds, corrects)  # fmt: skip
    if found := _FREE.fullmatch(rest):
        cars, reason = _cars(found["cars"]), _reason(found["reason"])
        return StewardsMessage("closed", "incident", cars, "", reason, found["at"] or "", corrects=corrects)
    return None


_VERDICTS: tuple[Verdict, ...] = ("noted", "investigated", "after_race", "dropped")
_KINDS: tuple[PenaltyKind, ...] = ("time", "drive_through", "stop_go")


def _reason(text: str | None) -> str:
    """Cut to what a frame has room for."""
    return (text or "")[:MOST_REASON]


def _place(text: str) -> str:
    """Without the lap, which is not in every message of an incident."""
    return re.sub(r"^LAP \d{1,4} ", "", text)


def _cars(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"(?<![\w(])\d{1,4}\b", text))


def decided(cases: tuple[Case, ...], message: RaceControl) -> tuple[Case, ...]:
    """The cases after ``message``, oldest first; ``cases`` itself if it says nothing of them.

    The stewards name no case, so a message belongs to the oldest one that it can mean; what they note again is a
    second case until they say otherwise. A penalty or a warning for one car closes the incident for all that were in
    it. A correction replaces the case it corrects, also where it names other cars.

    The newest are kept that fit into a frame (``CASES_BYTES``): the oldest are dropped.
    """
    after = _decided(cases, message)
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


def _decided(cases: tuple[Case, ...], message: RaceControl) -> tuple[Case, ...]:
    said = read(message.message)
    if said is None:
        return cases
    if said.verdict == "served":
        return _served(cases, said, message.lap)
    if said.verdict in {"given", "closed"}:
        return _punished(cases, said, message.lap)
    return _incident(cases, said, message.lap)


def _incident(cases: tuple[Case, ...], said: StewardsMessage, lap: int | None) -> tuple[Case, ...]:
    known = _incident_meant([case for case in cases if case.penalty.kind == "incident"], said)
    if said.verdict == "dropped":
        return cases if known is None else tuple(case for case in cases if case is not known)
    if known is None:
        return (*cases, _case(said, lap))
    now = _case(said, known.penalty.lap)
    if not said.reason:
        now = replace(now, penalty=now.penalty.model_copy(update={"reason": known.penalty.reason}))
    return tuple(now if case is known else case for case in cases)


def _incident_meant(incidents: list[Case], said: StewardsMessage) -> Case | None:
    """The incident that ``said`` decides or corrects: of the same cars, else of some of them in the same place."""
    if said.verdict == "noted" and not said.corrects:
        return None
    cars = set(said.cars)
    same = [case for case in incidents if set(case.cars) == cars]
    if known := _meant(same, said):
        return known
    if not said.corrects:  # a decision may leave out cars that had no part in it
        return _meant((case for case in incidents if cars & set(case.cars) and any(_facts_shared(case, said))), said)
    if same:  # the reason is corrected, or anything else that identifies the case
        return same[-1]

    def likeness(case: Case) -> int:
        return len(cars & set(case.cars)) + sum(_facts_shared(case, said))

    alike = [case for case in reversed(incidents) if likeness(case) or _agreement(case, said) >= 0]
    return max(alike, key=likeness, default=None)


def _punished(cases: tuple[Case, ...], said: StewardsMessage, lap: int | None) -> tuple[Case, ...]:
    """A penalty, or a decision that costs nothing in this session: either closes the incident."""
    if said.corrects and (wrong := _corrected(cases, said)):
        return tuple(_case(said, wrong.penalty.lap) if case is wrong else case for case in cases)
    incident = _meant((c for c in cases if c.penalty.kind == "incident" and said.cars[0] in c.cars), said)
    left = cases if incident is None else tuple(case for case in cases if case is not incident)
    return left if said.verdict == "closed" else (*left, _case(said, lap))


def _corrected(cases: tuple[Case, ...], said: StewardsMessage) -> Case | None:
    """The newest penalty that ``said`` corrects: of the same car, or the same penalty for another car."""
    given = [case for case in reversed(cases) if case.penalty.state == "given"]
    own = (case for case in given if case.cars == said.cars and _agreement(case, said) >= 0)
    others = (
        case
        for case in given
        if (case.penalty.kind, case.penalty.seconds, case.penalty.reason) == (said.kind, said.seconds, said.reason)
    )
    return next(own, None) or next(others, None)


def _served(cases: tuple[Case, ...], said: StewardsMessage, lap: int | None) -> tuple[Case, ...]:
    given = [c for c in cases if c.penalty.state == "given" and c.cars == said.cars and c.penalty.kind == said.kind
             and said.seconds in (None, c.penalty.seconds)]  # fmt: skip
    known = _meant(given, said) or (given[0] if given else None)
    if known is None:  # it was given before this run began
        return (*cases, _case(said, lap))
    served = replace(known, penalty=known.penalty.model_copy(update={"state": "served"}))
    return tuple(served if case is known else case for case in cases)


def _meant(cases: Iterable[Case], said: StewardsMessage) -> Case | None:
    """The case of which ``said`` speaks: what both name is the same, the more of it the better; then the oldest."""
    best = max(cases, key=lambda case: _agreement(case, said), default=None)
    return None if best is None or _agreement(best, said) < 0 else best


def _agreement(case: Case, said: StewardsMessage) -> int:
    """How many facts are the same; -1 where both name one and differ."""
    facts = _facts(case, said)
    return -1 if any(a and b and a != b for a, b in facts) else sum(a == b for a, b in facts)


def _facts_shared(case: Case, said: StewardsMessage) -> list[bool]:
    return [bool(a) and a == b for a, b in _facts(case, said)]


def _facts(case: Case, said: StewardsMessage) -> tuple[tuple[str, str], ...]:
    return (case.where, said.where), (case.at, said.at), (case.penalty.reason, said.reason)


def _case(said: StewardsMessage, lap: int | None) -> Case:
    assert said.verdict not in {"dropped", "closed"}  # noqa: S101
    penalty = Penalty(kind=said.kind, state=said.verdict, seconds=said.seconds, reason=said.reason, lap=lap)
    return Case(said.cars, said.where, said.at, penalty)


def of_car(cases: tuple[Case, ...], number: str) -> tuple[Penalty, ...]:
    """What concerns one car, oldest first; the newest ``MOST_PENALTIES``."""
    return tuple(case.penalty for case in cases if number in case.cars)[-MOST_PENALTIES:]


def unserved_ms(cases: tuple[Case, ...]) -> dict[str, int]:
    """By car that has any: the time penalties that it has not served, to be added to its race time."""
    owed: dict[str, int] = {}
    for case in cases:
        if case.penalty.kind == "time" and case.penalty.state == "given":
            owed[case.cars[0]] = owed.get(case.cars[0], 0) + (case.penalty.seconds or 0) * 1_000
    return owed


def order_with(owed: dict[str, int], order: list[str], gaps: dict[str, Distance], retired: set[str]) -> list[str]:
    """First to last if what cars owe (``unserved_ms``) were added to their times now.

    ``order`` and ``gaps`` (to the leader) are those on the track. Cars that have fewer laps stay behind those that
    have more, as in a classification, and retired ones behind all. Gaps are of different moments and sometimes
    unknown: a car is never taken to be ahead of one that it follows.
    """
    times: dict[str, tuple[int, int]] = {}
    laps = ms = 0
    for number in (number for number in order if number not in retired):
        gap = gaps[number]
        laps, ms = max((laps, ms), (gap.laps, gap.ms if gap.ms is not None else 0))
        times[number] = laps, ms + owed.get(number, 0)
    return [*sorted(times, key=times.__getitem__), *(number for number in order if number in retired)]
