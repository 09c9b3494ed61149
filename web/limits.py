"""Limits of the API: requests per minute from one address, and long answers at once."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from ipaddress import ip_address, ip_network

from aiohttp import web

from web.api.responses import API_PREFIX, ApiError, Handler, error_response
from web.token_bucket import TokenBucket

BURST_S = 20.0
"""Seconds. An address may send as many requests at once as its rate allows in this time."""
ADDRESSES = 20_000
"""Addresses remembered, about 4 MB; above it the one that was seen least recently is forgotten."""
SITE_BITS = 64
"""Bits of an IPv6 address that name the network: one machine owns all addresses below them."""
AT_ONCE = 2
"""Long answers computed at the same time."""
WAITING = 40
"""Further requests that wait; more are answered with 503."""
AGAIN_S = 2
"""Seconds, in the Retry-After of that 503."""
LONG = {"gaps", "telemetry", "compare"}
"""Answers of some hundred kB, or that take some thousand numbers to compute."""


class RateLimit:
    """A middleware: at most ``per_minute`` API requests from one address."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_minute / 60
        self._burst = max(1.0, self._rate * BURST_S)
        self._clock = clock
        self._buckets: dict[str, TokenBucket] = {}
        """By address; the least recently seen one is first."""

    @web.middleware
    async def limit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer 429 with Retry-After above the limit."""
        wait = self.wait(request.remote or "") if request.path.startswith(API_PREFIX) else 0.0
        if wait <= 0:
            return await handler(request)
        seconds = math.ceil(wait)
        response = error_response(
            429, f"one address may send {self._rate * 60:.0f} requests a minute; try again in {seconds} s"
        )
        response.headers["Retry-After"] = str(seconds)
        response.headers["Cache-Control"] = "no-store"
        return response

    def wait(self, address: str) -> float:
        """Count a request. Returns 0 when it may be answered, else the seconds until one may."""
        site, now = site_of(address), self._clock()
        bucket = self._buckets.pop(site, None) or TokenBucket(self._rate, self._burst, now)
        self._buckets[site] = bucket
        if len(self._buckets) > ADDRESSES:
            del self._buckets[next(iter(self._buckets))]
        return 0.0 if bucket.take(now) else bucket.wait(now)


def site_of(address: str) -> str:
    """The key under which an address is counted: of IPv6 its network."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return address if found.version == 4 else str(ip_network((found, SITE_BITS), strict=False))


class LongAnswerLimit:
    """A middleware: computes ``at_once`` long answers at a time while at most ``waiting`` more requests wait."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._most = at_once + waiting
        self._pending = 0

    @web.middleware
    async def wait(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer when a slot is free. Raises ApiError (503) when too many requests wait."""
        if not (request.path.startswith(API_PREFIX) and request.path.rpartition("/")[2] in LONG):
            return await handler(request)
        if self._pending >= self._most:
            raise ApiError(503, "too many long answers are waiting; try again soon", AGAIN_S)
        self._pending += 1
        try:
            async with self._slots:
                return await handler(request)
        finally:
            self._pending -= 1
