"""A token bucket: so many in a second on average, and so many at once. No clock of its own."""

from __future__ import annotations


class TokenBucket:
    """``rate`` tokens a second flow in, up to ``burst``; it begins full. ``now`` is in monotonic seconds."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now

    def tokens(self, now: float) -> float:
        """How many are in it."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return self._tokens

    def take(self, now: float) -> bool:
        """Take one; False when there is none."""
        if self.tokens(now) < 1:
            return False
        self._tokens -= 1
        return True

    def spend(self, tokens: float) -> None:
        """Take some without looking: there may be fewer than none left."""
        self._tokens -= tokens

    def wait(self, now: float) -> float:
        """Seconds until there is one."""
        return max(0.0, (1 - self.tokens(now)) / self._rate)
