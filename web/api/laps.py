"""Laps as they were known at a time."""

from __future__ import annotations

from aiohttp import web

from web.api.requests import session_query
from web.api.responses import json_list
from web.feed import Feed


class LapRoutes:
    """``laps?car=``."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def routes(self) -> list[web.RouteDef]:
        """The routes."""
        return [web.get("/api/sessions/{key}/laps", self.laps)]

    async def laps(self, request: web.Request) -> web.Response:
        """The laps of all cars or of one, by car and number, each in its last revision at that time."""
        query = session_query(self._feed, request)
        known = query.tape.history.laps(query.at)
        only = request.query.get("car")
        cars = sorted(known, key=_by_number) if only is None else [query.car(only)]
        return json_list("laps", [lap for car in cars for _, lap in sorted(known.get(car, {}).items())])


def _by_number(car: str) -> tuple[int, str]:
    return len(car), car
