"""A session in memory, and the events that wait for its checkpoints."""

from __future__ import annotations

from dataclasses import dataclass, field

from f1stream import topics
from f1stream.processing.acks import PendingAck
from f1stream.processing.records import KafkaEvent
from f1stream.race.stages.session_race import SessionRace
from f1stream.topics import MOST, RecordHeaders

SUPERSEDED = 0
"""Checkpoint time for records of a superseded or damaged run. They are acknowledged with the new run's first
checkpoint, or the one that says that the run is damaged: earlier, a crash could replay a run from the middle."""


@dataclass(slots=True)
class OpenSession:
    """A session in memory, and the events that wait for its checkpoints."""

    race: SessionRace
    checkpoint_ms: int = -1
    """Session time of the last stored checkpoint; -1 before the first, ``MOST`` for a damaged run's."""
    written_at: float = 0.0
    """Clock at the last checkpoint."""
    counted: int = 0
    """Samples that are in the metrics."""
    pending: list[tuple[int, PendingAck]] = field(default_factory=list)
    """(session time of the last thing in the event, event): done when a checkpoint has reached that time."""
    received_at: float = 0.0
    """Clock at the last record."""
    tried_at: float = 0.0
    """Clock when the pending input of a silent run was found not to fit into a checkpoint."""
    failure: Exception | None = None
    """Why the run cannot be continued, until the next batch gives it up."""

    def event_of(self, failure: Exception) -> KafkaEvent | None:
        """The message that is at fault, else the last record; None when it is not known any more."""
        run_id, seq = self.race.run_id, getattr(failure, "message_seq", None)
        events = [pending.event for _, pending in self.pending]
        messages = (event for event in events if event.message.topic == topics.MESSAGES)
        named = (event for event in messages if _place(event) == (run_id, seq))
        return next(named, events[-1] if events and seq is None else None)

    @property
    def stored_ms(self) -> int:
        """Session time of what has just been stored."""
        if self.race.damaged is not None:
            return MOST
        return self.checkpoint_ms if self.race.t is None else self.race.t


def _place(event: KafkaEvent) -> tuple[int, int]:
    headers = RecordHeaders.decode(event.message.headers, event.message.timestamp)
    return headers.run_id, headers.seq
