"""``f1stream sessions``: the sessions of a season."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from f1stream.settings import Settings
from f1stream.sources.fastf1.fetch import fetched_archive
from f1stream.sources.fastf1.schedule import COMPLETE_AFTER, SHORT_NAMES, TEST_DAYS, SessionRef, weekends


def season(settings: Settings, year: int | None) -> None:
    """Print a season's events and their sessions. Raises SourceError."""
    now = datetime.now(UTC)
    year = year or now.year
    table = Table("round", "event", "place", "last day", "to be fetched", "here", "to come")
    short = SHORT_NAMES | TEST_DAYS
    for weekend in weekends(settings, year):
        here, ready, later = [], [], []
        for name, begins in weekend.sessions:
            if fetched_archive(settings, SessionRef(year, weekend.event, name)):
                here.append(short[name])
            elif begins is None or begins + COMPLETE_AFTER < now:
                ready.append(short[name])
            else:
                later.append(short[name])
        days = [begins for _, begins in weekend.sessions if begins is not None]
        table.add_row(
            str(weekend.round_number or "test"), weekend.event, weekend.location,
            f"{max(days):%Y-%m-%d}" if days else "", " ".join(ready), " ".join(here), " ".join(later),
        )  # fmt: skip
    console = Console()
    console.print(table)
    console.print(
        f"Fetch one: f1stream fetch {year} EVENT SESSION, or watch it: f1stream demo --source fastf1:{year}/…"
    )
