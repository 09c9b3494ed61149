"""FastF1's own loading of the Mexico City recording: the reference for archives and parser."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from f1stream.settings import Settings
from f1stream.sources.fastf1.client import fastf1
from f1stream.sources.fastf1.load import load
from f1stream.sources.fastf1.schedule import SessionRef
from tests.support.required import DATA, missing

WANTED = SessionRef(2025, "Mexico City Grand Prix", "Qualifying")
T0 = datetime(2025, 10, 25, 20, 46, 26)
"""FastF1's instants are UTC without a zone."""


def mexico_session() -> Any:
    """FastF1's session, built without its calendar, not loaded."""
    import pandas as pd
    from fastf1.core import Session as FastF1Session
    from fastf1.events import Event

    event = {
        "RoundNumber": 20, "Country": "Mexico", "Location": "Mexico City", "OfficialEventName": "",
        "EventDate": pd.Timestamp("2025-10-26"), "EventName": WANTED.event, "EventFormat": "conventional",
        "F1ApiSupport": True,
    }  # fmt: skip
    for number, name in enumerate(("Practice 1", "Practice 2", "Practice 3", "Qualifying", "Race"), 1):
        event |= {f"Session{number}": name, f"Session{number}Date": pd.NaT, f"Session{number}DateUtc": pd.NaT}
    event |= {
        "Session4Date": pd.Timestamp("2025-10-25 15:00:00-06:00"),
        "Session4DateUtc": pd.Timestamp(2025, 10, 25, 21),
    }
    return FastF1Session(Event(event, year=2025), "Qualifying", f1_api_support=True)


def recorded(path: Path) -> Any:
    """The recording as FastF1's ``livedata``; FastF1 cannot detect its start."""
    from fastf1.livetiming.data import LiveTimingData

    class Recording(LiveTimingData):  # type: ignore[misc]
        def _try_set_correct_start_date(self, data: Any) -> None:
            self._start_date = T0

    return Recording(str(path))


@contextmanager
def loaded(folder: Path) -> Iterator[Any]:
    """FastF1's session, loaded; ``folder`` is for its files."""
    recording = DATA / "mexico2025_qualifying" / "derived_live.jsonl.gz"
    if not recording.exists():
        missing(f"the recorded session at {recording} is not there")
    (folder / "live.txt").write_bytes(gzip.decompress(recording.read_bytes()))
    session = mexico_session()
    with fastf1(Settings(_env_file=None, fastf1_cache=folder / "cache")) as client:
        load(client, session, WANTED, livedata=recorded(folder / "live.txt"))
        yield session


def ms(column: Any) -> list[int | None]:
    """FastF1's times in milliseconds."""
    return [None if value is None else round(value.total_seconds() * 1000) for value in known(column)]


def known(column: Any) -> list[Any]:
    """The values, None for unknown ones."""
    return column.astype(object).where(column.notna(), None).tolist()  # type: ignore[no-any-return]
