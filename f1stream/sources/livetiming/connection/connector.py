"""Opening connections to the feed: repeated until one succeeds, with the token that is valid at that moment."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import tenacity

from f1stream.settings import Settings
from f1stream.sources.livetiming import metrics
from f1stream.sources.livetiming.connection.signalr import AccessDenied, ConnectionLost, HubConnection
from f1stream.sources.livetiming.connection.token import Tokens, ends_at
from f1stream.sources.livetiming.message import KEPT_RAW_BYTES, Damage

log = logging.getLogger(__name__)
PAUSE_SECONDS = 0.5
"""The first pause between two attempts (s); it doubles up to ``live_retry_seconds``."""
SHORT_SECONDS = 10.0
"""A connection that is lost within this time (s) was short; after several in a row, each new one waits longer."""


class Connector:
    """Opens connections as ``settings`` say: ``live_url``, ``live_retry_seconds``, ``f1tv_token``."""

    def __init__(
        self, settings: Settings, topics: Sequence[str], damaged: Callable[[Damage], None], silent_s: float
    ) -> None:
        """Raises SourceError when a token is set that would be sent in plain text."""
        self._url, self._topics, self._silent_s = settings.live_url, topics, silent_s
        self._longest_pause_s = settings.live_retry_seconds
        self._tokens = Tokens(settings)
        self._damaged = damaged
        self._damages = 0
        self._short_lived = 0
        """Consecutive connections that were short."""

    def ended(self, lasted_s: float) -> None:
        """Note how long a connection lasted that was lost."""
        self._short_lived = self._short_lived + 1 if lasted_s < SHORT_SECONDS else 0

    def renewed(self) -> None:
        """Note that a connection lasted until it was replaced."""
        self._short_lived = 0

    async def open(self, before: Callable[[], None] = lambda: None) -> HubConnection:
        """A new connection, however long it takes. ``before`` is called before each attempt."""

        async def attempt() -> HubConnection:
            before()
            return await self._connect()

        if self._short_lived:
            await asyncio.sleep(min(PAUSE_SECONDS * 2.0 ** min(self._short_lived, 20), self._longest_pause_s))
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(ConnectionLost),
            wait=tenacity.wait_exponential_jitter(multiplier=PAUSE_SECONDS, max=self._longest_pause_s, jitter=0.5),
            before_sleep=self._log_failure,
        )
        return await retrying(attempt)

    def report_damage(self, reason: str, raw: bytes) -> None:
        """Count something that is not a message of the feed, and pass it on."""
        self._damages += 1
        metrics.DAMAGED.labels(reason).inc()
        self._damaged(Damage("live", self._damages, reason, raw[:KEPT_RAW_BYTES]))

    async def _connect(self) -> HubConnection:
        token = self._tokens.current()
        metrics.TOKEN_ENDS.set(((ends_at(token) or 0) / 1000) if token is not None else 0)
        try:
            return await HubConnection.open(self._url, self._topics, token, self.report_damage, self._silent_s)
        except AccessDenied:
            if token is not None:
                self._tokens.refuse(token)
            raise

    def _log_failure(self, state: tenacity.RetryCallState) -> None:
        metrics.FAILURES.inc()
        log.warning(
            "The live timing at %s cannot be reached: %s. Trying again; F1STREAM_LIVE_URL sets its address.",
            self._url, state.outcome.exception() if state.outcome else "",
        )  # fmt: skip
