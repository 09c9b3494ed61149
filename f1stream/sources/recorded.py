"""``recording:PATH``: a session of a recording of the live feed. See docs/sources.md."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import chain
from pathlib import Path

from f1stream.settings import settings
from f1stream.sources.fastf1.identity import identity_messages
from f1stream.sources.fastf1.schedule import SessionRef
from f1stream.sources.livetiming.as_session import as_session
from f1stream.sources.livetiming.parser.counts import ParseCounts
from f1stream.sources.livetiming.recording.reader import Recording, open_recording
from f1stream.sources.session import Session, SourceError

log = logging.getLogger(__name__)
LOGGED_NAMES = 10
"""At most so many unknown names are logged."""


def recorded_session(text: str) -> Callable[[], Session]:
    """The session of a recording, as a function that reads it; ``text`` as in ``split_recording``.

    Raises SourceError.
    """
    path, session = split_recording(text)
    recording = open_recording(path)
    return lambda: _recorded(recording, session)


def split_recording(text: str) -> tuple[Path, str | None]:
    """The path of a recording and the text after ``#``. A path that exists may contain a ``#``."""
    path = Path(text).expanduser()
    before, mark, session = text.rpartition("#")
    if path.exists() or not mark or not before or not session:
        return path, None
    return Path(before).expanduser(), session


def recorded(recording: Recording, session: str | None = None) -> tuple[Session, ParseCounts]:
    """Read a session of a recording, with the counts of the parser. ``session`` is the text after ``#``.

    Raises SourceError.
    """
    source = f"recording:{recording.path.name}"
    if session is None or "/" not in session:
        return as_session(recording, source, session)
    wanted = SessionRef.parse(session)
    first = next(iter(recording))
    if any(message.topic == "SessionInfo" for message in recording):
        raise SourceError(f"{source} has its own session information: leave out #{session}, or name a key.")
    return as_session(chain(identity_messages(settings(), wanted, first.sent_ms), recording), source)


def _recorded(recording: Recording, name: str | None) -> Session:
    session, counts = recorded(recording, name)
    lines, refused = recording.counts.damaged.total(), counts.damaged.total()
    if lines or refused:
        log.warning(
            "%s: %d lines could not be read and %d messages are not valid for their topic; the rest is complete.",
            recording.path, lines, refused,
        )  # fmt: skip
    if new := [*counts.unknown_topics, *counts.unknown_fields]:
        log.warning(
            "%s: the feed has unknown topics or fields: %s.", recording.path, ", ".join(sorted(new)[:LOGGED_NAMES])
        )
    return session
