"""Loads what a job asks of the Jolpica API, and plans the sessions of the calendar."""

from __future__ import annotations

from datetime import UTC, datetime

from f1stream.jobs import calendar
from f1stream.jobs.calendar import PlannedSession
from f1stream.jolpica import plan
from f1stream.jolpica.client import Unreachable, open_jolpica
from f1stream.jolpica.landing import Landing
from f1stream.jolpica.sync import Sync, SyncReport, landed_events
from f1stream.settings import Settings
from f1stream.warehouse.connection import Warehouse
from f1stream.warehouse.errors import WarehouseError


async def load(
    loads: str, settings: Settings, warehouse: Warehouse
) -> tuple[SyncReport, Unreachable | WarehouseError | None]:
    """Load ``Job.loads`` into the warehouse. Returns what was loaded, and the error that ended it before its end."""
    async with open_jolpica(settings) as api:
        work = Sync(api, Landing(warehouse))
        try:
            if loads == "calendar":
                await work.calendar()
            else:
                await work.sync(whole_season=loads == "whole season")
        except (Unreachable, WarehouseError) as error:
            return work.outcome, error
        return work.outcome, None


def planned_sessions(settings: Settings, warehouse: Warehouse) -> list[PlannedSession] | None:
    """The sessions of the landed calendar and of the feed's index; also if the API does not answer."""
    seasons = plan.active_seasons(datetime.now(UTC).date())
    landing = Landing(warehouse)
    events = [event for season in seasons for event in landed_events(landing, season)]
    return calendar.season(settings, events, seasons) or None
