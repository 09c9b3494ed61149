"""The list of sessions, and the picture of a session at a time."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from models.frame import FRAME_MS
from web.api.requests import parse_head, session_query
from web.api.responses import json_response
from web.feed import Feed, now_ms
from web.tape import Tape


class SessionRoutes:
    """``/api/sessions`` and ``state``."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def routes(self) -> list[web.RouteDef]:
        """The routes."""
        return [web.get("/api/sessions", self.sessions), web.get("/api/sessions/{key}/state", self.state)]

    async def sessions(self, _: web.Request) -> web.Response:
        """Every session with a tape, the newest run first."""
        tapes = sorted(self._feed.tapes, key=lambda tape: tape.run_id, reverse=True)
        return json_response({"sessions": [_summary(tape) for tape in tapes]})

    async def state(self, request: web.Request) -> web.Response:
        """The head and the whole picture."""
        query = session_query(self._feed, request)
        picture = query.picture()
        head = query.tape.head_of(picture["t"] // FRAME_MS)
        return json_response({"head": orjson.Fragment(head or b"null"), "frame": picture})


def _summary(tape: Tape) -> dict[str, Any]:
    info = parse_head(tape.head or b"{}").get("info", {})
    span = tape.range()
    return {
        "session_key": tape.session_key,
        "epoch": tape.run_id,
        "name": info.get("name"),
        "meeting": info.get("meeting"),
        "simulated": info.get("simulated", False),
        "source": info.get("source"),
        "from_ms": span[0] if span else None,
        "to_ms": span[1] if span else None,
        "ended": tape.ended,
        "damaged": tape.damaged,
        "age_ms": max(0, now_ms() - tape.arrived_ms) if tape.arrived_ms else None,
    }
