"""Results and seasons of the marts, and the season as it was known at a viewer's time."""

from __future__ import annotations

import re
from functools import lru_cache

from aiohttp import web

from models import Season, SessionInfo, SessionResult
from models.session_type import is_grand_prix, is_race
from web.api.requests import SessionQuery, session_query
from web.api.responses import bad_request, json_response, not_found
from web.feed import Feed
from web.marts_store import EncodedRecord
from web.season import championship_at, day_of, season_at

YEAR = re.compile(r"[1-9][0-9]{3}", re.ASCII)


class MartRoutes:
    """``result`` of a session, the ``season`` around it, its ``championship``, and ``/api/seasons``."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def routes(self) -> list[web.RouteDef]:
        """The routes."""
        return [
            web.get("/api/sessions/{key}/result", self.result),
            web.get("/api/sessions/{key}/season", self.around),
            web.get("/api/sessions/{key}/championship", self.championship),
            web.get("/api/seasons", self.seasons),
            web.get("/api/seasons/{year}", self.season),
        ]

    async def result(self, request: web.Request) -> web.Response:
        """The result of a session that has ended (``models.SessionResult``), once the marts have it."""
        key = request.match_info["key"]
        record = self._feed.marts.session(key)
        # A session without a tape has ended; at which session time is not known.
        on_tape = self._feed.tapes.get(key) is not None
        if (on_tape or "at" in request.query) and not session_query(self._feed, request).ended:
            raise not_found(f"session {key!r} has not ended at that time: there is no result before the flag")
        if record is None:
            raise not_found(f"the marts have no result of session {key!r}; they are built after a session")
        return encoded_response(record)

    async def around(self, request: web.Request) -> web.Response:
        """The season around a session, without spoilers."""
        query = session_query(self._feed, request)
        info, season = self._season_of(query)
        over = is_grand_prix(info.type) and query.ended
        result = self._feed.marts.session(query.tape.session_key) if over else None
        return json_response(season_at(season, info, _result(result.value) if result else None, over))

    async def championship(self, request: web.Request) -> web.Response:
        """The championships if a race or sprint ended in its current order."""
        query = session_query(self._feed, request)
        info, season = self._season_of(query)
        if not is_race(info.type):
            raise not_found(f"session {query.tape.session_key!r} is not a race: it scores no points")
        try:
            return json_response(championship_at(season, info, query.picture(), query.head["cars"]))
        except ValueError as error:
            raise not_found(str(error)) from None

    def _season_of(self, query: SessionQuery) -> tuple[SessionInfo, Season]:
        """The session's info and its season in the marts. Raises ApiError."""
        info = SessionInfo.model_validate(query.head["info"])
        if info.simulated:
            raise not_found(f"session {query.tape.session_key!r} is simulated: it belongs to no season")
        year = day_of(info).year
        record = self._feed.marts.season(year)
        if record is None:
            raise not_found(f"the marts have no season {year} yet; /api/seasons lists those they have")
        return info, _season(record.value)

    async def seasons(self, _: web.Request) -> web.Response:
        """Every season of the marts, the newest first."""
        return json_response(
            {
                "seasons": [
                    {"season": year, "built_ms": record.built_ms} for year, record in self._feed.marts.seasons()
                ]
            }
        )

    async def season(self, request: web.Request) -> web.Response:
        """A season by rounds, with the standings after each (``models.Season``)."""
        if not YEAR.fullmatch(request.match_info["year"]):
            raise bad_request("a season is named by its year, as in /api/seasons/2025")
        year = int(request.match_info["year"])
        record = self._feed.marts.season(year)
        if record is None:
            raise not_found(f"the marts have no season {year}; /api/seasons lists those they have")
        return encoded_response(record)


def encoded_response(record: EncodedRecord) -> web.Response:
    """A record as its stored bytes with its stored ETag."""
    response = web.Response(body=record.value, content_type="application/json")
    response.etag = record.etag
    return response


@lru_cache(maxsize=4)
def _season(value: bytes) -> Season:
    return Season.model_validate_json(value)


def _result(value: bytes) -> SessionResult:
    return SessionResult.model_validate_json(value)
