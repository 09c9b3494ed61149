"""A recorded feed as a session: all facts that the parser makes of it, each at the time it became known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.parser.annotate_laps import annotate_laps
from f1stream.sources.livetiming.parser.counts import ParseCounts
from f1stream.sources.livetiming.parser.drivers import ENTRY_OF
from f1stream.sources.livetiming.parser.parser import Parser
from f1stream.sources.livetiming.parser.state import Fact, SessionState
from f1stream.sources.livetiming.parser.track import outline
from f1stream.sources.livetiming.parser.tyres import corrected, corrected_laps
from f1stream.sources.livetiming.sessions import in_snapshot_order
from f1stream.sources.session import Columns, Session, SourceError
from f1stream.sources.timestamps import gmt_offset_ms
from models import Entries, Lap, Message, Notice, SessionInfo, Track
from models.bounds import MOST_NAME, MOST_PATH, MOST_SOURCE
from models.packet import COLUMNS

PREAMBLE_MS = 60_000
"""A replay starts this long (ms of session time) before the session does."""
MOST_LISTED = 20
"""Sessions of a recording that an error message lists."""


@dataclass
class SessionReader:
    """One session of a recording, as far as it has been read."""

    parser: Parser
    facts: list[Message] = field(default_factory=list)
    laps: list[Lap] = field(default_factory=list)
    known_ms: list[int] = field(default_factory=list)
    """When each of ``laps`` became known."""
    at_ms: int = 0
    """Session time of the latest message."""

    @property
    def key(self) -> str:
        """The session's key."""
        return self.parser.state.key

    def take(self, message: FeedMessage) -> None:
        """Read the next message."""
        if self.parser.is_in_time(message):
            self.at_ms = max(self.at_ms, message.sent_ms - self.parser.state.t0_ms)
        self._keep(self.parser.take(message))

    def finish(self) -> None:
        """Add the facts that remain after the last message."""
        self._keep(self.parser.finish())

    def _keep(self, facts: list[Fact]) -> None:
        for fact in facts:
            if isinstance(fact, Lap):
                self.laps.append(fact)
                self.known_ms.append(self.at_ms)
            else:
                self.facts.append(fact)


def as_session(messages: Iterable[FeedMessage], source: str, key: str | None = None) -> tuple[Session, ParseCounts]:
    """A session in ``messages``, which are in time order, and what of them could not be used.

    ``key``: which session, if there are several; by default the last one that was started. Raises SourceError if the
    messages do not identify their session, and for a key that they do not contain.
    """
    reader, names = _read(messages, key)
    if reader is None:
        raise SourceError(f"{source} has no session {key}, but {_listed(names)}. Add one of these keys behind a #.")
    state = reader.parser.state
    if not state.info or not state.entries():
        missing = "SessionInfo" if not state.info else "DriverList"
        raise SourceError(
            f"{source} does not contain which session it is and who drives: it has no {missing}. Add the answer to "
            f"subscribing as subscribe.txt beside it, or name the session: recording:PATH#YEAR/EVENT/SESSION."
        )
    reader.finish()
    facts, laps = corrected(reader.facts), corrected_laps(reader.laps)
    entries, late = state.entries(), _late(facts)
    t0_utc_ms = state.t0_utc_ms
    telemetry = _telemetry(state, t0_utc_ms, [entry.driver_number for entry in entries], laps)
    for number, joined_ms in late.items():
        telemetry[number] = _since(telemetry[number], joined_ms)
    start_ms = max(state.laps.started_ms or 0, 0)  # a session that was joined late began before session time 0
    info = session_info(state, t0_utc_ms, max(start_ms - PREAMBLE_MS, 0), source)
    first = Entries(session_time_ms=0, entries=[entry for entry in entries if entry.driver_number not in late])
    last = [int(columns["session_time_ms"][-1]) for columns in telemetry.values() if len(columns["session_time_ms"])]
    return Session(
        session_key=state.key, t0_utc_ms=t0_utc_ms, start_ms=start_ms,
        end_ms=max([reader.at_ms, *last]), telemetry=telemetry, laps=laps, laps_known_ms=reader.known_ms,
        messages=[info, first, *_track(telemetry, laps, reader.known_ms), *facts],
    ), state.counts  # fmt: skip


def _read(messages: Iterable[FeedMessage], key: str | None) -> tuple[SessionReader | None, dict[str, str]]:
    """The requested session, and every session's name by key. Each session has a parser of its own."""
    chosen: SessionReader | None = None
    current: SessionReader | None = None
    names: dict[str, str] = {}
    for message in in_snapshot_order(messages):
        if current is None or current.parser.is_another(message):
            chosen = _better(current, chosen, key)
            current = SessionReader(Parser(message.sent_ms))
        current.take(message)
        info = current.parser.state.info
        if message.topic == "SessionInfo" and info:
            names[current.key] = str(info.get("Name", "a session without a name"))[:MOST_NAME]
    chosen = _better(current, chosen, key)
    return (SessionReader(Parser(0)) if chosen is None and key is None else chosen), names


def _better(later: SessionReader | None, earlier: SessionReader | None, key: str | None) -> SessionReader | None:
    """Of two sessions with the key, or of any two without one: the later, unless only the earlier was started."""
    if later is None or (key is not None and later.key != key):
        return earlier
    return later if earlier is None or later.parser.has_been_on or not earlier.parser.has_been_on else earlier


def _listed(names: dict[str, str]) -> str:
    return ", ".join(f"{key} ({name})" for key, name in list(names.items())[:MOST_LISTED]) or "none at all"


def _late(facts: list[Message]) -> dict[str, int]:
    """By car that was listed after the start: the session time at which it was listed."""
    late: dict[str, int] = {}
    for fact in facts:
        if isinstance(fact, Notice) and fact.about.startswith(ENTRY_OF):
            late[fact.about.removeprefix(ENTRY_OF)] = fact.session_time_ms
    return late


def _since(columns: Columns, session_ms: int) -> Columns:
    first = int(columns["session_time_ms"].searchsorted(session_ms, side="right"))
    return {name: column[first:] for name, column in columns.items()}


def session_info(state: SessionState, t0_utc_ms: int, start_ms: int, source: str) -> SessionInfo:
    """The feed's ``SessionInfo`` as our record; its run starts at ``start_ms``."""
    info = state.info
    meeting = _object(info, "Meeting")
    country, circuit = _object(meeting, "Country"), _object(meeting, "Circuit")
    return SessionInfo(
        session_time_ms=0, name=_text(info.get("Name", "Session")), type=_text(info.get("Type", "Race")),
        meeting=_text(meeting.get("Name", "")), location=_text(meeting.get("Location", "")),
        country_code=_text(country.get("Code", "")), circuit=_text(circuit.get("ShortName", "")),
        total_laps=state.planned_laps, t0_utc_ms=t0_utc_ms, start_ms=start_ms, source=source[:MOST_SOURCE],
        gmt_offset_ms=gmt_offset_ms(info.get("GmtOffset")), path=session_path(info),
    )  # fmt: skip


def session_path(info: dict[str, Any]) -> str | None:
    """The ``Path`` of a ``SessionInfo``."""
    path = info.get("Path")
    return path if isinstance(path, str) and 0 < len(path) <= MOST_PATH else None


def _text(value: Any) -> str:
    return str(value)[:MOST_NAME]


def _object(parent: dict[str, Any], name: str) -> dict[str, Any]:
    value = parent.get(name)
    return value if isinstance(value, dict) else {}


def _telemetry(state: SessionState, t0_utc_ms: int, cars: list[str], laps: list[Lap]) -> dict[str, Columns]:
    merged = state.telemetry.merged(cars, t0_utc_ms)
    newest = {(lap.driver_number, lap.lap_number): lap for lap in laps}
    found: dict[str, Columns] = {}
    for car in cars:
        columns = merged[car]
        annotate_laps(columns, [lap for (number, _), lap in newest.items() if number == car])
        found[car] = {name: columns[name] for name in COLUMNS if name in columns}
    return found


def _track(telemetry: dict[str, Columns], laps: list[Lap], known: list[int]) -> list[Track]:
    """The outline by the first lap that was driven at speed, at the time when that lap became known."""
    for lap, at_ms in zip(laps, known, strict=True):
        line = outline(telemetry[lap.driver_number], lap)
        if line is not None:
            return [Track(session_time_ms=at_ms, outline=line)]
    return []
