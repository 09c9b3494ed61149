"""A session in memory, and its unacknowledged events."""

from __future__ import annotations

from dataclasses import dataclass, field

from f1stream import topics
from f1stream.metrics import GAP_ERROR, MEASURED, SAMPLES
from f1stream.processing.acks import PendingAck
from f1stream.processing.records import KafkaEvent
from f1stream.race.stages.session_race import SessionRace
from f1stream.topics import MOST, RecordHeaders

SUPERSEDED = 0
"""Checkpoint time for records of a superseded or damaged run. They are acknowledged with the new run's first
checkpoint, or the one that says that the run is damaged: earlier, a crash could replay a run from the middle."""


@dataclass(slots=True)
class OpenSession:
    """A session in memory, and its unacknowledged events. Clock times are monotonic seconds."""

    race: SessionRace
    checkpoint_ms: int = -1
    """Session time of the last stored checkpoint; -1 before the first, ``MOST`` for a damaged run."""
    written_at: float = 0.0
    """Clock at the last checkpoint."""
    counted: int = 0
    """Samples already counted in the metrics."""
    pending: list[tuple[int, PendingAck]] = field(default_factory=list)
    """(session time of the event's last content, event): done once a checkpoint has reached that time."""
    has_stored: bool = False
    """The last checkpoint had reached a pending event's time when the event was received."""
    received_at: float = 0.0
    """Clock at the last received record."""
    tried_at: float = 0.0
    """Clock at the last attempt to checkpoint the pending input of a silent run."""
    failure: Exception | None = None
    """Why the run cannot be continued; the next batch reports it as damaged."""

    def add(self, until_ms: int, pending: PendingAck) -> None:
        """Add an event to the pending ones."""
        self.pending.append((until_ms, pending))
        self.has_stored |= until_ms <= self.checkpoint_ms

    def release(self) -> None:
        """Mark the events that the last checkpoint has reached as done; done ones are pending no more."""
        for until_ms, pending in self.pending:
            pending.done = pending.done or until_ms <= self.checkpoint_ms
        self.pending = [(until_ms, pending) for until_ms, pending in self.pending if not pending.done]
        self.has_stored = False

    def event_of(self, failure: Exception) -> KafkaEvent | None:
        """The event of the message that caused ``failure``, or the last event; None if it is not pending any more."""
        run_id, seq = self.race.run_id, getattr(failure, "message_seq", None)
        events = [pending.event for _, pending in self.pending]
        messages = (event for event in events if event.message.topic == topics.MESSAGES)
        named = (event for event in messages if _place(event) == (run_id, seq))
        return next(named, events[-1] if events and seq is None else None)

    @property
    def stored_ms(self) -> int:
        """Session time of a checkpoint that is written now."""
        if self.race.damaged is not None:
            return MOST
        return self.checkpoint_ms if self.race.t is None else self.race.t

    def observe(self) -> None:
        """Update the metrics with what the race has done since the last call."""
        SAMPLES.inc(self.race.tally.samples - self.counted)
        self.counted = self.race.tally.samples
        race = self.race.race
        if race is None:
            return
        for passing in race.compared:
            MEASURED.observe(abs(passing.official_ms - passing.measured_ms) / 1000)
        race.compared.clear()
        for error_ms in race.gap_errors:
            GAP_ERROR.observe(abs(error_ms) / 1000)
        race.gap_errors.clear()


def _place(event: KafkaEvent) -> tuple[int, int]:
    headers = RecordHeaders.decode(event.message.headers, event.message.timestamp)
    return headers.run_id, headers.seq
