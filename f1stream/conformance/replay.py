"""A session through the rules in process, without Kafka: what viewers would see, sampled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from f1stream.race.race import Race
from f1stream.race.stages.driver_join import DriverJoin
from f1stream.race.stages.session_race import SessionRace
from f1stream.sources.packing import pack
from f1stream.sources.session import Session
from models import CarState, Frame, Lap, Packet

PACKET_MS = 5_000
"""Session time in one packet: the frames are the same with any, long packets cost less."""
RUN_ID = 1


@dataclass
class Replay:
    """What came of a session."""

    samples: dict[int, list[str]] = field(default_factory=dict)
    """By session time (ms): driver numbers, first to last."""
    cars: dict[str, CarState] = field(default_factory=dict)
    """By driver number, as in the last frame."""
    race: Race | None = None
    """The rules' state after the last frame."""


def replay(session: Session, at_ms: set[int], every_ms: int) -> Replay:
    """Run ``session`` and keep the order at each of ``at_ms`` and at every multiple of ``every_ms`` (session time).

    The order at a time that has no frame of its own is that of the frame before it. Raises what the rules raise.
    """
    result = Replay()
    wanted = sorted(at_ms, reverse=True)
    order: list[str] = []
    key: dict[str, CarState] = {}
    for frame, race in _frames(session):
        while wanted and wanted[-1] < frame.t:
            result.samples[wanted.pop()] = order
        if frame.kind == "key":
            key = dict(frame.cars)
        cars = key | {number: _merged(key[number], change) for number, change in frame.cars.items()}
        order = sorted(cars, key=lambda number: cars[number].position)
        if frame.t % every_ms == 0:
            result.samples[frame.t] = order
        result.cars, result.race = cars, race
    result.samples |= dict.fromkeys(wanted, order)
    return result


def _merged(state: CarState, change: CarState) -> CarState:
    return CarState.model_construct(**(state.__dict__ | change.__dict__))


def _frames(session: Session) -> Iterator[tuple[Frame, Race]]:
    """Every frame, and the state of the rules after it (or some frames later)."""
    joins = {number: DriverJoin(number) for number in session.telemetry}
    for join in joins.values():
        join.begins(RUN_ID, None)
    race = SessionRace(session.session_key, RUN_ID)
    for item in pack(session, RUN_ID, PACKET_MS):
        stamp, record = item.stamp, item.record
        if isinstance(record, Lap):
            if record.driver_number in joins:
                joins[record.driver_number].take_lap(stamp.seq, stamp.emitted_ms, record, None)
        elif isinstance(record, Packet):
            join = joins[record.driver_number]
            join.take_packet(stamp.seq, stamp.emitted_ms, stamp.laps, stamp.messages, record, None)
            while (update := join.join()[0]) is not None:
                race.take_update(update)
            yield from _advance(race)
        else:
            race.admit(record)
            race.take_message(stamp.seq, stamp.emitted_ms, record)


def _advance(race: SessionRace) -> Iterator[tuple[Frame, Race]]:
    more = True
    while more:
        for made in race.advance():
            if isinstance(made, Frame) and race.race is not None:
                yield made, race.race
        if race.failure is not None:
            raise race.failure
        more = race.has_more
