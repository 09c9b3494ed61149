"""Deleted and reinstated lap times in race control messages, and the lap that each of them means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from f1stream.sources.timestamps import duration_ms

_DELETION = re.compile(
    r"CAR (?P<car>\d{1,3}) (?:\((?P<tla>\w+)\) )?(?:LAP TIME|TIME|LAP) (?:(?P<which>[\d:.]+) )?"
    r"(?:DELETED(?: - (?P<reason>.*))?|.*REINSTATED)"
)
"""``TIME 1:18.964 DELETED - …``, ``LAP DELETED - …`` for an untimed lap, ``TIME 1:57.940 WILL BE REINSTATED``."""
_CLOCK = re.compile(r"\d\d:\d\d:\d\d")
_LAP = re.compile(r"\bLAP (\d{1,3})\b")
CLOCK_MS = 1_000
"""A lap may end this much after the message about it, because the times of messages have whole seconds."""


@dataclass(frozen=True)
class Deletion:
    """A lap time of a car that is deleted or reinstated."""

    driver_number: str
    tla: str | None
    lap_time_ms: int | None
    """None if the message has no time: the car went into the pits."""
    lap_number: int | None
    """In the feed's numbering: in practice and qualifying its first lap is the one out of the garage."""
    reason: str | None
    """The reason of the deletion; None for a reinstatement."""


class TimedLap(NamedTuple):
    """What identifies a lap."""

    number: int
    end_ms: int
    lap_time_ms: int | None


def parse_deletion(message: str) -> Deletion | None:
    """Parse a race control message; None if it is not about a lap time."""
    found = _DELETION.match(message)
    if found is None:
        return None
    which, reason = found["which"] or "", found["reason"] or ""
    named = which if which.isdecimal() else next(iter(_LAP.findall(reason)), None)
    return Deletion(
        found["car"], found["tla"], duration_ms(which), None if named is None else int(named),
        None if found[0].endswith("REINSTATED") and "DELETED" not in found[0] else _CLOCK.sub("", reason).strip(),
    )  # fmt: skip


def deleted_lap(
    message: Deletion, at_ms: int, laps: Iterable[TimedLap], shift: int, deleted: Iterable[int]
) -> int | None:
    """The number of the lap that a message at session time ``at_ms`` means; None if there is no such lap.

    It is the lap with the message's time; of several, the one that the message names, else the latest. A message with
    the time of no lap means the untimed lap that it names, if any. A message without a time means the lap that it
    names, else the latest that is not in ``deleted``. ``shift`` is the feed's lap number less that in ``laps``.
    """
    ended = sorted((lap for lap in laps if lap.end_ms <= at_ms + CLOCK_MS), key=lambda lap: lap.end_ms)
    named = None if message.lap_number is None else message.lap_number - shift
    if message.lap_time_ms is not None:
        same = [lap.number for lap in ended if lap.lap_time_ms == message.lap_time_ms]
        untimed = [lap.number for lap in ended if lap.lap_time_ms is None and lap.number == named]
        return named if named in same else next(iter([*reversed(same), *untimed]), None)
    if named is not None:
        return named
    latest = ended[-1].number if ended else 0
    return latest + 1 if latest in {0, *deleted} else latest


def deletion_changes(
    deletions: Iterable[tuple[int, Deletion]], laps: Sequence[TimedLap], shift: int
) -> list[tuple[int, int, str | None]]:
    """Resolve a car's messages, in order: session time, lap number, and the reason (None for a reinstatement)."""
    changes: list[tuple[int, int, str | None]] = []
    for at_ms, each in deletions:
        number = deleted_lap(each, at_ms, laps, shift, deleted_laps(changes))
        if number is not None:
            changes.append((at_ms, number, each.reason))
    return changes


def deleted_laps(changes: Iterable[tuple[int, int, str | None]]) -> dict[int, str]:
    """Lap number to reason, for the laps that are deleted after all ``changes``."""
    latest = {number: reason for _, number, reason in changes}
    return {number: reason for number, reason in latest.items() if reason is not None}
