"""The values of a session archive to compare with: FastF1's laps and result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from f1stream.conformance.feed import FeedCar, FeedState
from f1stream.sources.session import Session
from models import Entries, Lap


def read_archive_values(folder: Path, session: Session) -> FeedState:
    """Laps, best laps and compounds of ``session``'s own lap records, and the order of its ``results.json``.

    An archive without a result has no order to compare with; no archive has an order in mid-session.
    """
    newest = {(lap.driver_number, lap.lap_number): lap for lap in session.laps}
    found = FeedState()
    for entry in next(message for message in session.messages if isinstance(message, Entries)).entries:
        laps = [lap for (number, _), lap in sorted(newest.items()) if number == entry.driver_number]
        found.cars[entry.driver_number] = _car(laps)
    if order := _result(folder / "results.json"):
        found.orders.append((session.end_ms, order))
    return found


def _car(laps: list[Lap]) -> FeedCar:
    times = [lap.lap_time_ms for lap in laps if lap.lap_time_ms is not None and not lap.deleted]
    compounds = [lap.compound for lap in laps if lap.compound]
    changes = [one for n, one in enumerate(compounds) if n == 0 or compounds[n - 1] != one]
    last_ms = laps[-1].lap_time_ms if laps else None
    number = max((lap.lap_number for lap in laps if not lap.generated), default=0)  # FastF1 generates a last one
    bests = {1: min(times)} if times else {}
    return FeedCar(number, bests, bests, last_ms, 1, None, changes)


def _result(path: Path) -> list[str]:
    if not path.exists():
        return []
    rows: list[dict[str, Any]] = json.loads(path.read_text())
    placed = [(row["Position"], str(row["DriverNumber"])) for row in rows if row.get("Position") is not None]
    return [number for _, number in sorted(placed)]
