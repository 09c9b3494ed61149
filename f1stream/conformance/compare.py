"""One session by our rules beside the feed's own values.

Each check has a bound or none; if one is beyond its bound, ``f1stream check`` ends with code 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from f1stream.conformance.archive_values import read_archive_values
from f1stream.conformance.checks import COUNTED, EVERY_MS, Check, all_checks
from f1stream.conformance.feed import FeedState, of_session, read_feed
from f1stream.conformance.replay import replay
from f1stream.sources.livetiming.as_session import as_session
from f1stream.sources.livetiming.parser.counts import ParseCounts
from f1stream.sources.livetiming.recording.reader import open_recording
from f1stream.sources.recorded import recorded, split_recording
from f1stream.sources.session import Session
from f1stream.sources.session_archive import read_archive
from f1stream.sources.spec import require_archive
from models import SessionInfo

LAG_MS = 5_000
"""The time (ms) by which our order may be before or behind the feed's, which follows the lap times that change it."""


@dataclass
class Report:
    """The result of one source."""

    source: str
    name: str = ""
    """``Chinese Grand Prix Sprint Qualifying 2024``; empty if the session could not be read."""
    checks: list[Check] = field(default_factory=list)
    error: str = ""
    """Why it could not be read or replayed."""

    @property
    def verdict(self) -> str:
        """``passed``, ``failed``, or ``nothing compared`` for a recording without timing."""
        compared = any(check.result for check in self.checks if check.name not in COUNTED)
        return "failed" if not self.passed else "passed" if compared else "nothing compared"

    @property
    def passed(self) -> bool:
        """Whether nothing is beyond its bound."""
        return not self.error and all(check.passed for check in self.checks)


def check_source(source: str, lag_ms: int = LAG_MS) -> Report:
    """Compare one ``archive:PATH`` or ``recording:PATH`` (or a bare path: an archive has a session.json).

    A recording's path may be followed by ``#KEY`` or ``#YEAR/EVENT/SESSION``, as for a replay. Errors of reading and
    replaying are in the report; only what stops the process is raised.
    """
    report = Report(source)
    try:
        session, feed, counts = _read(source)
        info = next(message for message in session.messages if isinstance(message, SessionInfo))
        report.name = f"{info.meeting} {info.name}"
        result = replay(session, {at - 1 for at in feed.parts}, EVERY_MS)
        report.checks = all_checks(session, feed, result, counts, info.type, lag_ms)
    except Exception as error:  # any recording, and any fault of the rules on it, is a line of the table
        report.error = f"{type(error).__name__}: {error}"
    return report


def _read(source: str) -> tuple[Session, FeedState, ParseCounts]:
    kind, _, rest = source.partition(":")
    text = rest if kind in ("archive", "recording") else source
    if kind == "archive" or (kind != "recording" and (Path(text).expanduser() / "session.json").exists()):
        folder = Path(text).expanduser()
        require_archive(folder)
        session = read_archive(folder)
        return session, read_archive_values(folder, session), ParseCounts()
    path, which = split_recording(text)
    recording = open_recording(path)
    messages = list(recording)
    if which is not None and "/" in which:  # a recording that does not contain which session it is of
        session, counts = recorded(recording, which)
    else:
        session, counts = as_session(messages, f"recording:{path.name}", which)
        messages = of_session(messages, session.session_key)
    counts.damaged.update({file: count for (file, _), count in recording.counts.damaged.items()})
    return session, read_feed(messages), counts
