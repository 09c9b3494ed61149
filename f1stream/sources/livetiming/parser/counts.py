"""What a parser received, and what it could not use."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from f1stream.sources.livetiming.parser.fields import KNOWN, names

MOST_NAMES = 1_000
"""Unknown fields that are counted separately; further ones are not counted."""


@dataclass
class ParseCounts:
    """Messages received, damaged ones, and unknown names."""

    messages: Counter[str] = field(default_factory=Counter)
    """By topic."""
    damaged: Counter[str] = field(default_factory=Counter)
    """By topic: messages, and items of messages (a car's line, a message of race control), that were skipped."""
    unknown_topics: Counter[str] = field(default_factory=Counter)
    unknown_fields: Counter[str] = field(default_factory=Counter)
    """As ``TimingData.Lines.#.Something``."""

    def count_damaged(self, topic: str, parts: int) -> None:
        """Count ``parts`` items of a message that could not be used."""
        if parts:
            self.damaged[topic] += parts

    def count_names(self, topic: str, data: Any) -> None:
        """Count the names in a message that are not in ``fields.KNOWN``."""
        if topic in KNOWN:
            for name in names(data) - KNOWN[topic]:
                path = f"{topic}.{name}"
                if path in self.unknown_fields or len(self.unknown_fields) < MOST_NAMES:
                    self.unknown_fields[path] += 1
