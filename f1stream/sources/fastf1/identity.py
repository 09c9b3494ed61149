"""Session information and drivers, from FastF1, for a recording that has none and whose session the user names."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from f1stream.settings import Settings
from f1stream.sources.fastf1.client import FastF1, fastf1
from f1stream.sources.fastf1.schedule import SessionRef, find, with_feed_path
from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.parser.drivers import Drivers
from f1stream.sources.session import SourceError

NO_COLOUR = "808080"


def identity(settings: Settings, wanted: SessionRef) -> dict[str, Any]:
    """A session's ``SessionInfo`` and ``DriverList``, by topic, in the feed's format.

    From the published files of the session, else from the calendar and Jolpica's list of drivers. Raises SourceError.
    """
    with fastf1(settings) as client:
        session, proper = find(client, wanted)
        session = with_feed_path(settings, session, proper)
        info = _published_info(client, session) or _scheduled_info(session, proper)
        drivers = _published_drivers(client, session) or _jolpica_drivers(client, session)
    if not drivers:
        raise client.unreachable("The list of drivers") or SourceError(
            f"There is no list of the drivers in the {proper.year} {proper.event}: "
            "add the answer to subscribing as subscribe.txt beside the recording."
        )
    return {"SessionInfo": info, "DriverList": drivers}


def identity_messages(settings: Settings, wanted: SessionRef, sent_ms: int) -> list[FeedMessage]:
    """``identity`` as messages of the feed at a time (Unix ms)."""
    topics = identity(settings, wanted)
    return [FeedMessage(topic, data, sent_ms, snapshot=True) for topic, data in topics.items()]


def _page(client: FastF1, session: Any, name: str) -> list[dict[str, Any]]:
    """The messages of a published stream; none if it is not available."""
    import requests  # noqa: PLC0415 - as slow as FastF1, which needs it

    try:
        records = client.module._api.fetch_page(session.api_path, name)
    except (requests.RequestException, ValueError):
        return []
    return [data for _, data in records or () if isinstance(data, dict)]


def _published_info(client: FastF1, session: Any) -> dict[str, Any] | None:
    infos = _page(client, session, "session_info")
    return infos[0] if infos and "Key" in infos[0] else None


def _published_drivers(client: FastF1, session: Any) -> dict[str, Any]:
    """The first driver list. Later messages have the order, and then the drivers of the support race."""
    drivers = Drivers()
    for change in _page(client, session, "driver_list"):
        drivers.take(change, snapshot=False, is_over=False)
        if drivers.entries({}):
            drivers.fix({})
    return {number: line for number, line in drivers.known.items() if "Tla" in line}


def _scheduled_info(session: Any, proper: SessionRef) -> dict[str, Any]:
    import pandas as pd  # noqa: PLC0415 - FastF1's

    event, local = session.event, session.event.get_session_date(session.name)
    begins: datetime | None = None if pd.isna(local) else local.to_pydatetime()
    offset = begins.utcoffset() if begins is not None else None
    info: dict[str, Any] = {
        "Key": proper.folder, "Name": proper.name, "Type": _kind(str(proper.name)),
        "Meeting": {
            "Name": event["EventName"], "Location": event["Location"], "Country": {"Name": event["Country"]},
            "Circuit": {"ShortName": event["Location"]},
        },
    }  # fmt: skip
    if begins is not None:
        info["StartDate"] = begins.replace(tzinfo=None).isoformat(timespec="seconds")
    if offset is not None:
        seconds = round(offset.total_seconds())
        hours, rest = divmod(abs(seconds), 3600)
        info["GmtOffset"] = f"{'-' if seconds < 0 else ''}{hours:02}:{rest // 60:02}:{rest % 60:02}"
    return info


def _kind(name: str) -> str:
    """The feed's ``Type`` of a session with this name."""
    if name in {"Race", "Sprint"}:
        return "Race"
    return "Qualifying" if name in {"Qualifying", "Sprint Qualifying", "Sprint Shootout"} else "Practice"


def _jolpica_drivers(client: FastF1, session: Any) -> dict[str, Any]:
    import pandas as pd  # noqa: PLC0415 - FastF1's
    import requests  # noqa: PLC0415 - as above
    from fastf1.ergast import Ergast  # noqa: PLC0415 - takes seconds

    try:
        found = Ergast().get_driver_info(season=session.event.year, round=int(session.event["RoundNumber"]))
    except (requests.RequestException, client.module.exceptions.ErgastError):
        return {}
    drivers: dict[str, Any] = {}
    for nth, (_, row) in enumerate(found.iterrows(), 1):
        number, code = row.get("driverNumber"), row.get("driverCode")
        if isinstance(code, str) and not pd.isna(number):
            name = f"{row.get('givenName', '')} {row.get('familyName', '')}".strip()
            drivers[str(int(number))] = {"Tla": code, "FullName": name, "TeamColour": NO_COLOUR, "Line": nth}
    return drivers
