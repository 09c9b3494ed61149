"""Topics that should speak while a session is on, and do not."""

from __future__ import annotations

from dataclasses import dataclass, field

from f1stream.sources.livetiming import metrics
from models import Notice

EXPECTED = {
    "CarData.z": (15_000, "car data"), "Position.z": (15_000, "positions of the cars"),
    "TimingData": (60_000, "timing"),
}  # fmt: skip
"""By topic: the longest silence (ms) while a session is on, and what is missing then. The feed sends the first two
four times a second, timing as cars pass."""
SUBSCRIBERS_ONLY = {"CarData.z", "Position.z"}


@dataclass
class Silence:
    """When each topic spoke last, and which are silent."""

    spoke_ms: dict[str, int] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)

    def take(self, topic: str, at_ms: int, on_since_ms: int | None) -> list[Notice]:
        """A message came. ``on_since_ms``: since when the session is on; None while it is not."""
        found = []
        self.spoke_ms[topic] = at_ms
        if topic in self.silent:
            self.silent.discard(topic)
            metrics.SILENT.labels(topic).set(0)
            found.append(Notice(session_time_ms=at_ms, about=topic, text=None))
        if on_since_ms is None:
            return found
        for name, (longest_ms, what) in EXPECTED.items():
            last_ms = max(self.spoke_ms.get(name, on_since_ms), on_since_ms)
            if name not in self.silent and at_ms - last_ms > longest_ms:
                self.silent.add(name)
                metrics.SILENT.labels(name).set(1)
                text = f"The feed sends no {what}."
                if name in SUBSCRIBERS_ONLY and name not in self.spoke_ms:
                    text = f"The feed sends no {what}: they are for F1TV subscribers."
                found.append(Notice(session_time_ms=at_ms, about=name, text=text))
        return found
