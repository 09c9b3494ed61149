"""One message of the feed, as it was sent, from wherever it was read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

TOPIC = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,60}(\.z)?")
TOPICS = (
    "Heartbeat", "AudioStreams", "DriverList", "ExtrapolatedClock", "RaceControlMessages", "SessionInfo",
    "SessionStatus", "TeamRadio", "TimingAppData", "TimingStats", "TrackStatus", "WeatherData", "Position.z",
    "CarData.z", "ContentStreams", "SessionData", "TimingData", "TopThree", "RcmSeries", "LapCount",
)  # fmt: skip
"""What the feed has to say about a session. Without an F1TV token CarData.z and Position.z stay silent."""


@dataclass(frozen=True, slots=True)
class FeedMessage:
    """A topic's news at one time."""

    topic: str
    """As the feed names it: ``TimingData``, ``CarData.z``."""
    data: Any
    """Decoded JSON; for a ``.z`` topic the packed base64 text as sent."""
    sent_ms: int
    """Unix ms (UTC) at which the feed sent it."""
    snapshot: bool = False
    """A topic's whole state (the answer to subscribing), not a change of it."""


class BadMessage(Exception):
    """What was read or received is no message of the feed; its text is the reason, the same for all of its kind."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that could not be used, and where it was."""

    file: str
    """Name of the file, or ``live`` for what came over the wire."""
    line: int
    """Line in the file, from 1; 0 where there are no lines. Over the wire they are counted."""
    reason: str
    """One of a few."""
    raw: bytes = b""
    """How it began: 64 kB at most."""

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.reason}"


KEPT_RAW_BYTES = 64_000


def checked(topic: Any, data: Any, sent_ms: int, *, snapshot: bool = False) -> FeedMessage:
    """A message whose parts have the types they should have. Raises BadMessage."""
    if not isinstance(topic, str) or not TOPIC.fullmatch(topic):
        raise BadMessage("its topic is no name")
    if topic.endswith(".z"):
        if not isinstance(data, str):
            raise BadMessage("its data is not packed text, as a .z topic's are")
    elif not isinstance(data, dict | list):
        raise BadMessage("its data is neither an object nor a list")
    return FeedMessage(topic, data, sent_ms, snapshot)
