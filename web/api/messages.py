"""Messages of a session: race control, weather, team radio."""

from __future__ import annotations

from aiohttp import web

from web.api.requests import session_query
from web.api.responses import json_list
from web.feed import Feed

RECORDINGS = "https://livetiming.formula1.com/static/"
"""Where Formula 1 publishes recordings, below ``SessionInfo.path``."""


class MessageRoutes:
    """``race-control``, ``weather`` and ``radio``: entries in the order of ``t``."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def routes(self) -> list[web.RouteDef]:
        """The routes."""
        below = "/api/sessions/{key}"
        return [
            web.get(f"{below}/race-control", self.race_control),
            web.get(f"{below}/weather", self.weather),
            web.get(f"{below}/radio", self.radio),
        ]

    async def race_control(self, request: web.Request) -> web.Response:
        """Race control's messages."""
        query = session_query(self._feed, request)
        return json_list("race_control", query.tape.history.messages("race_control", query.at))

    async def weather(self, request: web.Request) -> web.Response:
        """The weather, about once a minute."""
        query = session_query(self._feed, request)
        return json_list("weather", query.tape.history.messages("weather", query.at))

    async def radio(self, request: web.Request) -> web.Response:
        """Recordings of the team radio; each ``path`` is below ``base``, which is null when it is not known."""
        query = session_query(self._feed, request)
        path = query.head["info"].get("path")
        entries = query.tape.history.messages("team_radio", query.at)
        return json_list("radio", entries, base=RECORDINGS + path if path else None)
