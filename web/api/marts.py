"""Results and seasons of the marts, and the season as it was known at a viewer's time."""

from __future__ import annotations

import re
from functools import lru_cache

from aiohttp import web

from models import Season, SessionInfo, SessionResult
from models.session_type import is_grand_prix, is_race
from web.api.marts_schemas import (
    CalendarSchema,
    ChampionshipSchema,
    ResultSchema,
    SeasonAroundSchema,
    SeasonSchema,
    SeasonsSchema,
    SeasonSummarySchema,
)
from web.api.operation import SESSION_PATH, Routes, get
from web.api.requests import SessionQuery, session_query
from web.api.responses import API_PREFIX, bad_request, json_response, model_response, not_found
from web.marts_store import EncodedRecord
from web.season import calendar_of, championship_at, day_of, season_at

YEAR = re.compile(r"[1-9][0-9]{3}", re.ASCII)


class MartRoutes(Routes):
    """``result`` of a session, the ``season`` around it, its ``championship``, the calendar, and ``/api/seasons``."""

    @get(
        f"{SESSION_PATH}/result",
        tag="marts",
        summary="The result of a session that has ended",
        description="404 when it had not ended at `at`, and until the marts have been built with it.",
        answer=ResultSchema,
        returns="The result.",
    )
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

    @get(
        f"{SESSION_PATH}/season",
        tag="marts",
        summary="The season around a session",
        operation_id="seasonAround",
        description="The standings before the session's event, and the results of the rounds before it. The event "
        "itself and later ones have only their calendar entry; the event's own result and the standings with it come "
        "when the session is its race and had ended at `at`. 404 for a simulated session, and when the marts do not "
        "have the season.",
        answer=SeasonAroundSchema,
        returns="The season.",
    )
    async def around(self, request: web.Request) -> web.Response:
        """The season around a session, without spoilers."""
        query = session_query(self._feed, request)
        info, season = self._season_of(query)
        over = is_grand_prix(info.type) and query.ended
        result = self._feed.marts.session(query.tape.session_key) if over else None
        return json_response(season_at(season, info, _result(result.value) if result else None, over))

    @get(
        f"{SESSION_PATH}/championship",
        tag="marts",
        summary="The championships if the session ended in its current order",
        description="The standings before the session's event, and the points for the order of the cars at `at`, "
        "with the penalties that were not served yet. For races and sprints; 404 for other and for simulated "
        "sessions, and when the marts do not have the season.",
        answer=ChampionshipSchema,
        returns="Drivers and constructors.",
    )
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

    @get(
        f"{API_PREFIX}calendar",
        tag="marts",
        summary="The calendar of the newest season",
        description="Events and the times of their sessions, without results. Empty when the marts have no season.",
        answer=CalendarSchema,
        returns="The calendar.",
    )
    async def calendar(self, _: web.Request) -> web.Response:
        """The calendar of the newest season, for a page that has no session to show."""
        year, record = next(self._feed.marts.seasons(), (None, None))
        return json_response({"season": year, "events": calendar_of(_season(record.value)) if record else []})

    @get(
        f"{API_PREFIX}seasons",
        tag="marts",
        summary="Every season of the marts, the newest first",
        answer=SeasonsSchema,
        returns="The seasons.",
    )
    async def seasons(self, _: web.Request) -> web.Response:
        """Every season of the marts, the newest first."""
        return model_response(
            SeasonsSchema(
                seasons=[
                    SeasonSummarySchema(season=year, built_ms=record.built_ms)
                    for year, record in self._feed.marts.seasons()
                ]
            )
        )

    @get(
        f"{API_PREFIX}seasons/{{year}}",
        tag="marts",
        summary="A whole season, with the result of every race and the standings after it",
        description="As the marts have it today. A client that follows a session at its own time requests the "
        "session's `season` instead.",
        answer=SeasonSchema,
        returns="The season.",
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
