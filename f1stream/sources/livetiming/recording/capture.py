"""A text capture of the feed: a line per message or frame, and perhaps a file with the answer to subscribing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from f1stream.sources.livetiming.message import BadMessage, FeedMessage
from f1stream.sources.livetiming.message_times import own_times
from f1stream.sources.livetiming.recording.formats import UNDATED, capture_line, dated, subscribe_answer
from f1stream.sources.livetiming.recording.lines import read_lines
from f1stream.sources.livetiming.recording.reorder import PlacedMessage, reorder
from f1stream.sources.livetiming.recording.streams import LATE, ReportIn

LIVE = ("live.txt", "live.jsonl")
SUBSCRIBE = ("subscribe.txt", "subscribe.json")
"""Usual names of the two files; each may be gzip."""
MAX_ANSWER_BYTES = 64_000_000
"""The rest of a longer answer is reported and not read."""


def beside(folder: Path, names: tuple[str, ...]) -> Path | None:
    """The file in a folder that has one of these names; None without one."""
    candidates = (folder / f"{name}{suffix}" for name in names for suffix in ("", ".gz"))
    return next((path for path in candidates if path.is_file()), None)


def messages(live: Path | None, subscribe: Path | None, report: ReportIn) -> Iterator[FeedMessage]:
    """The answer to subscribing, then every message by time."""
    placed = reorder(_placed(live, report), lambda _: report(live.name if live else "", 0, LATE, b""))
    first = next(placed, None)
    if subscribe is not None:
        states = list(_answer(subscribe, report))
        times = [ms for state in states for ms in own_times(state.topic, state.data)]
        sent_ms = first.sent_ms if first is not None else max(times, default=0)
        yield from (dated(state, sent_ms) for state in states)
    if first is not None:
        yield from (item.message for item in chain([first], placed))


def _placed(path: Path | None, report: ReportIn) -> Iterator[PlacedMessage]:
    undated: list[FeedMessage] = []
    last_ms = 0
    place = 0
    for message in _lines(path, report) if path else ():
        if message.sent_ms == UNDATED:
            undated.append(message)
            continue
        last_ms = message.sent_ms
        for each in (*(dated(state, last_ms) for state in undated), message):
            yield PlacedMessage(last_ms, last_ms, place, each)
            place += 1
        undated.clear()
    for state in undated:
        yield PlacedMessage(last_ms, last_ms, place, dated(state, last_ms))
        place += 1


def _lines(path: Path, report: ReportIn) -> Iterator[FeedMessage]:
    def damaged(number: int, reason: str, raw: bytes) -> None:
        report(path.name, number, reason, raw)

    for number, line in read_lines(path, damaged):
        for found in capture_line(line):
            if isinstance(found, BadMessage):
                damaged(number, str(found), line)
            else:
                yield found


def _answer(path: Path, report: ReportIn) -> Iterator[FeedMessage]:
    """The states in a file with one JSON object over many lines."""
    text, size = [], 0
    for _, line in read_lines(path, lambda number, reason, raw: report(path.name, number, reason, raw)):
        size += len(line)
        if size > MAX_ANSWER_BYTES:
            report(path.name, 0, f"longer than {MAX_ANSWER_BYTES:,} bytes", b"")
            break
        text.append(line.decode(errors="replace"))
    for state in subscribe_answer("\n".join(text)):
        if isinstance(state, BadMessage):
            report(path.name, 0, str(state), b"")
        else:
            yield state
