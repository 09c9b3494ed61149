"""What ``f1stream jolpica`` runs and prints: loads season data into the warehouse."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta

import snowflake.connector
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from f1stream.embedded.running import embedded_warehouse
from f1stream.jolpica import plan
from f1stream.jolpica.client import open_jolpica
from f1stream.jolpica.landing import Landing
from f1stream.jolpica.rate_limit import rate_limits, shared_bucket
from f1stream.jolpica.resources import Query
from f1stream.jolpica.sync import Sync, SyncReport
from f1stream.lock import one_at_a_time
from f1stream.settings import settings
from f1stream.warehouse.connection import Warehouse, error_text
from f1stream.warehouse.ensure_tables import ensure_tables
from f1stream.warehouse.errors import WarehouseError


def load(work: Callable[[Sync], Awaitable[SyncReport]]) -> None:
    """Run a sync or a backfill and print its report. Exit code 1 if it is not complete."""
    with one_at_a_time(settings()), embedded_warehouse(settings()), closing(Warehouse(settings())) as warehouse:
        try:
            ensure_tables(warehouse, settings().snowflake_database)
        except snowflake.connector.Error as error:
            raise WarehouseError(error_text(error)) from error
        with _progress() as progress:
            outcome = asyncio.run(_with_api(warehouse, work, progress))
    for sentence in outcome.sentences():
        print(sentence)  # noqa: T201
    if not outcome.complete:
        raise SystemExit(1)


async def _with_api(
    warehouse: Warehouse, work: Callable[[Sync], Awaitable[SyncReport]], progress: Callable[[Query | None, int], None]
) -> SyncReport:
    async with open_jolpica(settings()) as api:
        return await work(Sync(api, Landing(warehouse), progress=progress))


@contextmanager
def _progress() -> Iterator[Callable[[Query | None, int], None]]:
    """A progress bar in requests, whose estimate includes the hourly limit."""
    bucket, hourly = shared_bucket(settings().home, rate_limits(settings())), settings().jolpica_requests_per_hour
    columns = (
        TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TextColumn("requests"),
        TimeElapsedColumn(), TextColumn("{task.fields[left]}"),
    )  # fmt: skip
    with Progress(*columns) as bars:
        task = bars.add_task("Jolpica", total=0, left="")

        def update(query: Query | None, more: int) -> None:
            bar = bars.tasks[0]
            total, done = (bar.total or 0) + max(more, 0), bar.completed + max(-more, 0)
            bucket.leak(bucket.now())  # type: ignore[no-untyped-call]
            left = plan.seconds_for(int(total - done), min(bucket.count(), hourly), hourly)
            about = f"about {timedelta(seconds=round(left))} left ({hourly} an hour)" if left >= 1 else ""
            bars.update(task, total=total, completed=done, left=about, description=str(query or bar.description))

        try:
            yield update
        finally:
            bucket.close()  # type: ignore[no-untyped-call]
