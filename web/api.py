"""The HTTP API: sessions, the picture of one at a time, results and seasons, health and metrics."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from models.frame import FRAME_MS
from web.feed import Feed
from web.metrics import Metrics
from web.results import Kept
from web.tape import Tape
from web.viewers import now_ms


class Api:
    """Answers in JSON; errors as ``{"error": "a sentence"}``."""

    def __init__(self, feed: Feed, metrics: Metrics) -> None:
        self._feed = feed
        self._metrics = metrics

    def routes(self) -> list[web.RouteDef]:
        """What is answered where."""
        return [
            web.get("/api/sessions", self.sessions),
            web.get("/api/sessions/{key}/state", self.state),
            web.get("/api/sessions/{key}/result", self.result),
            web.get("/api/seasons", self.seasons),
            web.get("/api/seasons/{year}", self.season),
            web.get("/health", self.health),
            web.get("/metrics", self.metrics),
        ]

    async def sessions(self, _: web.Request) -> web.Response:
        """Every session that can be shown, the newest run first."""
        tapes = sorted(self._feed.shelf, key=lambda tape: tape.epoch, reverse=True)
        return answer({"sessions": [_summary(tape) for tape in tapes]})

    async def state(self, request: web.Request) -> web.Response:
        """The head and the whole picture at session time ``at`` (ms), or now."""
        key = request.match_info["key"]
        tape = self._feed.shelf.get(key)
        if tape is None:
            return error(404, f"there is no session {key!r}; /api/sessions lists them")
        span = tape.range()
        if span is None or tape.head is None:
            return error(404, f"session {key!r} has no picture yet")
        try:
            at = int(request.query.get("at", span[1]))
        except ValueError:
            return error(400, "at is not a whole number of milliseconds of session time")
        picture = tape.state_at(at)
        head = tape.head_of(picture["t"] // FRAME_MS) if picture else None
        if picture is None or head is None:
            return error(404, f"session {key!r} is known from {span[0]} to {span[1]} ms, not at {at}")
        return answer({"head": orjson.Fragment(head), "frame": picture})

    async def result(self, request: web.Request) -> web.Response:
        """The result of a session (``models.SessionResult``), when the marts have been built with it."""
        key = request.match_info["key"]
        kept = self._feed.results.session(key)
        if kept is None:
            return error(404, f"the marts have no result of session {key!r}; they are built after a session")
        return revalidated(request, kept)

    async def seasons(self, _: web.Request) -> web.Response:
        """Every season that the marts have, the newest first."""
        return answer(
            {"seasons": [{"season": year, "built_ms": kept.built_ms} for year, kept in self._feed.results.seasons()]}
        )

    async def season(self, request: web.Request) -> web.Response:
        """A season by rounds with the standings after each (``models.Season``)."""
        try:
            year = int(request.match_info["year"])
        except ValueError:
            return error(400, "a season is named by its year, as in /api/seasons/2025")
        kept = self._feed.results.season(year)
        if kept is None:
            return error(404, f"the marts have no season {year}; /api/seasons lists those they have")
        return revalidated(request, kept)

    async def health(self, _: web.Request) -> web.Response:
        """200 while the broker answers, else 503."""
        body = {
            "status": "ok" if self._feed.connected else "no broker",
            "reader": "connected" if self._feed.connected else "disconnected",
            "caught_up": self._feed.caught_up,
            "lag": self._feed.lag,
        }
        return answer(body, 200 if self._feed.connected else 503)

    async def metrics(self, _: web.Request) -> web.Response:
        """For Prometheus."""
        return web.Response(body=self._metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def answer(body: Any, status: int = 200) -> web.Response:
    """A JSON response that nobody keeps."""
    return web.Response(
        body=orjson.dumps(body),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def revalidated(request: web.Request, kept: Kept) -> web.Response:
    """A record that a client may keep but asks about each time: 304 when theirs is still the newest."""
    theirs = {tag.value for tag in request.if_none_match or ()}
    if theirs & {kept.etag, "*"}:
        response = web.Response(status=304)
    else:
        response = web.Response(body=kept.value, content_type="application/json")
    response.etag = kept.etag
    response.headers["Cache-Control"] = "no-cache"
    return response


def error(status: int, sentence: str) -> web.Response:
    """What was wrong, as a sentence."""
    return answer({"error": sentence}, status)


def _summary(tape: Tape) -> dict[str, Any]:
    head = orjson.loads(tape.head or b"{}")
    info = head.get("info", {})
    span = tape.range()
    return {
        "session_key": tape.session_key,
        "epoch": tape.epoch,
        "name": info.get("name"),
        "meeting": info.get("meeting"),
        "simulated": info.get("simulated", False),
        "source": info.get("source"),
        "from_ms": span[0] if span else None,
        "to_ms": span[1] if span else None,
        "ended": tape.ended,
        "age_ms": max(0, now_ms() - tape.arrived_ms) if tape.arrived_ms else None,
    }
