"""What the stewards have on their table: incidents of cars and the penalties that came of them.

Source of the wording: race control's messages of the recorded races from 2025 and 2026; those of 2026 end with the
time of day of the incident, ``(15:39:17)``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from f1stream.race.kept import CASES_BYTES
from f1stream.race.order import Distance
from models import RaceControl
from models.bounds import MOST_REASON
from models.frame import MOST_PENALTIES, Penalty, PenaltyKind, PenaltyState

Verdict = PenaltyState | Literal["dropped"]

_CAR = r"\d{1,4} \(\w{1,10}\)"
_REASON = r"(?:\s*-\s*(?P<reason>.*?))?\s*(?:\((?P<at>\d{1,2}:\d\d:\d\d)\))?"
_INCIDENT = re.compile(
    rf"(?P<where>.*?)\s*INCIDENT INVOLVING CARS? (?P<cars>{_CAR}(?:(?:, AND|,| AND) {_CAR})*)\s+"
    r"(?:(?P<noted>NOTED)|(?P<investigated>UNDER INVESTIGATION)|(?P<after_race>WILL BE INVESTIGATED AFTER THE \w+)"
    rf"|(?P<dropped>(?:REVIEWED )?NO FURTHER (?:ACTION|INVESTIGATION))){_REASON}"
)
_PENALTY = re.compile(
    r"(?P<served>PENALTY SERVED\s*-\s*)?(?:(?P<seconds>\d{1,4}) SECONDS? )?"
    r"(?:(?P<time>TIME)|(?P<drive_through>DRIVE[ -]THROUGH)|(?P<stop_go>STOP(?:/| AND |-AND-|-)GO)) PENALTY "
    rf"FOR CAR (?P<cars>{_CAR}){_REASON}"
)
_BEFORE = re.compile(r"(?:(?:FIA STEWARDS|UPDATE|(?P<correction>CORRECTION)):\s*)*")


class Word(NamedTuple):
    """One message of the stewards, taken apart."""

    verdict: Verdict
    kind: PenaltyKind
    cars: tuple[str, ...]
    where: str
    """Of an incident: ``TURN 4``, ``PIT LANE``; empty where it is not told."""
    reason: str
    at: str
    """Time of day of the incident, where it is told."""
    seconds: int | None = None
    corrects: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """An incident that is open, or a penalty."""

    cars: tuple[str, ...]
    where: str
    at: str
    penalty: Penalty


def read(text: str) -> Word | None:
    """Take apart one message of race control; None if it is neither of an incident nor of a penalty."""
    before = _BEFORE.match(text)
    assert before is not None  # noqa: S101
    rest, corrects = text[before.end() :].strip(), before["correction"] is not None
    if told := _INCIDENT.fullmatch(rest):
        verdict: Verdict = next(each for each in _VERDICTS if told[each])
        cars, reason = _cars(told["cars"]), _reason(told["reason"])
        return Word(verdict, "incident", cars, told["where"], reason, told["at"] or "", corrects=corrects)
    if told := _PENALTY.fullmatch(rest):
        kind: PenaltyKind = next(each for each in _KINDS if told[each])
        seconds = int(told["seconds"]) if told["seconds"] else None
        if kind == "time" and seconds is None:
            return None
        return Word("served" if told["served"] else "given", kind, _cars(told["cars"]), "", _reason(told["reason"]),
                    told["at"] or "", seconds, corrects)  # fmt: skip
    return None


_VERDICTS: tuple[Verdict, ...] = ("noted", "investigated", "after_race", "dropped")
_KINDS: tuple[PenaltyKind, ...] = ("time", "drive_through", "stop_go")


def _reason(text: str | None) -> str:
    """Cut to what a frame has room for."""
    return (text or "")[:MOST_REASON]


def _cars(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"(\d{1,4}) \(", text))


def decided(cases: tuple[Case, ...], message: RaceControl) -> tuple[Case, ...]:
    """The cases after ``message``, oldest first; ``cases`` itself if it says nothing of them.

    The stewards name no case, so a word belongs to the oldest one that it can mean; what they note again is a
    second case until they say otherwise. A penalty for one car closes the incident for all that were in it.

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
    word = read(message.message)
    if word is None:
        return cases
    if word.kind == "incident":
        return _incident(cases, word, message.lap)
    if word.verdict == "served":
        return _served(cases, word, message.lap)
    incident = _meant((c for c in cases if c.penalty.kind == "incident" and word.cars[0] in c.cars), word)
    return (*(case for case in cases if case is not incident), _case(word, message.lap))


def _incident(cases: tuple[Case, ...], word: Word, lap: int | None) -> tuple[Case, ...]:
    same = [c for c in cases if c.penalty.kind == "incident" and set(c.cars) == set(word.cars)]
    if word.corrects:  # of the reason, or of anything else that would tell which one
        known = _meant(same, word) or (same[-1] if same else None)
    else:
        known = None if word.verdict == "noted" else _meant(same, word)
    if word.verdict == "dropped":
        return cases if known is None else tuple(case for case in cases if case is not known)
    if known is None:
        return (*cases, _case(word, lap))
    now = _case(word, known.penalty.lap)
    if not word.reason:
        now = replace(now, penalty=now.penalty.model_copy(update={"reason": known.penalty.reason}))
    return tuple(now if case is known else case for case in cases)


def _served(cases: tuple[Case, ...], word: Word, lap: int | None) -> tuple[Case, ...]:
    given = [c for c in cases if c.penalty.state == "given" and c.cars == word.cars and c.penalty.kind == word.kind
             and word.seconds in (None, c.penalty.seconds)]  # fmt: skip
    known = _meant(given, word) or (given[0] if given else None)
    if known is None:  # it was given before this run began
        return (*cases, _case(word, lap))
    served = replace(known, penalty=known.penalty.model_copy(update={"state": "served"}))
    return tuple(served if case is known else case for case in cases)


def _meant(cases: Iterable[Case], word: Word) -> Case | None:
    """The case of which ``word`` tells: what both tell is the same, the more of it the better; then the oldest."""

    def agreement(case: Case) -> int:
        both = ((case.where, word.where), (case.at, word.at), (case.penalty.reason, word.reason))
        return -1 if any(a and b and a != b for a, b in both) else sum(a == b for a, b in both)

    best = max(cases, key=agreement, default=None)
    return None if best is None or agreement(best) < 0 else best


def _case(word: Word, lap: int | None) -> Case:
    assert word.verdict != "dropped"  # noqa: S101
    penalty = Penalty(kind=word.kind, state=word.verdict, seconds=word.seconds, reason=word.reason, lap=lap)
    return Case(word.cars, word.where, word.at, penalty)


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
