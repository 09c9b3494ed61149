"""How long a broker may hold a fetch for which it has no records.

Short while records arrive: aiokafka has one request at a time with a broker, so that a fetch of quiet partitions
which the broker holds delays the others, and the embedded broker always takes half of the time it is given. Long
while none do, because many short fetches keep a core busy.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer

QUIET_MS = 1_000
"""ms. The wait while no records arrive. On the embedded broker the first one is up to half of this late."""
QUIET_AFTER_S = 10.0
"""Seconds without records after which a topic is quiet: longer than a session's processes take to start."""


class FetchWait:
    """The wait of one consumer's fetches."""

    def __init__(self, busy_ms: int, clock: Callable[[], float] = time.monotonic) -> None:
        """``busy_ms``: how long the broker may hold a fetch while records arrive. ``clock``: seconds, monotonic."""
        self.busy_ms = busy_ms
        self._clock = clock
        self._received_at = clock()

    def update(self, consumer: AIOKafkaConsumer, has_records: bool) -> None:
        """Set the wait of ``consumer``'s next fetches, after a poll that had records or none."""
        now = self._clock()
        if has_records:
            self._received_at = now
        is_quiet = now - self._received_at >= QUIET_AFTER_S
        consumer._fetcher._fetch_max_wait_ms = max(QUIET_MS, self.busy_ms) if is_quiet else self.busy_ms
