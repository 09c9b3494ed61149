"""Corrupt values as the 2025 Australian GP has them (its PROVENANCE.md), through the records and the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from f1stream import topics
from f1stream.sources.packing import pack
from f1stream.sources.session import Columns, Session
from models import Packet
from models.frame import FRAME_MS
from tests.support.harness import frame_bytes
from tests.support.pipeline import Run, run

HAD, NOR, PIA = "6", "4", "81"
SECOND = 1_000


@pytest.fixture(scope="module")
def spin(aus_session: Session) -> tuple[int, int]:
    """Session time of Piastri's lap 44, on which his car data went wrong."""
    lap = next(lap for lap in aus_session.laps if (lap.driver_number, lap.lap_number) == (PIA, 44))
    assert lap.start_ms is not None
    return lap.start_ms - SECOND, lap.end_ms // FRAME_MS * FRAME_MS + 5 * SECOND  # a run ends on a frame


@pytest.fixture(scope="module")
def start(aus_session: Session) -> tuple[int, int]:
    """The first seconds of the race."""
    return aus_session.start_ms - 2 * SECOND, aus_session.start_ms + 60 * SECOND


@pytest.fixture(scope="module")
def started(aus_session: Session, start: tuple[int, int]) -> Run:
    return run(aus_session, from_ms=start[0], to_ms=start[1])


def packets(session: Session, number: str, between: tuple[int, int]) -> Iterator[Packet]:
    """A car's packets as read from the topic."""
    for item in pack(session, 1, 1_000, *between):
        if isinstance(item.record, Packet) and item.record.driver_number == number:
            yield topics.decode_packet(topics.encode(item.record))


def changed(session: Session, change: Callable[[Columns], Columns]) -> Session:
    return replace(session, telemetry={number: change(columns) for number, columns in session.telemetry.items()})


def within(columns: Columns, between: tuple[int, int]) -> Any:
    t = columns["session_time_ms"]
    return (t > between[0]) & (t <= between[1])


def test_gears_up_to_128_come_through_as_recorded(aus_session: Session, spin: tuple[int, int]) -> None:
    published = [gear for packet in packets(aus_session, PIA, spin) for gear in packet.gear]
    columns = aus_session.telemetry[PIA]
    assert published == columns["gear"][within(columns, spin)].tolist()
    assert sum(gear > 8 for gear in published) == 570
    assert published.count(128) == 310


def test_throttle_without_data_comes_through_as_recorded(aus_session: Session, start: tuple[int, int]) -> None:
    """In some rows it is 104 itself, in others a value interpolated on the way there."""
    above = {number: int((c["throttle"] > 100).sum()) for number, c in aus_session.telemetry.items()}
    assert sum(above.values()) == 936
    assert above[HAD] == 862
    published = [throttle for packet in packets(aus_session, HAD, start) for throttle in packet.throttle]
    assert published
    assert set(published) == {104}


def test_null_relative_distance_comes_through_as_null(aus_session: Session, start: tuple[int, int]) -> None:
    nulls = {n: int(np.isnan(c["relative_distance"]).sum()) for n, c in aus_session.telemetry.items()}
    assert {number: count for number, count in nulls.items() if count} == {HAD: 862}
    published = [value for packet in packets(aus_session, HAD, start) for value in packet.relative_distance or ()]
    assert published
    assert set(published) == {None}


def test_negative_distance_comes_through_as_recorded(aus_session: Session) -> None:
    assert sum(int((c["distance"] < 0).sum()) for c in aus_session.telemetry.values()) == 113
    number = min(aus_session.telemetry, key=lambda n: aus_session.telemetry[n]["distance"].min(initial=0))
    columns = aus_session.telemetry[number]
    at = int(columns["session_time_ms"][columns["distance"].argmin()])
    published = [d for p in packets(aus_session, number, (at - SECOND, at + SECOND)) for d in p.distance or ()]
    assert min(published) == pytest.approx(-3.07)


def test_the_rules_read_time_x_y_speed_and_drs_only(aus_session: Session, spin: tuple[int, int]) -> None:
    """Any other value of a sample, correct, corrupt or missing, gives frames of the same bytes."""
    read = {"session_time_ms", "x", "y", "speed", "drs"}
    needed = {"z", "rpm", "throttle", "brake", "gear"}

    def nothing_else(columns: Columns) -> Columns:
        kept = {name: column for name, column in columns.items() if name in read}
        return kept | {name: np.zeros_like(columns[name]) for name in needed}

    window: dict[str, Any] = {"from_ms": spin[0], "to_ms": spin[1]}
    assert frame_bytes(run(changed(aus_session, nothing_else), **window).made) == frame_bytes(
        run(aus_session, **window).made
    )


def test_the_doubled_samples_at_the_edges_of_laps_race_once(aus_session: Session, spin: tuple[int, int]) -> None:
    doubled = {n: int((np.diff(c["session_time_ms"]) == 0).sum()) for n, c in aus_session.telemetry.items()}
    assert doubled[NOR] == 56, "between the 57 laps"

    def once(columns: Columns) -> Columns:
        first = np.concatenate([[True], np.diff(columns["session_time_ms"]) > 0])
        return {name: column[first] for name, column in columns.items()}

    window: dict[str, Any] = {"from_ms": spin[0], "to_ms": spin[1]}
    with_doubles, without = run(aus_session, **window), run(changed(aus_session, once), **window)
    counted = [race.frames[-1].race.tally for race in (with_doubles, without)]
    between = partial(within, between=spin)
    repeated = sum(
        int((np.diff(c["session_time_ms"][between(c)]) == 0).sum()) for c in aus_session.telemetry.values()
    )
    assert repeated > 0
    assert counted[0] is not None
    assert counted[1] is not None
    assert counted[0].samples - counted[1].samples == repeated, "each is counted"
    *frames, _ = frame_bytes(with_doubles.made).values()
    *expected, _ = frame_bytes(without.made).values()
    assert frames == expected


def test_a_car_that_never_starts_is_on_no_map_and_crosses_no_line(started: Run) -> None:
    race = started.race.race
    assert race is not None
    car = race.cars[HAD]
    assert started.race.tally.samples > 0
    assert {frame.x[car.grid] for frame in started.frames} == {None}
    assert {frame.gap[car.grid] for frame in started.frames} == {None}
    assert (car.line, car.lap, car.progress.m) == (-1, 0, None)
    assert car.seen_ms is not None, "it has samples"


def test_a_car_that_never_starts_delays_no_frame(started: Run, start: tuple[int, int]) -> None:
    race = started.race.race
    assert race is not None
    assert started.frames[-1].t >= start[1] - 200
    running = [number for number in race.order if race.cars[number].line > 0]
    assert len(running) >= 17
    assert race.order.index(HAD) >= len(running)


def test_pit_lane_starters_are_behind_the_grid_until_they_have_left(started: Run) -> None:
    """Lawson and Bearman; in the entries they are between cars that started from the grid."""
    entries = started.race.header.entries
    assert entries is not None
    late = {entry.driver_number for entry in entries.entries if entry.pit_lane_start}
    assert len(late) == 2
    key = next(frame for frame in started.frames if frame.kind == "key")
    assert {number for number, car in key.cars.items() if car.position > len(key.cars) - len(late)} == late
