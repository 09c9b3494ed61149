"""Figures of a complete recorded race, for its tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from f1stream.race.timing_points import MeasuredPassing
from f1stream.sources.session import Session
from models import Lap
from tests.support.pipeline import Run


def without_edges(session: Session) -> Session:
    """The session without the first and last sample of each lap of each car."""
    telemetry = {}
    for number, columns in session.telemetry.items():
        lap = columns["lap"]
        changes = lap[1:] != lap[:-1]
        edge = np.concatenate([[True], changes]) | np.concatenate([changes, [True]])
        telemetry[number] = {name: column[~edge] for name, column in columns.items()}
    return replace(session, telemetry=telemetry)


def at_point(race: Run, point: int) -> dict[tuple[str, int], MeasuredPassing]:
    return {(c.car, c.lap): c for c in race.compared if c.point == point}


def visits_pits(lap: Lap) -> bool:
    return lap.pit_in_ms is not None or lap.pit_out_ms is not None


def gap_errors(race: Run, point: int, laps: dict[tuple[str, int], Lap], in_pits: bool) -> Iterator[float]:
    """Error of each car's gap to the leader of the lap, with or without laps through the pits."""
    crossings = at_point(race, point)
    for lap in sorted({lap for _, lap in crossings}):
        cars = [crossing for (_, n), crossing in crossings.items() if n == lap]
        leader = min(cars, key=lambda crossing: crossing.official_ms)
        for car in cars:
            if car is not leader:
                through = visits_pits(laps[car.car, lap]) or visits_pits(laps[leader.car, lap])
                if through == in_pits:
                    yield abs((car.measured_ms - leader.measured_ms) - (car.official_ms - leader.official_ms))


def mini_sectors_by_lap(race: Run) -> dict[tuple[str, int], str]:
    """By car and lap: its mini-sectors at the first frame after the lap."""
    found: dict[tuple[str, int], str] = {}
    key: dict[str, tuple[int, str]] = {}
    for frame in race.frames:
        for number, car in frame.cars.items():
            lap, colours = key.get(number, (0, ""))
            lap = car.lap if "lap" in car.model_fields_set else lap
            colours = car.mini_sectors if "mini_sectors" in car.model_fields_set else colours
            if frame.kind == "key":
                key[number] = (lap, colours)
            if len(colours) == 24:
                found.setdefault((number, lap), colours)
    return found


def mini_sector_times(
    race: Run, session: Session, laps: dict[tuple[str, int], Lap], first_lap: int
) -> dict[tuple[str, int], list[float]]:
    """By car and lap, from ``first_lap`` on: the times (ms) of its mini-sectors by the recording's own distances."""
    state = race.race.race
    assert state is not None
    shares = np.array([0, *state.colours.ends]) / 60
    found = {}
    for (number, lap_number), lap in laps.items():
        columns = session.telemetry[number]
        own = columns["lap"] == lap_number
        if lap_number >= first_lap and not visits_pits(lap) and own.any():
            share = columns["distance"][own] / columns["distance"][own][-1]
            times = np.interp(shares, share, columns["session_time_ms"][own])
            found[number, lap_number] = np.diff(times).tolist()
    return found
