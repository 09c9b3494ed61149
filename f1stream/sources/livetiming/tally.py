"""What came of a feed, and what of it could not be used."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """What came, and what of it could not be used."""

    messages: Counter[str] = field(default_factory=Counter)
    damaged: Counter[str] = field(default_factory=Counter)
    """Messages, and parts of messages that stand for themselves: a car's line, a message of race control."""
    unknown_topics: Counter[str] = field(default_factory=Counter)
    unknown_fields: Counter[str] = field(default_factory=Counter)
    """As ``TimingData.Lines.#.Something``."""
