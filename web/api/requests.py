"""Parameters of a request: session, time, car and lap.

``at`` is a viewer's time. Every answer comes from ``SessionQuery`` or is cut off at its ``until``: nothing that
became known later may be in it.
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

INTEGER = re.compile(r"-?[0-9]{1,15}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SessionQuery:
    """A run of a session, and the session time ``at`` (ms) of the request; None: everything that is known."""

    tape: Tape
    at: int | None

    @property
    def until(self) -> int:
        """``at``, or a time later than any other."""
        return 1 << 62 if self.at is None else self.at

    @property
    def head(self) -> dict[str, Any]:
        """The head that held at that time."""
        return parse_head(self.head_bytes)

    @property
    def head_bytes(self) -> bytes:
        """The same, encoded."""
        value = self.tape.head_of(self.until // FRAME_MS)
        assert value is not None  # noqa: S101 - TapeStore.get returns no tape without one
        return value

    @property
    def ended(self) -> bool:
        """Whether the session had ended at that time."""
        if self.at is None:
            return self.tape.ended
        picture = self.tape.state_at(self.at)
        return bool(picture and picture["race"].get("ended"))

    def picture(self) -> dict[str, Any]:
        """The whole picture at that time. Raises ApiError before the first picture."""
        span = self.tape.span()
        if span is None:
            raise not_found(f"session {self.tape.session_key!r} has no picture yet")
        picture = self.tape.state_at(self.until)
        if picture is None:
            raise not_found(
                f"session {self.tape.session_key!r} is known from {span[0]} to {span[1]} ms, not at {self.at}"
            )
        return picture

    def car(self, number: str) -> str:
        """The number of a car that takes part. Raises ApiError for any other."""
        if all(car["driver_number"] != number for car in self.head["cars"]):
            raise not_found(f"session {self.tape.session_key!r} has no car {number!r}")
        return number

    def lap(self, car: str, number: int) -> Entry:
        """A lap as it was known at that time. Raises ApiError for an unknown one."""
        lap = self.tape.history.lap(self.car(car), number, self.at)
        if lap is None:
            raise not_found(f"lap {number} of car {car} is not known{'' if self.at is None else f' at {self.at} ms'}")
        return lap


def session_query(feed: Feed, request: web.Request) -> SessionQuery:
    """Session and time of a request. Raises ApiError."""
    key = request.match_info["key"]
    tape = feed.tapes.get(key)
    if tape is None:
        raise not_found(f"there is no session {key!r}; /api/sessions lists them")
    return SessionQuery(tape, integer_parameter(request, "at", "milliseconds of session time"))


def integer_parameter(request: web.Request, name: str, unit: str) -> int | None:
    """An integer parameter; None when it is absent. Raises ApiError, with ``unit`` in its sentence."""
    value = request.query.get(name)
    if value is None:
        return None
    if not INTEGER.fullmatch(value):
        raise bad_request(f"{name} is not a whole number of {unit}")
    return int(value)


def required(value: str | int | None, sentence: str) -> Any:
    """A parameter that must be present. Raises ApiError with the sentence when it is absent or empty."""
    if value is None or value == "":
        raise bad_request(sentence)
    return value


@lru_cache(maxsize=16)
def parse_head(head: bytes) -> dict[str, Any]:
    """A decoded head, cached. Do not change it."""
    found: dict[str, Any] = orjson.loads(head)
    return found
