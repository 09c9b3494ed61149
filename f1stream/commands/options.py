"""Options that several commands have, and how a command runs a coroutine."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Annotated, Any

import typer

from f1stream.sources.kinds import KINDS, WHICH

Speed = Annotated[
    str,
    typer.Option(help="Multiple of the session's own pace, from 0.25; max is as fast as possible.", metavar="N|max"),
]
Source = Annotated[str, typer.Argument(help=f"Where the session comes from: {KINDS}. {WHICH}.", metavar="SRC")]
PacketMs = Annotated[
    int | None,
    typer.Option(
        min=50,
        max=10_000,
        help="Session time (ms) in one packet, by default 250 up to 10x, 1000 above, 10000 at full speed.",
    ),
]
FromMs = Annotated[
    int | None,
    typer.Option("--from", help="Session time (ms) to begin at, by default 60 s before the start."),
]
ToMs = Annotated[int | None, typer.Option("--to", help="Session time (ms) to end at.")]


def parse_speed(text: str) -> float | None:
    """The speed as a factor; None for ``max``. Raises typer.BadParameter."""
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither a number nor max.") from None
    if not 0.25 <= speed <= 1_000:
        raise typer.BadParameter("The speed lies between 0.25 and 1000, or is max.")
    return speed


def run_async(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its result. Ctrl-C ends the process with code 130."""
    import asyncio

    try:
        return asyncio.run(work)
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise SystemExit(130) from None
