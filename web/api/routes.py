"""What is answered where."""

from __future__ import annotations

from aiohttp import web

from web.api.comparison import Comparisons
from web.api.gaps import Gaps
from web.api.laps import Laps
from web.api.marts import Marts
from web.api.messages import Messages
from web.api.service import Service
from web.api.sessions import Sessions
from web.api.stints import Stints
from web.api.telemetry import LapTelemetry
from web.feed import Feed
from web.metrics import Metrics

PARTS = (Sessions, Laps, Stints, Gaps, LapTelemetry, Comparisons, Messages, Marts)
"""Each is made of a feed and tells its routes."""


class Api:
    """Answers in JSON; errors as ``{"error": "a sentence"}``."""

    def __init__(self, feed: Feed, metrics: Metrics) -> None:
        self._parts = [*(part(feed) for part in PARTS), Service(feed, metrics)]

    def routes(self) -> list[web.RouteDef]:
        """Every route. ``web.api.answers.tidy`` belongs around them."""
        return [route for part in self._parts for route in part.routes()]
