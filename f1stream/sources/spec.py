"""What users write for a source.

``archive:PATH``, ``fastf1:YEAR/EVENT/SESSION``, ``recording:PATH`` or ``sim:cars=22,laps=57,seed=1,sessions=1``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from f1stream.settings import settings
from f1stream.sources.archive import read_archive, require_archive
from f1stream.sources.fastf1.fetch import at_hand
from f1stream.sources.fastf1.schedule import Wanted
from f1stream.sources.livetiming.recording import Recording, open_recording
from f1stream.sources.livetiming.whole import as_session
from f1stream.sources.session import Session, SourceError
from f1stream.sources.simulator import SimOptions, simulate

log = logging.getLogger(__name__)
KINDS = "archive:PATH, fastf1:YEAR/EVENT/SESSION, recording:PATH, sim:[cars=22,laps=57,seed=1,sessions=1]"
TOLD = 10
"""So many names are told at the most."""


def open_source(spec: str) -> list[Callable[[], Session]]:
    """The sessions of a source, each made when it is called for. Raises SourceError."""
    kind, _, rest = spec.partition(":")
    if kind == "archive" and rest:
        folder = Path(rest).expanduser()
        require_archive(folder)
        return [lambda: read_archive(folder)]
    if kind == "fastf1":
        wanted = Wanted.parse(rest)
        return [lambda: read_archive(at_hand(settings(), wanted))]
    if kind == "recording" and rest:
        recording = open_recording(Path(rest).expanduser())
        return [lambda: _recorded(recording)]
    if kind == "sim":
        options = SimOptions.parse(rest)
        return [_simulated(options, options.seed + nth) for nth in range(options.sessions)]
    raise SourceError(f"{spec!r} is not a source. Known are: {KINDS}.")


def _recorded(recording: Recording) -> Session:
    session, tally = as_session(recording, f"recording:{recording.path.name}")
    lines, refused = recording.counts.damaged.total(), tally.damaged.total()
    if lines or refused:
        log.warning(
            "%s: %d lines could not be read and %d messages were not what their topic has; the rest is whole.",
            recording.path, lines, refused,
        )  # fmt: skip
    if new := [*tally.unknown_topics, *tally.unknown_fields]:
        log.warning("%s: the feed has what we do not know: %s.", recording.path, ", ".join(sorted(new)[:TOLD]))
    return session


def _simulated(options: SimOptions, seed: int) -> Callable[[], Session]:
    return lambda: simulate(seed, cars=options.cars, laps=options.laps)
