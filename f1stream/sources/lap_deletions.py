"""What race control says about lap times: a time is deleted, or reinstated; and which lap that is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from f1stream.sources.timestamps import duration_ms

_SAID = re.compile(
    r"CAR (?P<car>\d{1,3}) (?:\((?P<tla>\w+)\) )?(?:LAP TIME|TIME|LAP) (?:(?P<which>[\d:.]+) )?"
    r"(?:DELETED(?: - (?P<reason>.*))?|.*REINSTATED)"
)
"""``TIME 1:18.964 DELETED - …``, ``LAP DELETED - …`` of an untimed lap, ``TIME 1:57.940 WILL BE REINSTATED``."""
_CLOCK = re.compile(r"\d\d:\d\d:\d\d")
_LAP = re.compile(r"\bLAP (\d{1,3})\b")
CLOCK_MS = 1_000
"""Race control's messages have whole seconds: so much later than told a lap may have ended."""


@dataclass(frozen=True)
class Deletion:
    """A lap time of a car that no longer counts, or counts again."""

    driver_number: str
    tla: str | None
    lap_time_ms: int | None
    """None when the message has no time: the car went into the pits."""
    lap_number: int | None
    """As the feed counts: in practice and qualifying its first lap is the way out of the garage."""
    reason: str | None
    """Why it was deleted; None when it was reinstated."""


class TimedLap(NamedTuple):
    """What identifies a lap."""

    number: int
    end_ms: int
    lap_time_ms: int | None


def parse_deletion(message: str) -> Deletion | None:
    """What a race control message says of a lap time; None when it is about something else."""
    said = _SAID.match(message)
    if said is None:
        return None
    which, reason = said["which"] or "", said["reason"] or ""
    named = which if which.isdecimal() else next(iter(_LAP.findall(reason)), None)
    return Deletion(
        said["car"], said["tla"], duration_ms(which), None if named is None else int(named),
        None if said[0].endswith("REINSTATED") and "DELETED" not in said[0] else _CLOCK.sub("", reason).strip(),
    )  # fmt: skip


def deleted_lap(
    said: Deletion, at_ms: int, laps: Iterable[TimedLap], shift: int, deleted: Iterable[int]
) -> int | None:
    """The number of the lap that ``said``, of the session time ``at_ms``, is about; None when there is none.

    The time identifies it; where that was driven twice, the lap named in the message, else the latest one. A message
    without a time, or with one that no lap has (that since the car's lap in another part of a qualifying), is about
    the lap that it names, else about the latest one that is not ``deleted`` already. ``shift``: by how much the
    feed's numbers are ahead of those of ``laps``.
    """
    ended = sorted((lap for lap in laps if lap.end_ms <= at_ms + CLOCK_MS), key=lambda lap: lap.end_ms)
    named = None if said.lap_number is None else said.lap_number - shift
    if said.lap_time_ms is not None:
        same = [lap.number for lap in ended if lap.lap_time_ms == said.lap_time_ms]
        untimed = [lap.number for lap in ended if lap.lap_time_ms is None and lap.number == named]
        return named if named in same else next(iter([*reversed(same), *untimed]), None)
    if named is not None:
        return named
    latest = ended[-1].number if ended else 0
    return latest + 1 if latest in {0, *deleted} else latest


def deletion_changes(
    said: Iterable[tuple[int, Deletion]], laps: Sequence[TimedLap], shift: int
) -> list[tuple[int, int, str | None]]:
    """All that was ``said`` of a car, in order: session time, lap number, and the reason or None for reinstated."""
    changes: list[tuple[int, int, str | None]] = []
    for at_ms, each in said:
        number = deleted_lap(each, at_ms, laps, shift, deleted_laps(changes))
        if number is not None:
            changes.append((at_ms, number, each.reason))
    return changes


def deleted_laps(changes: Iterable[tuple[int, int, str | None]]) -> dict[int, str]:
    """By lap number the reason of every lap that is deleted after all ``changes``."""
    latest = {number: reason for _, number, reason in changes}
    return {number: reason for number, reason in latest.items() if reason is not None}
