"""The session that a demo fetches from FastF1: a named one, or the one that is shown by default."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from f1stream.settings import Settings
from f1stream.sources.fastf1.client import reachable
from f1stream.sources.fastf1.fetch import fetch, fetched_archive
from f1stream.sources.fastf1.schedule import SessionRef, title
from f1stream.sources.session import SourceError

SHOWN_RACE = SessionRef(2025, "Australian Grand Prix", "Race")
"""The default session: rain, three safety cars, six retirements."""

Say = Callable[[str], None]


def fetched(settings: Settings, name: str, say: Say) -> str:
    """The source to replay of a session ``YEAR/EVENT/SESSION``, fetched if it is missing. Raises SourceError."""
    return f"archive:{_folder(settings, SessionRef.parse(name), say)}"


def shown_race(settings: Settings, say: Say) -> str:
    """The source of the default session; a simulated race if it cannot be fetched."""
    try:
        if fetched_archive(settings, SHOWN_RACE) is None and not reachable(settings):
            raise SourceError("there is no network")
        return f"archive:{_folder(settings, SHOWN_RACE, say)}"
    except SourceError as error:
        say(f"{title(SHOWN_RACE)}, cannot be had ({error}); a simulated race instead")
        return "sim:"


def _folder(settings: Settings, wanted: SessionRef, say: Say) -> Path:
    """The folder of a session's archive; fetches it if it is missing."""
    here = fetched_archive(settings, wanted)
    if here is None:
        say(f"fetching {title(wanted)}, once: a minute or two")
        archive = fetch(settings, wanted, again=False)
        for note in archive.notes:
            say(note)
        here = archive.folder
    return here
