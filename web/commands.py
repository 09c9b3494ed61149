"""The playback commands of viewers, as they arrive on the websocket."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

SLOWEST, FASTEST = 0.25, 16.0
"""Bounds of the speed, as multiples of the session's pace."""
LONGEST_DELAY_MS = 600_000
LATEST_MS = 7 * 24 * 3_600_000
"""Bound of a session time, beyond any session's clock."""


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("true and false are not numbers")  # noqa: TRY004 - pydantic reports ValueErrors only
    return value


At = Annotated[int, BeforeValidator(_no_bool), Field(ge=-LATEST_MS, le=LATEST_MS)]
Speed = Annotated[float, Field(ge=SLOWEST, le=FASTEST)]


class _Command(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    id: int = Field(ge=0, le=2**53)
    """Returned in the answer: messages sent before that answer belong to the earlier position."""


class GoLive(_Command):
    """Follow new frames as they arrive, or ``delay_ms`` of wall time later to match a TV picture."""

    do: Literal["live"]
    delay_ms: Annotated[int, Field(ge=0, le=LONGEST_DELAY_MS)] = 0


class Play(_Command):
    """Play from session time ``t`` (None: the current position) at ``speed`` times the session's pace."""

    do: Literal["play"]
    t: At | None = None
    speed: Speed = 1.0
    delay_ms: Annotated[int, Field(ge=0, le=LONGEST_DELAY_MS)] = 0
    """Delay of the live picture, which playing may catch up with."""


class Pause(_Command):
    """Stop at session time ``t`` (None: the current position)."""

    do: Literal["pause"]
    t: At | None = None


class GoToLap(_Command):
    """Go to where the leader begins a lap, or the session if it is lap 1; playing or pausing continues."""

    do: Literal["lap"]
    lap: Annotated[int, Field(ge=1, le=200)]


class Reveal(_Command):
    """Show, or hide again, entries of the log that are later than the picture."""

    do: Literal["reveal"]
    on: bool


Command = Annotated[GoLive | Play | Pause | GoToLap | Reveal, Field(discriminator="do")]
_command: TypeAdapter[Command] = TypeAdapter(Command)


def enqueue(queue: list[Command], command: Command) -> list[Command]:
    """The queue after ``command`` arrives: at most four commands.

    A command with a position replaces all earlier moves; otherwise the later of two commands of a kind replaces the
    earlier one.
    """
    return [*(each for each in queue if not _replaces(command, each)), command]


def _replaces(later: Command, earlier: Command) -> bool:
    if isinstance(later, Reveal) or isinstance(earlier, Reveal):
        return isinstance(later, Reveal) and isinstance(earlier, Reveal)
    if isinstance(later, GoToLap) or isinstance(earlier, GoToLap):
        return isinstance(later, GoToLap) == isinstance(earlier, GoToLap) or _has_position(later)
    return _has_position(later) or not _has_position(earlier)


def _has_position(command: Command) -> bool:
    return isinstance(command, GoLive) or (isinstance(command, Play | Pause) and command.t is not None)


class BadCommand(ValueError):
    """A message that is not a valid command; the text is a sentence."""


def parse_command(text: str) -> Command:
    """A command from JSON. Raises BadCommand."""
    try:
        return _command.validate_json(text)
    except ValidationError as error:
        raise BadCommand(_sentence(error)) from None


def initial_command(query: dict[str, str]) -> Command:
    """The mode in which a viewer starts, from the query of the websocket's address. Raises BadCommand.

    ``at`` (session ms) starts paused at that time, or playing if ``speed`` is given; ``delay_ms`` delays.
    """
    wanted: dict[str, str | int] = {"id": 0, "do": "live"}
    if "at" in query:
        wanted |= {"do": "play" if "speed" in query else "pause", "t": query["at"]}
    if "at" in query and "speed" in query:
        wanted["speed"] = query["speed"]
    if "delay_ms" in query and wanted["do"] != "pause":
        wanted["delay_ms"] = query["delay_ms"]
    try:
        return _command.validate_python(wanted)
    except ValidationError as error:
        raise BadCommand(_sentence(error)) from None


def initial_wait(query: dict[str, str]) -> bool:
    """Whether a session that has ended waits for the first command: ``ended=wait``. Raises BadCommand."""
    if query.get("ended", "wait") != "wait":
        raise BadCommand("ended: the only value is wait")
    return "ended" in query


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where or 'the message'}: {first['msg']}"
