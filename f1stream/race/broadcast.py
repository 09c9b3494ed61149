"""Information that goes to viewers unchanged: weather, race control, yellow flags. No rule depends on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from f1stream.race.flags import flagged
from f1stream.race.limits import MESSAGES_BYTES, NOTICES_BYTES, newest
from models import Message, Notice, RaceControl, SessionClock, TrackStatus, Weather, YellowSector
from models.frame import MOST_MESSAGES, MOST_NOTICES

OVERTAKING: dict[str, tuple[Literal["DRS", "OVERTAKE"], bool]] = {
    "DRS ENABLED": ("DRS", True), "DRS DISABLED": ("DRS", False),
    "OVERTAKE ENABLED": ("OVERTAKE", True), "OVERTAKE DISABLED": ("OVERTAKE", False),
}  # fmt: skip
"""Messages of race control for the whole track. Those for a zone are shown as messages only."""


@dataclass(slots=True)
class BroadcastState:
    """The latest of each kind; of messages and notices the newest that fit (``f1stream.race.limits``)."""

    track_status: str = "1"
    track_message: str = "AllClear"
    weather: Weather | None = None
    race_control: list[RaceControl] = field(default_factory=list)
    yellow: list[YellowSector] = field(default_factory=list)
    overtaking: tuple[Literal["DRS", "OVERTAKE"], bool] | None = None
    """The overtaking aid that race control last named, and whether it is enabled."""
    clock: SessionClock | None = None
    notices: dict[str, str] = field(default_factory=dict)
    """Text by subject (``Notice.about``)."""

    def apply(self, message: Message) -> None:
        """Apply one message; other kinds change nothing. Values are replaced, never changed in place."""
        match message:
            case TrackStatus():
                self.track_status, self.track_message = message.status, message.message
            case Weather():
                self.weather = message
            case RaceControl():
                # Frames leave out unset fields: set all, as they are after a checkpoint is restored.
                complete = RaceControl.model_validate(message.model_dump())
                self.race_control = newest([*self.race_control, complete], MOST_MESSAGES, MESSAGES_BYTES)
                self.overtaking = OVERTAKING.get(message.message, self.overtaking)
                self.yellow = flagged(self.yellow, message)
            case SessionClock():
                self.clock = message
            case Notice():
                others = {about: text for about, text in self.notices.items() if about != message.about}
                self.notices = _newest(others | ({message.about: message.text} if message.text else {}))
            case _:
                pass

    def values(self) -> tuple[Any, ...]:
        """All values, to compare with earlier ones."""
        return (self.track_status, self.track_message, self.weather, self.race_control, self.yellow, self.overtaking,
                self.clock, self.notices)  # fmt: skip


def _newest(notices: dict[str, str]) -> dict[str, str]:
    """The last ``MOST_NOTICES``, or fewer: as many as fit into ``NOTICES_BYTES``."""
    kept = list(notices.items())[-MOST_NOTICES:]
    while len(orjson.dumps(kept)) > NOTICES_BYTES:
        del kept[0]
    return dict(kept)
