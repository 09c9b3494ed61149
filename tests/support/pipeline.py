"""The rules without Kafka and without faults: a session's records straight through both stages of the race worker."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field

from f1stream import topics
from f1stream.processing.acks import AckTracker
from f1stream.processing.batch import Batch
from f1stream.processing.outputs import Output
from f1stream.race.car_facts import apply_lap
from f1stream.race.session_facts import apply_message, apply_time
from f1stream.race.stages.driver_join import lap_update
from f1stream.race.stages.session_race import SessionRace
from f1stream.race.stages.session_stage import SessionStage
from f1stream.race.state import Race
from f1stream.race.timing_points import MeasuredPassing
from f1stream.sources.packing import pack
from f1stream.sources.session import Session
from models import Entries, Frame, Lap, SessionHeader
from tests.support.harness import MemoryEvent, MemoryKafka, MemoryRecord, MemoryTable, MemoryWorker

EPOCH = 1
JUNK = b"\xff no JSON"


@dataclass
class Run:
    """The result of a session."""

    race: SessionRace
    made: list[SessionHeader | Frame] = field(default_factory=list)
    compared: list[MeasuredPassing] = field(default_factory=list)
    gap_errors: list[int] = field(default_factory=list)

    def take(self, race: SessionRace) -> None:
        """Collect what was compared since the last time."""
        self.race = race
        if race.race is not None:
            self.compared += race.race.compared
            race.race.compared.clear()
            self.gap_errors += race.race.gap_errors
            race.race.gap_errors.clear()

    @property
    def frames(self) -> list[Frame]:
        """Without the headers."""
        return [frame for frame in self.made if isinstance(frame, Frame)]


def run(
    session: Session,
    packet_ms: int = 1_000,
    *,
    official: bool = True,
    batch: int = 500,
    from_ms: int | None = None,
    to_ms: int | None = None,
    spoiled: Container[tuple[str, bytes, int]] = (),
) -> Run:
    """Race ``session`` through both stages, ``batch`` records at a time, in the order of publishing.

    Nothing fails here and nothing is stored: no tables are written. ``spoiled``: (topic, key, seq) of records that
    arrive unreadable.
    """
    worker = MemoryWorker(MemoryKafka())
    first = worker.driver_stage
    second = Observed(MemoryTable(worker, "races"), MemoryTable(worker, "standing"), official=official)
    result = Run(SessionRace(session.session_key, EPOCH, official))
    driver_events: list[MemoryEvent] = []
    session_events: list[MemoryEvent] = []

    def advance() -> None:
        updates = first.process(Batch("race", driver_events))
        second.process(Batch("race", [*session_events, *map(event, updates)]))
        driver_events.clear()
        session_events.clear()
        for opened in second.sessions.values():
            result.take(opened.race)

    for n, item in enumerate(pack(session, EPOCH, packet_ms, from_ms, to_ms), 1):
        value = JUNK if (item.topic, item.key, item.headers.seq) in spoiled else topics.encode(item.record)
        events = session_events if item.topic == topics.MESSAGES else driver_events
        events.append(event(Output(item.topic, item.key, value, item.headers.encode())))
        if n % batch == 0:
            advance()
    advance()
    result.made = second.made
    return result


class Observed(SessionStage):
    """Keeps the headers and frames that it makes, instead of encoding them."""

    def __init__(self, *tables: MemoryTable, official: bool) -> None:
        super().__init__(*tables, AckTracker(), official=official)
        self.made: list[SessionHeader | Frame] = []

    def _advance(self, batch: Batch, key: bytes) -> None:
        race = self.sessions[key].race
        self.made += race.advance()
        while race.has_more:
            self.made += race.advance()
        if race.failure is not None:
            raise race.failure


def event(output: Output) -> MemoryEvent:
    """A record as it is delivered."""
    return MemoryEvent(MemoryRecord(output.topic, 0, 0, output.key, output.value, output.headers))


def without_samples(session: Session, to_ms: int | None = None) -> Race:
    """The race by the messages and laps of ``session`` alone, as it was known at ``to_ms``."""
    (entries,) = (message for message in session.messages if isinstance(message, Entries))
    race = Race.of(entries.entries)
    facts = [(message.session_time_ms, message) for message in session.messages]
    facts += session.laps_as_known()
    for at, fact in sorted(facts, key=lambda known: known[0]):
        if to_ms is not None and at > to_ms:
            break
        if isinstance(fact, Lap):
            apply_lap(race, race.cars[fact.driver_number], lap_update(fact, at))
        else:
            apply_message(race, fact)
        apply_time(race, at)
    return race
