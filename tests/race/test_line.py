"""Projection of positions on the reference line."""

from __future__ import annotations

from math import cos, pi, sin

import numpy as np
import pytest

from f1stream.race.line import ReferenceLine

RADIUS_M = 200.0
LAP_M = 2 * pi * RADIUS_M


def at(metres: float, off_m: float = 0.0) -> tuple[float, float]:
    """A position (1/10 m) on a circle: metres along it, and outside it."""
    angle, radius = metres / RADIUS_M, (RADIUS_M + off_m) * 10
    return radius * cos(angle), radius * sin(angle)


def circle(until_m: float = LAP_M) -> list[tuple[float, float]]:
    return [at(metres) for metres in np.linspace(0, until_m, 721)]


def project(line: ReferenceLine, *positions: tuple[float, float]) -> list[float]:
    x, y = np.array(positions).T
    found: list[float] = line.project(x, y).tolist()
    return found


@pytest.fixture(scope="module")
def line() -> ReferenceLine:
    return ReferenceLine(circle())


def test_a_lap_is_as_long_as_the_track(line: ReferenceLine) -> None:
    assert line.length_m == pytest.approx(LAP_M, rel=1e-3)


@pytest.mark.parametrize("metres", [1.0, 137.5, LAP_M / 2, LAP_M - 1.0])
def test_a_car_on_the_line_is_where_it_is(line: ReferenceLine, metres: float) -> None:
    assert project(line, at(metres)) == [pytest.approx(metres * line.length_m / LAP_M, abs=0.1)]


@pytest.mark.parametrize("off_m", [-15.0, 15.0, 60.0])
def test_a_car_beside_the_line_is_level_with_its_nearest_point(line: ReferenceLine, off_m: float) -> None:
    """An off-line car, a run-off area, a pit lane."""
    assert project(line, at(500.0, off_m)) == [pytest.approx(project(line, at(500.0))[0], abs=1.5)]


def test_a_position_is_the_same_bits_alone_and_in_a_batch(line: ReferenceLine) -> None:
    positions = [at(metres, off) for metres in range(0, 1_200, 7) for off in (-3.3, 0.0, 8.1)]
    assert project(line, *positions) == [project(line, position)[0] for position in positions]


def test_a_position_far_off_the_map_is_still_somewhere_on_the_lap(line: ReferenceLine) -> None:
    far = project(line, (1e7, 1e7), (-1e7, 3.0), (0.0, 0.0))
    assert all(0 <= metres <= line.length_m for metres in far)


def test_a_recorded_lap_that_runs_past_its_own_beginning_is_one_lap() -> None:
    """The last point of the archive's outline lies beyond the first: the car had crossed the line by then."""
    assert ReferenceLine(circle(LAP_M + 1.0)).length_m == pytest.approx(LAP_M, rel=1e-3)


def test_repeated_points_of_an_outline_count_once(line: ReferenceLine) -> None:
    twice = [point for point in circle() for _ in range(2)]
    positions = [at(metres) for metres in range(5, 1_200, 50)]
    assert project(ReferenceLine(twice), *positions) == pytest.approx(project(line, *positions), abs=0.1)
