"""Drivers, timing and tyres: the topics with a line for each car, which a car's laps are made from."""

from __future__ import annotations

from typing import Any

from f1stream.sources.livetiming.compressed import UnreadableData
from f1stream.sources.livetiming.message import FeedMessage
from f1stream.sources.livetiming.parser.drivers import late_facts
from f1stream.sources.livetiming.parser.merge import merge
from f1stream.sources.livetiming.parser.state import Fact, SessionState
from f1stream.sources.livetiming.parser.timing import mini_sectors
from f1stream.sources.livetiming.parser.values import as_int
from models import Message, PitIn
from models.bounds import MOST_LAPS

AFTER_THE_FLAG = {"Finished", "Finalised", "Ends"}


def driver_list(state: SessionState, message: FeedMessage, at_ms: int) -> list[Fact]:
    """``DriverList``: drivers who are added after the start are published; then what was sent of them before."""
    if not isinstance(message.data, dict):
        raise UnreadableData("it is no object")
    damaged = state.drivers.take(message.data, snapshot=message.snapshot, is_over=state.is_over)
    state.counts.count_damaged(message.topic, damaged)
    late, entries = state.drivers.late(), state.entries()
    state.laps.entries = {entry.driver_number: entry for entry in entries}
    added = late_facts(late, entries, at_ms) if late else []
    return [*added, *_newly_listed(state, at_ms)]


def timing_data(state: SessionState, message: FeedMessage, at_ms: int) -> list[Fact]:
    """``TimingData``: sectors, pit lane, retirements, best laps, the feed's own timing; parts of a qualifying."""
    state.has_session_part |= bool(as_int(message.data.get("SessionPart")))
    facts: list[Fact] = [*state.parts.take(message.data, at_ms)]
    for number, line in state.car_lines(message).items():
        with state.skip_unreadable(message.topic):
            facts += _timing_line(state, number, line, at_ms, snapshot=message.snapshot)
    return facts


def timing_app_data(state: SessionState, message: FeedMessage, at_ms: int) -> list[Fact]:
    """``TimingAppData``: sets of tyres, and the grid."""
    facts: list[Fact] = []
    for number, line in state.merge_lines(message).items():
        with state.skip_unreadable(message.topic):
            state.laps.take_tyres(number, line, at_ms, snapshot=message.snapshot)
            is_early = message.snapshot and number not in state.timing  # which set is on the car is not known yet
            if number in state.laps.entries and line.get("Stints") and not is_early:
                facts += state.laps.cars[number].tyres.changes(number, at_ms)
    return facts


def _timing_line(
    state: SessionState, number: str, line: dict[str, Any], at_ms: int, *, snapshot: bool
) -> list[Message]:
    state.laps.take_timing(number, line, at_ms, snapshot=snapshot)
    if number not in state.laps.entries:
        state.unlisted[number] = merge(state.unlisted.get(number), line)
        return []
    car, timing = state.laps.cars[number], state.timing[number]
    before = timing.line
    facts = timing.take(number, line, at_ms, car.laps, state.parts.part)
    if "Sectors" in line:
        facts += mini_sectors(number, before, timing.line, at_ms, car.laps, snapshot=snapshot)
    if snapshot:
        came_in = next((fact.lap for fact in facts if isinstance(fact, PitIn)), None)
        return facts + _join(state, number, line, at_ms, is_new=not before, came_in=came_in)
    is_on = state.laps.started_ms is not None and state.status.latest not in AFTER_THE_FLAG
    for fact in facts:
        if isinstance(fact, PitIn) and (is_on or not state.laps.is_race):  # else on the way to the grid or home
            car.tyres.enter_pit_lane(fact.lap)
    return facts


def _newly_listed(state: SessionState, at_ms: int) -> list[Fact]:
    """Facts of cars that were sent before they were listed: a snapshot may have its topics in any order."""
    facts: list[Fact] = []
    for number in [number for number in state.unlisted if number in state.laps.entries]:
        line = state.unlisted.pop(number)
        facts += state.timing[number].take(number, line, at_ms, state.laps.cars[number].laps, state.parts.part)
        facts += _join(state, number, line, at_ms, is_new=True)
    return facts


def _join(
    state: SessionState,
    number: str,
    line: dict[str, Any],
    at_ms: int,
    *,
    is_new: bool,
    came_in: int | None = None,
) -> list[Message]:
    """A snapshot of a car: its laps and its visits to the pits determine which of its sets is on it."""
    car = state.laps.cars[number]
    visits = min(as_int(line.get("NumberOfPitStops")) or 0, MOST_LAPS)
    is_in = line.get("InPit") is True
    car.tyres.join(car.laps.lap_number - 1, visits, is_in=is_in, is_new=is_new, came_in=came_in)
    return list(car.tyres.changes(number, at_ms))
