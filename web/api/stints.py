"""Stints as they were known at a time."""

from __future__ import annotations

from aiohttp import web

from web.api.answers import answer
from web.api.asked import asked
from web.feed import Feed


class Stints:
    """``stints``."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def routes(self) -> list[web.RouteDef]:
        """Where."""
        return [web.get("/api/sessions/{key}/stints", self.stints)]

    async def stints(self, request: web.Request) -> web.Response:
        """By car, as the picture has them: all of them, the present one last."""
        picture = asked(self._feed, request).picture()
        cars = {number: {"stints": car.get("stints") or []} for number, car in picture["cars"].items()}
        return answer({"t": picture["t"], "cars": cars})
