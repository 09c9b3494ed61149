"""What came of a feed, and what of it could not be used."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from f1stream.sources.livetiming.parser.fields import KNOWN, names

MOST_NAMES = 1_000
"""Unknown fields that are counted one by one; more are left out."""


@dataclass
class ParseCounts:
    """What came, and what of it could not be used."""

    messages: Counter[str] = field(default_factory=Counter)
    damaged: Counter[str] = field(default_factory=Counter)
    """Messages, and parts of messages that stand for themselves: a car's line, a message of race control."""
    unknown_topics: Counter[str] = field(default_factory=Counter)
    unknown_fields: Counter[str] = field(default_factory=Counter)
    """As ``TimingData.Lines.#.Something``."""

    def count_damaged(self, topic: str, parts: int) -> None:
        """Count so many parts of a message that could not be used."""
        if parts:
            self.damaged[topic] += parts

    def count_names(self, topic: str, data: Any) -> None:
        """Count the names in a message that the feed is not known to use."""
        if topic in KNOWN:
            for name in names(data) - KNOWN[topic]:
                path = f"{topic}.{name}"
                if path in self.unknown_fields or len(self.unknown_fields) < MOST_NAMES:
                    self.unknown_fields[path] += 1
