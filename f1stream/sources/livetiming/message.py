"""One message of the feed as it was sent, from the live connection or a recording."""

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
"""The topics to subscribe to. Without an F1TV token the feed sends no CarData.z and no Position.z."""


@dataclass(frozen=True, slots=True)
class FeedMessage:
    """A change of a topic's state, or its whole state, at one time."""

    topic: str
    """The feed's name: ``TimingData``, ``CarData.z``."""
    data: Any
    """Decoded JSON; for a ``.z`` topic the compressed base64 text as sent."""
    sent_ms: int
    """Unix ms (UTC) at which the feed sent it."""
    snapshot: bool = False
    """Whether ``data`` is the topic's whole state (from the answer to subscribing), not a change of it."""


class BadMessage(Exception):
    """Something that is not a message of the feed. Its text is the reason, one of a few (it labels a metric)."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is not a message, and where it was."""

    file: str
    """Name of the file, or ``live``."""
    line: int
    """Line in the file, from 1; 0 if it has no lines. Live: the number of the damage, from 1."""
    reason: str
    """The text of its BadMessage, or what is wrong with the file."""
    raw: bytes = b""
    """Its first ``KEPT_RAW_BYTES``."""

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.reason}"


KEPT_RAW_BYTES = 64_000
"""Bytes of a damaged line or record that are kept."""


def checked(topic: Any, data: Any, sent_ms: int, *, snapshot: bool = False) -> FeedMessage:
    """The message, if its parts have the right types. Raises BadMessage."""
    if not isinstance(topic, str) or not TOPIC.fullmatch(topic):
        raise BadMessage("its topic is not a name")
    if topic.endswith(".z"):
        if not isinstance(data, str):
            raise BadMessage("its data is not compressed text, as a .z topic has")
    elif not isinstance(data, dict | list):
        raise BadMessage("its data is neither an object nor a list")
    return FeedMessage(topic, data, sent_ms, snapshot)
