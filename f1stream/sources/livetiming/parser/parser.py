"""The feed's messages as our records, one after the other, as they become known.

Each topic has a handler. A message that a handler cannot read is counted and skipped, and only that message: where it
contains several items (lines of cars, messages of race control, radio calls, drivers), only the unreadable item.
"""

from __future__ import annotations

from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.parser.fields import OF_CARS, SILENT
from f1stream.sources.livetiming.parser.handlers import HANDLERS, session
from f1stream.sources.livetiming.parser.silence import Silence
from f1stream.sources.livetiming.parser.state import UNREADABLE, Fact, SessionState
from f1stream.sources.livetiming.sessions import session_key
from models.bounds import LONGEST_MS, MOST_CODE


class Parser:
    """The parser of one session; ``sessions`` says which messages those are."""

    def __init__(self, t0_ms: int) -> None:
        """``t0_ms``: Unix ms, by the feed's clock of sending, of session time 0."""
        self.state = SessionState(t0_ms)
        self.silence = Silence()
        self._is_heard_on = False
        """Whether a change was received while the session was on."""

    def is_another(self, message: FeedMessage) -> bool:
        """Whether a message begins a session other than this one."""
        key = session_key(message)
        return key is not None and "Key" in self.state.info and key[:MOST_CODE] != self.state.key

    def is_in_time(self, message: FeedMessage) -> bool:
        """Whether a message has a time that a session can have; a damaged time would end the session there."""
        return abs(message.sent_ms - self.state.t0_ms) <= LONGEST_MS

    def take(self, message: FeedMessage) -> list[Fact]:
        """The facts that become known with one message."""
        state, at_ms = self.state, message.sent_ms - self.state.t0_ms
        state.counts.messages[message.topic] += 1
        if not self.is_in_time(message):
            state.counts.count_damaged(message.topic, 1)
            return []
        if state.opened_ms is not None and at_ms > state.opened_ms and not state.drivers.is_fixed:
            state.drivers.fix(state.app_lines)
        facts = [*session.overdue_part(state, at_ms), *self._handle(message, at_ms)]
        self._is_heard_on |= not message.snapshot and state.opened_ms is not None and not state.is_over
        return [*facts, *self.silence.take(message.topic, at_ms, state.on_since_ms), *state.laps.due(at_ms)]

    def _handle(self, message: FeedMessage, at_ms: int) -> list[Fact]:
        state, topic = self.state, message.topic
        if state.drivers.another_session and topic in OF_CARS:
            return []  # the support race, under the same numbers
        if topic not in HANDLERS:
            if topic not in SILENT:
                state.counts.unknown_topics[topic] += 1
            return []
        facts: list[Fact] = []
        try:
            facts = HANDLERS[topic](state, message, at_ms)
            state.counts.count_names(topic, message.data)
        except UNREADABLE:
            state.counts.damaged[topic] += 1
        return facts

    def finish(self) -> list[Fact]:
        """The facts that remain when the session is over."""
        return list(self.state.laps.finish())

    @property
    def has_been_on(self) -> bool:
        """Whether anything was received while the session was on; its state afterwards is not enough."""
        return self._is_heard_on or any(car.published for car in self.state.laps.cars.values())
