"""What was told of a session by a time: race control, the weather, the radio."""

from __future__ import annotations

from aiohttp import web

from web.api.answers import listed
from web.api.asked import asked
from web.feed import Feed

RECORDINGS = "https://livetiming.formula1.com/static/"
"""Formula 1 keeps them there, below ``SessionInfo.path``."""


class Messages:
    """``race-control``, ``weather`` and ``radio``: entries as viewers get them, in the order of ``t``."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def routes(self) -> list[web.RouteDef]:
        """Where."""
        below = "/api/sessions/{key}"
        return [
            web.get(f"{below}/race-control", self.race_control),
            web.get(f"{below}/weather", self.weather),
            web.get(f"{below}/radio", self.radio),
        ]

    async def race_control(self, request: web.Request) -> web.Response:
        """The messages of race control."""
        about = asked(self._feed, request)
        return listed("race_control", about.tape.history.messages("race_control", about.at))

    async def weather(self, request: web.Request) -> web.Response:
        """The weather, about once a minute."""
        about = asked(self._feed, request)
        return listed("weather", about.tape.history.messages("weather", about.at))

    async def radio(self, request: web.Request) -> web.Response:
        """The recorded messages between drivers and teams; each ``path`` is below ``base``, where that is known."""
        about = asked(self._feed, request)
        path = about.head["info"].get("path")
        entries = about.tape.history.messages("team_radio", about.at)
        return listed("radio", entries, base=RECORDINGS + path if path else None)
