"""Reads the stewards' messages of race control: incidents with cars, investigations, penalties.

Source of the wording: race control's messages of recorded sessions from 2018 to 2026. Those of 2018 to 2021 close an
incident with ``NO INVESTIGATION NECESSARY`` and separate cars by a comma without a space; those of 2026 end with the
time of day of the incident, ``(15:39:17)``.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from models.bounds import MOST_REASON
from models.frame import PenaltyKind, PenaltyState

Verdict = PenaltyState | Literal["dropped", "closed"]
"""``dropped``: no further action. ``closed``: decided, without a penalty in this session."""

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
"""Decisions that close an incident without a penalty in this session."""
_BEFORE = re.compile(r"(?:(?:FIA STEWARDS|UPDATE|(?P<correction>CORRECTION)) ?:+ ?)*")


class StewardsMessage(NamedTuple):
    """The parts of one message of the stewards."""

    verdict: Verdict
    kind: PenaltyKind
    cars: tuple[str, ...]
    where: str
    """Place of an incident: ``TURN 4``, ``PIT LANE``; empty if the message has none."""
    reason: str
    at: str
    """Time of day of the incident; empty if the message has none."""
    seconds: int | None = None
    corrects: bool = False


def read_message(text: str) -> StewardsMessage | None:
    """Read one message of race control; None if it concerns neither an incident with cars nor a penalty."""
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
    """Cut to the length that a frame allows."""
    return (text or "")[:MOST_REASON]


def _place(text: str) -> str:
    """Without the lap, which is not in every message of an incident."""
    return re.sub(r"^LAP \d{1,4} ", "", text)


def _cars(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"(?<![\w(])\d{1,4}\b", text))
