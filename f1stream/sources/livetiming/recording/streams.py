"""A folder of ``.jsonStream`` files, one per topic, as Formula 1's archive has them: merged by time."""

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
"""Topics whose messages tell the time, the best first."""
CLOCK_LINES = 1_000
"""So many lines of one tell enough: a session has some 400 heartbeats."""

ReportIn = Callable[[str, int, str, bytes], None]
"""Takes the file's name, and what ``files.Report`` takes."""


class Clock(NamedTuple):
    """What turns offsets into times."""

    t0_ms: int
    """The Unix ms at which the recording began, offset 0."""
    told_by: str
    """The topic it is from; empty when none tells it, and times are offsets."""


def find(folder: Path) -> dict[str, Path]:
    """The streams of a folder by topic; of one that is there twice, the plain file."""
    found = {
        match[1]: path for path in sorted(folder.iterdir(), reverse=True) if (match := NAME.fullmatch(path.name))
    }
    return dict(sorted(found.items()))


def clock(streams: dict[str, Path]) -> Clock:
    """Median of (time told - offset) of the best topic that tells times; else the session's start in its schedule.

    Heartbeats are taken at their word, though they run about 2 s ahead of everything else (HEARTBEAT_LEAD_MS).
    """
    for topic in CLOCKS:
        if topic not in streams:
            continue
        lead = HEARTBEAT_LEAD_MS if topic == "Heartbeat" else 0
        told = [
            max(times) + lead - offset
            for offset, message in islice(_messages(topic, streams[topic]), CLOCK_LINES)
            if offset > 0 and (times := list(own_times(topic, message.data)))  # at 0 it tells of earlier times
        ]
        if told:
            return Clock(round(median(told)), topic)
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
    """Every message of all files, by time; of those with one offset, what tells a later time itself comes later."""
    each = [_placed(topic, path, t0_ms, report) for topic, path in streams.items()]
    for item in heapq.merge(*each, key=lambda item: item[:2]):
        yield item.message


def _placed(topic: str, path: Path, t0_ms: int, report: ReportIn) -> Iterator[PlacedMessage]:
    def placed() -> Iterator[PlacedMessage]:
        before = PlacedMessage(-1, -1, -1, None)  # type: ignore[arg-type]
        for place, (offset, message) in enumerate(_messages(topic, path, report)):
            sent_ms = t0_ms + offset
            # a recording that was flushed at its end has minutes under one offset
            own_ms = sent_ms if topic.endswith(".z") else max(own_times(topic, message.data), default=sent_ms)
            if before.sent_ms == sent_ms:
                own_ms = max(own_ms, before.own_ms)
            before = PlacedMessage(sent_ms, max(own_ms, sent_ms), place, dated(message, sent_ms))
            yield before

    return reorder(placed(), lambda late: report(path.name, 0, LATE, b""))


LATE = "it comes after messages of later times, and was given theirs"


def _messages(topic: str, path: Path, report: ReportIn | None = None) -> Iterator[tuple[int, FeedMessage]]:
    def tell(number: int, reason: str, raw: bytes) -> None:
        if report is not None:
            report(path.name, number, reason, raw)

    for number, line in read_lines(path, tell):
        try:
            yield stream_line(topic, line)
        except BadMessage as bad:
            tell(number, str(bad), line)
