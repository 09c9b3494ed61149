"""``open_recording(path)``: a recorded session as the messages that the feed sent.

Known forms: a folder of ``.jsonStream`` files or one of them; ``live.txt`` with an optional ``subscribe.txt``, or
their folder; any file with a line per message in a form of ``formats``. Each may be gzip, and cut off at any byte.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from f1stream.sources.livetiming.message import KEPT_RAW_BYTES, Damage, FeedMessage
from f1stream.sources.livetiming.recording import capture, streams
from f1stream.sources.livetiming.recording.streams import LATE, Clock
from f1stream.sources.session import SourceError

FORMS = (
    "a folder of .jsonStream files, a folder with live.txt, or a file with a line per message ([topic, data, utc]) "
    "or per SignalR frame, each also as .gz"
)


@dataclass
class ReadCounts:
    """The counts of one reading of a recording."""

    messages: Counter[str] = field(default_factory=Counter)
    """By topic."""
    damaged: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By file and reason: lines without a message. A file that is cut off or unreadable further on counts once."""
    late: Counter[str] = field(default_factory=Counter)
    """By file: messages that were given a later time than their own, to keep the order."""
    first: dict[tuple[str, str], int] = field(default_factory=dict)
    """The first line (from 1) of each ``damaged``; 0 if the file has no lines."""


class Recording:
    """A recording. Each iteration reads it again and returns its messages by time."""

    def __init__(
        self,
        path: Path,
        read: Callable[[streams.ReportIn], Iterator[FeedMessage]],
        clock: Clock | None,
        damaged: Callable[[Damage], None],
    ) -> None:
        self.path = path
        self.clock = clock
        """For a recording that has only offsets: what its times are derived from."""
        self.counts = ReadCounts()
        """Of the latest iteration, so far."""
        self._read, self._damaged = read, damaged

    def __iter__(self) -> Iterator[FeedMessage]:
        self.counts = counts = ReadCounts()

        def report(file: str, line: int, reason: str, raw: bytes) -> None:
            if reason == LATE:
                counts.late[file] += 1
                return
            counts.damaged[file, reason] += 1
            counts.first.setdefault((file, reason), line)
            self._damaged(Damage(file, line, reason, raw[:KEPT_RAW_BYTES]))

        try:
            for message in self._read(report):
                counts.messages[message.topic] += 1
                yield message
        except OSError as error:
            raise SourceError(
                f"{self.path} cannot be read ({error.strerror or error}): check its permissions and its disk."
            ) from None


def open_recording(path: Path, damaged: Callable[[Damage], None] = lambda _: None) -> Recording:
    """A recording in any known form. ``damaged`` is called with everything that is not a message, as it is read.

    Raises SourceError if there is none, or nothing in it can be read; iterating raises it when reading fails.
    """
    path = path.expanduser()
    if not path.exists():
        raise SourceError(f"{path} does not exist: a recording is {FORMS}.")
    recording = _open(path, damaged)
    if next(_quietly(recording), None) is None:
        raise SourceError(f"{path} has no readable message of the live timing: a recording is {FORMS}.")
    return recording


def _open(path: Path, damaged: Callable[[Damage], None]) -> Recording:
    try:
        if path.is_dir():
            if found := streams.find(path):
                return _of_streams(path, found, damaged)
            live, subscribe = capture.beside(path, capture.LIVE), capture.beside(path, capture.SUBSCRIBE)
            if live is None and subscribe is None:
                raise SourceError(f"{path} contains no recording: that is {FORMS}.")
            return Recording(path, lambda report: capture.messages(live, subscribe, report), None, damaged)
        if match := streams.NAME.fullmatch(path.name):
            return _of_streams(path, {match[1]: path}, damaged)
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror or error}): check its permissions.") from None
    name = path.name.removesuffix(".gz")
    if name in capture.SUBSCRIBE:
        return Recording(path, lambda report: capture.messages(None, path, report), None, damaged)
    beside = capture.beside(path.parent, capture.SUBSCRIBE) if name in capture.LIVE else None
    return Recording(path, lambda report: capture.messages(path, beside, report), None, damaged)


def _of_streams(path: Path, found: dict[str, Path], damaged: Callable[[Damage], None]) -> Recording:
    clock = streams.clock(found)
    return Recording(path, lambda report: streams.merged(found, clock.t0_ms, report), clock, damaged)


def _quietly(recording: Recording) -> Iterator[FeedMessage]:
    """The same recording, without reporting damage."""
    return iter(Recording(recording.path, recording._read, recording.clock, lambda _: None))
