"""All routes of the API."""

from __future__ import annotations

from aiohttp import web

from web.api.comparison import ComparisonRoutes
from web.api.gaps import GapRoutes
from web.api.laps import LapRoutes
from web.api.marts import MartRoutes
from web.api.messages import MessageRoutes
from web.api.service import ServiceRoutes
from web.api.sessions import SessionRoutes
from web.api.stints import StintRoutes
from web.api.telemetry import TelemetryRoutes
from web.feed import Feed
from web.metrics import Metrics

FROM_FEED = (
    SessionRoutes,
    LapRoutes,
    StintRoutes,
    GapRoutes,
    TelemetryRoutes,
    ComparisonRoutes,
    MessageRoutes,
    MartRoutes,
)
"""Handlers that need a feed only, in the order of the API's description."""
ALL = (*FROM_FEED, ServiceRoutes)


class Api:
    """The API's handlers. Answers are JSON, errors ``{"error": "a sentence"}``."""

    def __init__(self, feed: Feed, metrics: Metrics) -> None:
        self._parts = [*(part(feed) for part in FROM_FEED), ServiceRoutes(feed, metrics)]

    def routes(self) -> list[web.RouteDef]:
        """Every route. They need ``web.api.responses.api_middleware``."""
        return [route for part in self._parts for route in part.routes()]
