"""The rules without Kafka: a session's records straight through both stages of the race worker."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

from f1stream import topics
from f1stream.race.places import Compared
from f1stream.race.race import Race
from f1stream.race.stages.driver_join import DriverJoin, lap_update
from f1stream.race.stages.session_race import SessionRace
from f1stream.sources.packing import pack
from f1stream.sources.session import Session
from models import Entries, Frame, Head, Lap

EPOCH = 1


@dataclass
class Run:
    """What came of a session."""

    race: SessionRace
    made: list[Head | Frame] = field(default_factory=list)
    compared: list[Compared] = field(default_factory=list)
    gap_errors: list[int] = field(default_factory=list)

    @property
    def frames(self) -> list[Frame]:
        """Without the heads."""
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
    """Publish ``session`` to nobody and race it, ``batch`` records at a time.

    ``spoiled``: (topic, key, seq) of records that arrive unreadable.
    """
    result = Run(SessionRace(session.session_key, EPOCH, official))
    drivers: dict[bytes, DriverJoin] = {}
    for n, item in enumerate(pack(session, EPOCH, packet_ms, from_ms, to_ms), 1):
        stamp: Any = item.stamp
        record: Any = None if (item.topic, item.key, stamp.seq) in spoiled else item.record
        if item.topic == topics.MESSAGES:
            result.race.take_message(stamp.seq, stamp.emitted_ms, record)
        else:
            number = topics.session_of(item.key)[1]
            driver = drivers.setdefault(item.key, DriverJoin(number))
            driver.begins(stamp.epoch, None)
            if item.topic == topics.LAPS:
                driver.take_lap(stamp.seq, stamp.emitted_ms, record, None)
            else:
                driver.take_packet(stamp.seq, stamp.emitted_ms, stamp.laps, stamp.messages, record, None)
        if n % batch == 0:
            _advance(result, drivers)
    _advance(result, drivers)
    return result


def without_samples(session: Session, to_ms: int | None = None) -> Race:
    """``session`` as its messages and laps alone tell it, in a moment; as it was known at ``to_ms``."""
    (entries,) = (message for message in session.messages if isinstance(message, Entries))
    race = Race.of(entries.entries)
    facts = [(message.session_time_ms, message) for message in session.messages]
    facts += session.laps_as_known()
    for at, fact in sorted(facts, key=lambda known: known[0]):
        if to_ms is not None and at > to_ms:
            break
        if isinstance(fact, Lap):
            race.complete(race.cars[fact.driver_number], lap_update(fact, at))
        else:
            race.tell(fact)
        race.settle(at)
    return race


def _advance(result: Run, drivers: dict[bytes, DriverJoin]) -> None:
    for driver in drivers.values():
        update, _ = driver.join()
        if update is not None:
            result.race.take_update(update)
    result.made += result.race.advance()
    if result.race.race is not None:
        result.compared += result.race.race.compared
        result.race.race.compared.clear()
        result.gap_errors += result.race.race.gap_errors
        result.race.race.gap_errors.clear()


def frame_bytes(frames: list[Head | Frame]) -> dict[int, bytes]:
    """Frame number to encoded frame, heads left out: what two runs must agree on."""
    return {frame.t // 200: topics.encode_frames([frame]) for frame in frames if isinstance(frame, Frame)}
