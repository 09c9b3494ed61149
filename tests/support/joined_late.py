"""A recording as a client has it that connects in the middle of the session."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.parser.merge import merge


def joined_late(messages: Iterable[FeedMessage], at_ms: int) -> list[FeedMessage]:
    """``messages`` sent after ``at_ms`` (Unix ms), after a snapshot of all that the feed had sent by then."""
    state: dict[str, Any] = {}
    after: list[FeedMessage] = []
    for message in messages:
        if message.sent_ms > at_ms:
            after.append(message)
        elif not message.topic.endswith(".z"):
            state[message.topic] = merge(None if message.snapshot else state.get(message.topic), message.data)
    return [FeedMessage(topic, data, at_ms, True) for topic, data in state.items()] + after
