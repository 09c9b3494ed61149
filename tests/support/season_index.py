"""The feed's index of a season, generated: meetings with sessions in local time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from f1stream.sources.fastf1.season_index import LIVETIMING

BOM = b"\xef\xbb\xbf"


def address(year: int) -> str:
    """Below a mirror."""
    return f"/{LIVETIMING}/static/{year}/Index.json"


def session(name: str, start: datetime, hours_ahead: int, path: str | None = None) -> dict[str, object]:
    """A session that starts at ``start`` (UTC), as the index lists it."""
    local = (start.astimezone(UTC) + timedelta(hours=hours_ahead)).replace(tzinfo=None)
    listed: dict[str, object] = {
        "Key": 1, "Type": name.split(maxsplit=1)[0], "Number": 1, "Name": name, "StartDate": local.isoformat(),
        "EndDate": (local + timedelta(hours=1)).isoformat(),
        "GmtOffset": f"{'-' if hours_ahead < 0 else ''}{abs(hours_ahead):02}:00:00",
    }  # fmt: skip
    return listed if path is None else listed | {"Path": path}


def index(**meetings: list[dict[str, object]]) -> bytes:
    """The whole index; ``Miami_Grand_Prix`` is a meeting's name."""
    listed = [
        {"Key": key, "Name": name.replace("_", " "), "Sessions": sessions}
        for key, (name, sessions) in enumerate(meetings.items(), 1)
    ]
    return BOM + json.dumps({"Year": 2026, "Meetings": listed}).encode()
