"""Topics that should be sent while a session is on, and are not."""

from __future__ import annotations

from dataclasses import dataclass, field

from f1stream.sources.livetiming import metrics
from models import Notice

EXPECTED = {
    "CarData.z": (15_000, "car data"), "Position.z": (15_000, "positions of the cars"),
    "TimingData": (60_000, "timing"),
}  # fmt: skip
"""By topic: the longest pause (ms) while a session is on, and what a notice says is missing when it is exceeded.
The feed sends the first two four times a second, timing whenever cars pass a line."""
SUBSCRIBERS_ONLY = {"CarData.z", "Position.z"}


@dataclass
class Silence:
    """When each topic was last received, and which are silent."""

    received_ms: dict[str, int] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)

    def take(self, topic: str, at_ms: int, on_since_ms: int | None) -> list[Notice]:
        """Notices after a message. ``on_since_ms``: session time since which the session is on, or None."""
        found = []
        self.received_ms[topic] = at_ms
        if topic in self.silent:
            self.silent.discard(topic)
            metrics.SILENT.labels(topic).set(0)
            found.append(Notice(session_time_ms=at_ms, about=topic, text=None))
        if on_since_ms is None:
            return found
        for name, (longest_ms, what) in EXPECTED.items():
            last_ms = max(self.received_ms.get(name, on_since_ms), on_since_ms)
            if name not in self.silent and at_ms - last_ms > longest_ms:
                self.silent.add(name)
                metrics.SILENT.labels(name).set(1)
                text = f"The feed sends no {what}."
                if name in SUBSCRIBERS_ONLY and name not in self.received_ms:
                    text = f"The feed sends no {what}: they are for F1TV subscribers."
                found.append(Notice(session_time_ms=at_ms, about=name, text=text))
        return found
