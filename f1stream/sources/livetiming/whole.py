"""A recorded feed as a session: everything that the parser makes of it, each fact at the time it became known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from f1stream.sources.livetiming.laps_driven import annotate
from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.parser import Parser, Tally
from f1stream.sources.livetiming.times import gmt_offset_ms
from f1stream.sources.livetiming.track import outline
from f1stream.sources.session import Columns, Session, SourceError
from models import Entries, Lap, Message, SessionInfo, Track
from models.bounds import MOST_NAME, MOST_PATH, MOST_SOURCE
from models.packet import COLUMNS

PREAMBLE_MS = 60_000
"""A replay starts so long before the session does."""


def as_session(messages: Iterable[FeedMessage], source: str) -> tuple[Session, Tally]:
    """The session in ``messages``, which come in time order, and what of them could not be used.

    Raises SourceError when they do not tell whose session it is.
    """
    parser: Parser | None = None
    facts: list[Message] = []
    laps: list[Lap] = []
    known: list[int] = []
    at_ms = 0

    def keep(told: list[Lap | Message]) -> None:
        for fact in told:
            if isinstance(fact, Lap):
                laps.append(fact)
                known.append(at_ms)
            else:
                facts.append(fact)

    for message in messages:
        parser = parser or Parser(message.sent_ms)
        at_ms = max(at_ms, message.sent_ms - parser.t0_ms)
        keep(parser.take(message))
    if parser is None or not parser.info or not parser.entries():
        raise SourceError(f"{source} does not tell which session it is and who drives: SessionInfo and DriverList.")
    keep(parser.finish())
    t0_utc_ms, entries = parser.t0_utc_ms, parser.entries()
    telemetry = _telemetry(parser, t0_utc_ms, [entry.driver_number for entry in entries], laps)
    start_ms = parser.book.started_ms if parser.book.started_ms is not None else 0
    info = session_info(parser, t0_utc_ms, max(start_ms - PREAMBLE_MS, 0), source)
    last = [int(columns["session_time_ms"][-1]) for columns in telemetry.values() if len(columns["session_time_ms"])]
    return Session(
        session_key=parser.key, t0_utc_ms=t0_utc_ms, start_ms=start_ms,
        end_ms=max([at_ms, *last]), telemetry=telemetry, laps=laps, laps_known_ms=known,
        messages=[info, Entries(session_time_ms=0, entries=entries), *_track(telemetry, laps, known), *facts],
    ), parser.tally  # fmt: skip


def session_info(parser: Parser, t0_utc_ms: int, start_ms: int, source: str) -> SessionInfo:
    """What the feed says of the session; its run starts at ``start_ms``."""
    told = parser.info
    meeting = _object(told, "Meeting")
    country, circuit = _object(meeting, "Country"), _object(meeting, "Circuit")
    return SessionInfo(
        session_time_ms=0, name=_text(told.get("Name", "Session")), type=_text(told.get("Type", "Race")),
        meeting=_text(meeting.get("Name", "")), location=_text(meeting.get("Location", "")),
        country_code=_text(country.get("Code", "")), circuit=_text(circuit.get("ShortName", "")),
        total_laps=parser.total_laps, t0_utc_ms=t0_utc_ms, start_ms=start_ms, source=source[:MOST_SOURCE],
        gmt_offset_ms=gmt_offset_ms(told.get("GmtOffset")), path=session_path(told),
    )  # fmt: skip


def session_path(told: dict[str, Any]) -> str | None:
    """The ``Path`` of a ``SessionInfo``."""
    path = told.get("Path")
    return path if isinstance(path, str) and 0 < len(path) <= MOST_PATH else None


def _text(told: Any) -> str:
    return str(told)[:MOST_NAME]


def _object(told: dict[str, Any], name: str) -> dict[str, Any]:
    value = told.get(name)
    return value if isinstance(value, dict) else {}


def _telemetry(parser: Parser, t0_utc_ms: int, cars: list[str], laps: list[Lap]) -> dict[str, Columns]:
    merged = parser.telemetry.merged(cars, t0_utc_ms)
    newest = {(lap.driver_number, lap.lap_number): lap for lap in laps}
    found: dict[str, Columns] = {}
    for car in cars:
        columns = merged[car]
        annotate(columns, [lap for (number, _), lap in newest.items() if number == car])
        found[car] = {name: columns[name] for name in COLUMNS if name in columns}
    return found


def _track(telemetry: dict[str, Columns], laps: list[Lap], known: list[int]) -> list[Track]:
    """The line of the first lap that was driven at speed, told when that lap was known."""
    for lap, at_ms in zip(laps, known, strict=True):
        line = outline(telemetry[lap.driver_number], lap)
        if line is not None:
            return [Track(session_time_ms=at_ms, outline=line)]
    return []
