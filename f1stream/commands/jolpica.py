"""``f1stream jolpica``: load the season's facts into the warehouse."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

FIRST_SEASON = 1950
LAST_ROUND = 99
"""An upper bound: no season has had more than 24 rounds."""
app = typer.Typer(help="The season's facts from the Jolpica API, into the warehouse.", no_args_is_help=True)


@app.command()
def sync(
    whole_season: Annotated[
        bool, typer.Option("--whole-season", help="Every round of the season: results are revised months later.")
    ] = False,
) -> None:
    """Load what can have changed: the calendar, new rounds and the last two."""
    from f1stream.jolpica.commands import load

    load(lambda work: work.sync(whole_season=whole_season))


@app.command()
def backfill(
    first: Annotated[int, typer.Option("--from", min=FIRST_SEASON, help="First season.")] = 2018,
    last: Annotated[
        int | None, typer.Option("--to", min=FIRST_SEASON, help="Last season, by default this one.")
    ] = None,
    rounds: Annotated[str | None, typer.Option(help="Only these rounds.", metavar="1-3,7")] = None,
    again: Annotated[bool, typer.Option(help="Request again what was answered before.")] = False,
) -> None:
    """Load whole seasons. After an interruption it continues where it stopped and repeats no request."""
    from f1stream.jolpica.commands import load

    this_year = datetime.now(UTC).year
    last = this_year if last is None else last
    if not first <= last <= this_year + 1:
        raise typer.BadParameter(f"--from {first} --to {last}: give seasons from {FIRST_SEASON} to {this_year + 1}.")
    seasons, only = range(first, last + 1), parse_rounds(rounds)
    load(lambda work: work.backfill(seasons, only, again=again))


def parse_rounds(text: str | None) -> set[int] | None:
    """The rounds of a text such as ``1-3,7``. Raises typer.BadParameter."""
    if text is None:
        return None
    rounds: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.strip().isdecimal() or not (last or first).strip().isdecimal():
            raise typer.BadParameter(f"{part!r} is neither a round nor a range of rounds such as 1-3.")
        if not 1 <= int(first) <= int(last or first) <= LAST_ROUND:
            raise typer.BadParameter(f"{part!r} is no range of rounds from 1 to {LAST_ROUND}.")
        rounds.update(range(int(first), int(last or first) + 1))
    return rounds
