"""What was asked: of which session, at which time, of which car and lap.

``at`` is a viewer's time. Whatever is answered comes from here or from what is cut off at it: nothing that became
known later may be in an answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from aiohttp import web

from models.frame import FRAME_MS
from web.api.responses import bad_request, not_found
from web.feed import Feed
from web.history import Entry
from web.tape import Tape

WHOLE = re.compile(r"-?[0-9]{1,15}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SessionQuery:
    """A run of a session, and the time ``at`` (session ms) at which it is asked about; None: all that is known."""

    tape: Tape
    at: int | None

    @property
    def until(self) -> int:
        """``at``, or a time after everything."""
        return 1 << 62 if self.at is None else self.at

    @property
    def head(self) -> dict[str, Any]:
        """The head that held at the time."""
        return parse_header(self.head_bytes)

    @property
    def head_bytes(self) -> bytes:
        """The same, encoded."""
        value = self.tape.head_of(self.until // FRAME_MS)
        assert value is not None  # noqa: S101 - no tape is shown without one
        return value

    @property
    def ended(self) -> bool:
        """Whether the session had ended at the time."""
        if self.at is None:
            return self.tape.ended
        picture = self.tape.state_at(self.at)
        return bool(picture and picture["race"].get("ended"))

    def picture(self) -> dict[str, Any]:
        """The whole picture at the time. Raises ApiError when it lies before the first."""
        span = self.tape.range()
        if span is None:
            raise not_found(f"session {self.tape.session_key!r} has no picture yet")
        picture = self.tape.state_at(self.until)
        if picture is None:
            raise not_found(
                f"session {self.tape.session_key!r} is known from {span[0]} to {span[1]} ms, not at {self.at}"
            )
        return picture

    def car(self, number: str) -> str:
        """A driver number that takes part. Raises ApiError for another."""
        if all(car["driver_number"] != number for car in self.head["cars"]):
            raise not_found(f"session {self.tape.session_key!r} has no car {number!r}")
        return number

    def lap(self, car: str, number: int) -> Entry:
        """A lap as it was known at the time. Raises ApiError when it was not."""
        lap = self.tape.history.lap(self.car(car), number, self.at)
        if lap is None:
            raise not_found(f"lap {number} of car {car} is not known{'' if self.at is None else f' at {self.at} ms'}")
        return lap


def session_query(feed: Feed, request: web.Request) -> SessionQuery:
    """The session and the time of a request. Raises ApiError."""
    key = request.match_info["key"]
    tape = feed.tapes.get(key)
    if tape is None:
        raise not_found(f"there is no session {key!r}; /api/sessions lists them")
    return SessionQuery(tape, integer_parameter(request, "at", "milliseconds of session time"))


def integer_parameter(request: web.Request, name: str, of: str) -> int | None:
    """A parameter that is a whole number; None when it is not told. Raises ApiError."""
    value = request.query.get(name)
    if value is None:
        return None
    if not WHOLE.fullmatch(value):
        raise bad_request(f"{name} is not a whole number of {of}")
    return int(value)


def required(value: str | int | None, sentence: str) -> Any:
    """What must be told. Raises ApiError with the sentence when it is not."""
    if value is None or value == "":
        raise bad_request(sentence)
    return value


@lru_cache(maxsize=16)
def parse_header(head: bytes) -> dict[str, Any]:
    """A head, decoded once for all who ask about its session. Not to be changed."""
    found: dict[str, Any] = orjson.loads(head)
    return found
