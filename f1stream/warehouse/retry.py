"""Retries work with exponential backoff until it succeeds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

log = logging.getLogger("f1stream")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Retry:
    """Retries without end, with exponential backoff, work that fails because a service is away."""

    transient: tuple[type[Exception], ...]
    """Exceptions that are retried. Any other is raised to the caller."""
    longest_s: float
    """Longest pause between two attempts, s."""
    describe: Callable[[BaseException], str]
    """An error as a sentence."""
    waits_for: Callable[[str | None], None]
    """Called with the reason, a sentence, after each failure, and with None after a success."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def until_done(self, work: Callable[[], Awaitable[T]]) -> T:
        """Call ``work`` until it succeeds; returns its result."""
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(self.transient),
            wait=wait_random_exponential(multiplier=0.2, max=self.longest_s),
            before_sleep=self._failed,
            sleep=self.sleep,
        ):
            with attempt:
                result = await work()
                self.waits_for(None)
        return result

    def failed(self, what: str, error: BaseException | None) -> None:
        """Report and log a failed attempt; ``what`` is the sentence before the error."""
        sentence = what if error is None else f"{what} {self.describe(error)}"
        self.waits_for(sentence)
        log.warning("%s", sentence)

    def _failed(self, state: RetryCallState) -> None:
        self.failed(
            f"Attempt {state.attempt_number} to load failed; records wait in Kafka.",
            state.outcome.exception() if state.outcome else None,
        )
