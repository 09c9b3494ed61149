"""A token bucket: a rate limit with a burst. The clock is an argument."""

from __future__ import annotations


class TokenBucket:
    """Gains ``rate`` tokens per second up to ``burst`` and starts full. ``now`` is in monotonic seconds."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now

    def tokens(self, now: float) -> float:
        """The tokens available."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return self._tokens

    def take(self, now: float) -> bool:
        """Take one token; False when there is none."""
        if self.tokens(now) < 1:
            return False
        self._tokens -= 1
        return True

    def spend(self, tokens: float) -> None:
        """Take tokens unconditionally; the balance may become negative."""
        self._tokens -= tokens

    def wait(self, now: float) -> float:
        """Seconds until one token is available."""
        return max(0.0, (1 - self.tokens(now)) / self._rate)
