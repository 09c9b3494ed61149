"""Laps as they were known at a time."""

from __future__ import annotations

from aiohttp import web

from web.api.answers import listed
from web.api.asked import asked
from web.feed import Feed


class Laps:
    """``laps?car=``."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def routes(self) -> list[web.RouteDef]:
        """Where."""
        return [web.get("/api/sessions/{key}/laps", self.laps)]

    async def laps(self, request: web.Request) -> web.Response:
        """The laps of all cars or of one, in the order of car and lap: each as its last revision of then."""
        about = asked(self._feed, request)
        known = about.tape.history.laps(about.at)
        only = request.query.get("car")
        cars = sorted(known, key=_by_number) if only is None else [about.car(only)]
        return listed("laps", [lap for car in cars for _, lap in sorted(known.get(car, {}).items())])


def _by_number(car: str) -> tuple[int, str]:
    return len(car), car
