"""Runs a session through the rules in process, without Kafka, and samples what viewers would see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from f1stream.race.stages.driver_join import DriverJoin
from f1stream.race.stages.session_race import SessionRace
from f1stream.race.state import Race
from f1stream.sources.packing import OutgoingRecord, pack
from f1stream.sources.session import Session
from models import CarState, Frame, Lap, Packet

PACKET_MS = 60_000
"""Session time (ms) in one packet. Frames do not depend on it; long packets are faster."""
RUN_ID = 1


@dataclass
class Replay:
    """The result of a session."""

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
    key: dict[str, CarState] = {}
    before: Frame | None = None
    for frame, race in _frames(session):
        while wanted and wanted[-1] < frame.t:
            result.samples[wanted.pop()] = _order(_cars(key, before))
        if frame.kind == "key":
            key = frame.cars
        if frame.t % every_ms == 0:
            result.samples[frame.t] = _order(_cars(key, frame))
        before, result.race = frame, race
    result.cars = _cars(key, before)
    return result


def _cars(key: dict[str, CarState], frame: Frame | None) -> dict[str, CarState]:
    """Every car as in ``frame``, whose changes are against the keyframe's ``key``."""
    return key | {number: _merged(key[number], change) for number, change in (frame.cars if frame else {}).items()}


def _order(cars: dict[str, CarState]) -> list[str]:
    return sorted(cars, key=lambda number: cars[number].position)


def _merged(state: CarState, change: CarState) -> CarState:
    # Not ``change.__dict__``: there what did not change has its default.
    return state.model_copy(update={name: getattr(change, name) for name in change.model_fields_set})


def _frames(session: Session) -> Iterator[tuple[Frame, Race]]:
    """Every frame, with the state of the rules after it (or some frames later)."""
    joins = {number: DriverJoin(number) for number in session.telemetry}
    for join in joins.values():
        join.begins(RUN_ID, None)
    race = SessionRace(session.session_key, RUN_ID)
    for item in pack(session, RUN_ID, PACKET_MS):
        take(item, joins, race)
        if isinstance(item.record, Packet):
            yield from advance(race)


def take(item: OutgoingRecord, joins: dict[str, DriverJoin], race: SessionRace) -> None:
    """Pass a record through the joins of both stages. ``joins``: by driver number."""
    headers, record = item.headers, item.record
    if isinstance(record, Lap):
        if record.driver_number in joins:
            joins[record.driver_number].take_lap(headers.seq, headers.emitted_ms, record, None)
    elif isinstance(record, Packet):
        join = joins[record.driver_number]
        join.take_packet(headers.seq, headers.emitted_ms, headers.laps, headers.messages, record, None)
        while (update := join.join()[0]) is not None:
            race.take_update(update)
    else:
        race.admit(record)
        race.take_message(headers.seq, headers.emitted_ms, record)


def advance(race: SessionRace) -> Iterator[tuple[Frame, Race]]:
    """The frames that have become complete, each with the state of the rules. Raises what the rules raise."""
    more = True
    while more:
        for made in race.advance():
            if isinstance(made, Frame) and race.race is not None:
                yield made, race.race
        if race.failure is not None:
            raise race.failure
        more = race.has_more
