"""Stints as they were known at a time."""

from __future__ import annotations

from aiohttp import web

from web.api.requests import session_query
from web.api.responses import json_response
from web.feed import Feed


class StintRoutes:
    """``stints``."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def routes(self) -> list[web.RouteDef]:
        """The routes."""
        return [web.get("/api/sessions/{key}/stints", self.stints)]

    async def stints(self, request: web.Request) -> web.Response:
        """All stints by car, from the picture; the current one last."""
        picture = session_query(self._feed, request).picture()
        cars = {number: {"stints": car.get("stints") or []} for number, car in picture["cars"].items()}
        return json_response({"t": picture["t"], "cars": cars})
