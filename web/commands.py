"""What a viewer may ask for: the commands of their remote control, as they come over the websocket."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

SLOWEST, FASTEST = 0.25, 16.0
LONGEST_DELAY_MS = 600_000
LATEST_MS = 7 * 24 * 3_600_000
"""No session's clock comes so far."""


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("true and false are no numbers")  # noqa: TRY004 - pydantic wants it so
    return value


At = Annotated[int, BeforeValidator(_no_bool), Field(ge=-LATEST_MS, le=LATEST_MS)]
Speed = Annotated[float, Field(ge=SLOWEST, le=FASTEST)]


class _Command(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    id: int = Field(ge=0, le=2**53)
    """Comes back with the answer: what was sent before it belongs to an earlier place."""


class GoLive(_Command):
    """What comes, as it comes, or always ``delay_ms`` of wall time later, to match a TV picture."""

    do: Literal["live"]
    delay_ms: Annotated[int, Field(ge=0, le=LONGEST_DELAY_MS)] = 0


class Play(_Command):
    """Go on from session time ``t`` (None: from here), at so many times the session's pace."""

    do: Literal["play"]
    t: At | None = None
    speed: Speed = 1.0
    delay_ms: Annotated[int, Field(ge=0, le=LONGEST_DELAY_MS)] = 0
    """Of the live picture that it may catch up with."""


class Pause(_Command):
    """Stand still at session time ``t`` (None: here)."""

    do: Literal["pause"]
    t: At | None = None


class GoToLap(_Command):
    """Go to the moment at which the leader begins a lap, playing or standing still as now."""

    do: Literal["lap"]
    lap: Annotated[int, Field(ge=1, le=200)]


class Reveal(_Command):
    """Tell (or do not) what happened later than the picture shown."""

    do: Literal["reveal"]
    on: bool


Command = Annotated[GoLive | Play | Pause | GoToLap | Reveal, Field(discriminator="do")]
_command: TypeAdapter[Command] = TypeAdapter(Command)


def enqueue(pressed: list[Command], command: Command) -> list[Command]:
    """What is left to be done when ``command`` comes behind those that wait: at most four.

    One that names a place leaves nothing of those that moved the cursor before; else the later of two alike counts.
    """
    return [*(each for each in pressed if not _overtakes(command, each)), command]


def _overtakes(later: Command, earlier: Command) -> bool:
    if isinstance(later, Reveal) or isinstance(earlier, Reveal):
        return isinstance(later, Reveal) and isinstance(earlier, Reveal)
    if isinstance(later, GoToLap) or isinstance(earlier, GoToLap):
        return isinstance(later, GoToLap) == isinstance(earlier, GoToLap) or _names_a_place(later)
    return _names_a_place(later) or not _names_a_place(earlier)


def _names_a_place(command: Command) -> bool:
    return isinstance(command, GoLive) or (isinstance(command, Play | Pause) and command.t is not None)


class BadCommand(ValueError):
    """Nothing that a viewer may ask for; the text is a sentence."""


def parse_command(text: str) -> Command:
    """A command from its JSON. Raises BadCommand."""
    try:
        return _command.validate_json(text)
    except ValidationError as error:
        raise BadCommand(_sentence(error)) from None


def initial_command(query: dict[str, str]) -> Command:
    """The mode that a viewer begins with, from the address of the websocket. Raises BadCommand.

    ``at`` (session ms) begins there, standing still, or going on with ``speed``; ``delay_ms`` delays.
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


def _sentence(error: ValidationError) -> str:
    told = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in told["loc"])
    return f"{where or 'the message'}: {told['msg']}"
