"""Source names.

``archive:PATH``, ``fastf1:YEAR/EVENT/SESSION``, ``recording:PATH`` or ``sim:cars=22,laps=57,seed=1,sessions=1``.

A recording's path may be followed by the session: ``recording:PATH#9570`` selects the one with that key, and
``recording:PATH#2025/Monza/R`` identifies a recording that has no session information. See docs/sources.md.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from f1stream.settings import settings
from f1stream.sources.kinds import KINDS
from f1stream.sources.session import Session, SourceError


def open_source(spec: str) -> list[Callable[[], Session]]:
    """The sessions of a source, as functions that read or make one. Raises SourceError.

    A kind is imported when it is used: all of them take half a second, and a start waits for it.
    """
    kind, _, rest = spec.partition(":")
    if kind == "archive" and rest:
        return [_archived(Path(rest).expanduser())]
    if kind == "fastf1":
        return [_fetched(rest)]
    if kind == "recording" and rest:
        from f1stream.sources.recorded import recorded_session  # noqa: PLC0415

        return [recorded_session(rest)]
    if kind == "sim":
        return _simulated(rest)
    raise SourceError(f"{spec!r} is not a source. Known are: {KINDS}.")


def require_archive(folder: Path) -> None:
    """Raise SourceError unless the folder exists; ``read_archive`` checks the files."""
    if not folder.is_dir():
        raise SourceError(f"There is no session archive at {folder}: no such folder.")


def _archived(folder: Path) -> Callable[[], Session]:
    def read() -> Session:
        from f1stream.sources.session_archive import read_archive  # noqa: PLC0415

        return read_archive(folder)

    require_archive(folder)
    return read


def _fetched(name: str) -> Callable[[], Session]:
    from f1stream.sources.fastf1.fetch import fetch_if_missing  # noqa: PLC0415
    from f1stream.sources.fastf1.schedule import SessionRef  # noqa: PLC0415
    from f1stream.sources.session_archive import read_archive  # noqa: PLC0415

    wanted = SessionRef.parse(name)
    return lambda: read_archive(fetch_if_missing(settings(), wanted))


def _simulated(options: str) -> list[Callable[[], Session]]:
    from f1stream.sources.simulator import SimOptions, simulate  # noqa: PLC0415

    given = SimOptions.parse(options)
    return [
        lambda seed=given.seed + nth: simulate(seed, cars=given.cars, laps=given.laps)  # type: ignore[misc]
        for nth in range(given.sessions)
    ]
