"""What race control says about lap times: a time is deleted, or reinstated."""

from __future__ import annotations

import re
from dataclasses import dataclass

from f1stream.sources.livetiming.values import duration_ms

_TOLD = re.compile(r"CAR (\d{1,2}) .*TIME (\d:\d\d\.\d\d\d) (?:DELETED - (.*)|.*REINSTATED)")
_CLOCK = re.compile(r"\d\d:\d\d:\d\d")


@dataclass(frozen=True)
class Deletion:
    """A lap time of a car that no longer counts, or counts again."""

    driver_number: str
    lap_time_ms: int
    reason: str | None
    """Why it was deleted; None when it was reinstated."""


def deletion(message: str) -> Deletion | None:
    """What a race control message says of a lap time; None when it is about something else."""
    told = _TOLD.match(message)
    if told is None:
        return None
    reason = None if told[3] is None else _CLOCK.sub("", told[3]).strip()
    return Deletion(told[1], duration_ms(told[2]) or 0, reason)
