"""``f1stream jolpica``: the season's facts into the warehouse."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from f1stream.embedded.running import embedded_warehouse
from f1stream.jobs.lock import one_at_a_time
from f1stream.jolpica import plan
from f1stream.jolpica.client import open_jolpica, rates, shared_bucket
from f1stream.jolpica.landing import Landing
from f1stream.jolpica.resources import Query
from f1stream.jolpica.sync import Sync, SyncReport
from f1stream.settings import settings
from f1stream.warehouse.connection import Warehouse
from f1stream.warehouse.schema import create

FIRST_SEASON = 1950
LAST_ROUND = 99
"""More than any season has."""
app = typer.Typer(help="The season's facts from the Jolpica API, into the warehouse.", no_args_is_help=True)


@app.command()
def sync(
    whole_season: Annotated[
        bool, typer.Option("--whole-season", help="Every round of the season: results are revised months later.")
    ] = False,
) -> None:
    """What can have changed: the calendar, new rounds and the last two."""
    _run(lambda work: work.sync(whole_season=whole_season))


@app.command()
def backfill(
    first: Annotated[int, typer.Option("--from", min=FIRST_SEASON, help="First season.")] = 2018,
    last: Annotated[
        int | None, typer.Option("--to", min=FIRST_SEASON, help="Last season, by default this one.")
    ] = None,
    rounds: Annotated[str | None, typer.Option(help="Only these rounds.", metavar="1-3,7")] = None,
    again: Annotated[bool, typer.Option(help="Ask again for what was answered before.")] = False,
) -> None:
    """Everything of some seasons. Stopped, it goes on where it was: nothing is asked for twice."""
    this_year = datetime.now(UTC).year
    last = this_year if last is None else last
    if not first <= last <= this_year + 1:
        raise typer.BadParameter(f"--from {first} --to {last}: give seasons from {FIRST_SEASON} to {this_year + 1}.")
    _run(lambda work: work.backfill(range(first, last + 1), parse_rounds(rounds), again=again))


def parse_rounds(text: str | None) -> set[int] | None:
    """``1-3,7``. Raises typer.BadParameter."""
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


def _run(work: Callable[[Sync], Awaitable[SyncReport]]) -> None:
    with one_at_a_time(settings()), embedded_warehouse(settings()):
        warehouse = Warehouse(settings())
        list(create(warehouse, settings().snowflake_database))
        with _progress() as progress:
            outcome = asyncio.run(_with_api(warehouse, work, progress))
        warehouse.close()
    for told in outcome.sentences():
        print(told)  # noqa: T201
    if not outcome.complete:
        raise SystemExit(1)


async def _with_api(
    warehouse: Warehouse, work: Callable[[Sync], Awaitable[SyncReport]], progress: Callable[[Query | None, int], None]
) -> SyncReport:
    async with open_jolpica(settings()) as api:
        return await work(Sync(api, Landing(warehouse), progress=progress))


@contextmanager
def _progress() -> Iterator[Callable[[Query | None, int], None]]:
    """A bar in requests, with an estimate that knows the hourly limit."""
    bucket, hourly = shared_bucket(settings().home, rates(settings())), settings().jolpica_requests_per_hour
    columns = (
        TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TextColumn("requests"),
        TimeElapsedColumn(), TextColumn("{task.fields[left]}"),
    )  # fmt: skip
    with Progress(*columns) as bars:
        task = bars.add_task("Jolpica", total=0, left="")

        def told(query: Query | None, more: int) -> None:
            bar = bars.tasks[0]
            total, done = (bar.total or 0) + max(more, 0), bar.completed + max(-more, 0)
            bucket.leak(bucket.now())  # type: ignore[no-untyped-call]
            left = plan.seconds_for(int(total - done), min(bucket.count(), hourly), hourly)
            about = f"about {timedelta(seconds=round(left))} left ({hourly} an hour)" if left >= 1 else ""
            bars.update(task, total=total, completed=done, left=about, description=str(query or bar.description))

        try:
            yield told
        finally:
            bucket.close()  # type: ignore[no-untyped-call]
