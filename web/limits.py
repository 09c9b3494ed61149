"""How much is answered: so many questions a minute from one address, and so many long ones at once."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from ipaddress import ip_address, ip_network

from aiohttp import web

from web.api.responses import API_PREFIX, ApiError, Handler, error_response

BURST_S = 20.0
"""Seconds. An address that has sent no request for this long may send at once as many as in this time."""
ADDRESSES = 20_000
"""That are remembered: some 4 MB. Beyond them the one that asked least recently is forgotten."""
SITE_BITS = 64
"""An IPv6 address has so many bits of its network's: a machine has all addresses below them."""
AT_ONCE = 2
WAITING = 40
"""So many more may wait for their turn."""
AGAIN_S = 2
LONG = {"gaps", "telemetry", "compare"}
"""Answers about a session that are some hundred kB, or some thousand numbers to compute."""


class RateLimit:
    """A middleware: at most ``per_minute`` questions to the API from one address."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_minute / 60
        self._most = max(1.0, self._rate * BURST_S)
        self._clock = clock
        self._asked: dict[str, tuple[float, float]] = {}
        """By address how many they had left, and when that was; who asked last is last."""

    @web.middleware
    async def limit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """429 with Retry-After for who asks too much."""
        wait = self.wait(request.remote or "") if request.path.startswith(API_PREFIX) else 0.0
        if wait <= 0:
            return await handler(request)
        seconds = math.ceil(wait)
        response = error_response(
            429, f"{self._rate * 60:.0f} requests a minute are answered to one address; try again in {seconds} s"
        )
        response.headers["Retry-After"] = str(seconds)
        response.headers["Cache-Control"] = "no-store"
        return response

    def wait(self, address: str) -> float:
        """Count a question. 0 where it may be answered, else the seconds until one may."""
        site, now = site_of(address), self._clock()
        left, since = self._asked.pop(site, (self._most, now))
        left = min(self._most, left + (now - since) * self._rate)
        self._asked[site] = (left - 1 if left >= 1 else left, now)
        if len(self._asked) > ADDRESSES:
            del self._asked[next(iter(self._asked))]
        return 0.0 if left >= 1 else (1 - left) / self._rate


def site_of(address: str) -> str:
    """What is counted as one address: of IPv6 the network."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return address if found.version == 4 else str(ip_network((found, SITE_BITS), strict=False))


class LongAnswerLimit:
    """A middleware: ``at_once`` long answers are made side by side, and ``waiting`` more requests wait at most."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._most = at_once + waiting
        self._here = 0

    @web.middleware
    async def wait(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer when it is their turn. Raises ApiError (503) where too many wait."""
        if not (request.path.startswith(API_PREFIX) and request.path.rpartition("/")[2] in LONG):
            return await handler(request)
        if self._here >= self._most:
            raise ApiError(503, "too many long answers are waiting to be made; try again soon", AGAIN_S)
        self._here += 1
        try:
            async with self._free:
                return await handler(request)
        finally:
            self._here -= 1
