"""One message of the feed, as it was sent, from wherever it was read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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
