"""The sessions there are, and the picture of one at a time."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from models.frame import FRAME_MS
from web.api.answers import answer
from web.api.asked import asked, parsed
from web.feed import Feed, now_ms
from web.tape import Tape


class Sessions:
    """``/api/sessions`` and ``state``."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def routes(self) -> list[web.RouteDef]:
        """Where."""
        return [web.get("/api/sessions", self.sessions), web.get("/api/sessions/{key}/state", self.state)]

    async def sessions(self, _: web.Request) -> web.Response:
        """Every session that can be shown, the newest run first."""
        tapes = sorted(self._feed.shelf, key=lambda tape: tape.epoch, reverse=True)
        return answer({"sessions": [_summary(tape) for tape in tapes]})

    async def state(self, request: web.Request) -> web.Response:
        """The head and the whole picture."""
        about = asked(self._feed, request)
        picture = about.picture()
        head = about.tape.head_of(picture["t"] // FRAME_MS)
        return answer({"head": orjson.Fragment(head or b"null"), "frame": picture})


def _summary(tape: Tape) -> dict[str, Any]:
    info = parsed(tape.head or b"{}").get("info", {})
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
        "damaged": tape.damaged,
        "age_ms": max(0, now_ms() - tape.arrived_ms) if tape.arrived_ms else None,
    }
