"""A folder of ``.jsonStream`` files, one per topic, as in Formula 1's archive: merged by time."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from typing import NamedTuple

from f1stream.sources.livetiming.message import BadMessage, FeedMessage
from f1stream.sources.livetiming.message_times import HEARTBEAT_LEAD_MS, own_times
from f1stream.sources.livetiming.recording.formats import dated, stream_line
from f1stream.sources.livetiming.recording.lines import read_lines
from f1stream.sources.livetiming.recording.reorder import PlacedMessage, reorder
from f1stream.sources.timestamps import gmt_offset_ms, utc_ms

NAME = re.compile(r"(.+)\.jsonStream(?:\.gz)?")
CLOCKS = ("Heartbeat", "ExtrapolatedClock", "SessionData", "CarData.z", "Position.z", "RaceControlMessages")
"""Topics whose messages contain their time, the most reliable first."""
CLOCK_LINES = 1_000
"""Lines of a topic that the clock is derived from: a session has some 400 heartbeats."""

ReportIn = Callable[[str, int, str, bytes], None]
"""Takes the file's name, and the arguments of ``lines.Report``."""


class Clock(NamedTuple):
    """The relation of a recording's offsets to times."""

    t0_ms: int
    """The Unix ms at which the recording began, offset 0."""
    source: str
    """The topic that it is derived from; empty without one, and times are then offsets."""


def find(folder: Path) -> dict[str, Path]:
    """The streams of a folder by topic; of a topic with two files, the one that is not gzip."""
    found = {
        match[1]: path for path in sorted(folder.iterdir(), reverse=True) if (match := NAME.fullmatch(path.name))
    }
    return dict(sorted(found.items()))


def clock(streams: dict[str, Path]) -> Clock:
    """Median of (contained time - offset) of the most reliable topic; else the session's scheduled start.

    Heartbeats count with their own time, although it is about 2 s ahead of all others (HEARTBEAT_LEAD_MS).
    """
    for topic in CLOCKS:
        if topic not in streams:
            continue
        lead = HEARTBEAT_LEAD_MS if topic == "Heartbeat" else 0
        offsets = [
            max(times) + lead - offset
            for offset, message in islice(_messages(topic, streams[topic]), CLOCK_LINES)
            if offset > 0 and (times := list(own_times(topic, message.data)))  # at offset 0 it contains earlier times
        ]
        if offsets:
            return Clock(round(median(offsets)), topic)
    for _, message in _messages("SessionInfo", streams["SessionInfo"]) if "SessionInfo" in streams else ():
        if (start := _scheduled_ms(message)) is not None:
            return Clock(start, "SessionInfo")
    return Clock(0, "")


def _scheduled_ms(info: FeedMessage) -> int | None:
    if not isinstance(info.data, dict):
        return None
    start = utc_ms(info.data.get("StartDate"))
    ahead = gmt_offset_ms(info.data.get("GmtOffset"))
    return None if start is None or ahead is None else start - ahead


def merged(streams: dict[str, Path], t0_ms: int, report: ReportIn) -> Iterator[FeedMessage]:
    """Every message of all files by time; messages of one offset by the time that they contain."""
    each = [_placed(topic, path, t0_ms, report) for topic, path in streams.items()]
    for item in heapq.merge(*each, key=lambda item: item[:2]):
        yield item.message


def _placed(topic: str, path: Path, t0_ms: int, report: ReportIn) -> Iterator[PlacedMessage]:
    def placed() -> Iterator[PlacedMessage]:
        before = PlacedMessage(-1, -1, -1, None)  # type: ignore[arg-type]
        for place, (offset, message) in enumerate(_messages(topic, path, report)):
            sent_ms = t0_ms + offset
            # a recording that was flushed at its end has minutes of messages under one offset
            own_ms = sent_ms if topic.endswith(".z") else max(own_times(topic, message.data), default=sent_ms)
            if before.sent_ms == sent_ms:
                own_ms = max(own_ms, before.own_ms)
            before = PlacedMessage(sent_ms, max(own_ms, sent_ms), place, dated(message, sent_ms))
            yield before

    return reorder(placed(), lambda late: report(path.name, 0, LATE, b""))


LATE = "it comes after messages with later times and was given their time"


def _messages(topic: str, path: Path, report: ReportIn | None = None) -> Iterator[tuple[int, FeedMessage]]:
    def damaged(number: int, reason: str, raw: bytes) -> None:
        if report is not None:
            report(path.name, number, reason, raw)

    for number, line in read_lines(path, damaged):
        try:
            yield stream_line(topic, line)
        except BadMessage as bad:
            damaged(number, str(bad), line)
