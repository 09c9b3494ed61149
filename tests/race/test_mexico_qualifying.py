"""The pit lane of a second circuit, in recorded live timing: Mexico City 2025, qualifying."""

from __future__ import annotations

import pytest

from f1stream.race.timing_points import FINISH, PIT_FINISH
from f1stream.sources.session import Session
from tests.support.figures import figures, median_and_p95
from tests.support.pipeline import Run, run

UNTIL_MS = 2_050_000
"""Session time: most of Q1."""
STRAIGHT_MS = 4_000
"""From the entry line to the finish line at the speed limit it is 2.6 s: a slower car was pushed into its garage."""


@pytest.fixture(scope="module")
def first_runs(mexico_session: Session) -> Run:
    return run(mexico_session, 3_000, to_ms=UNTIL_MS)


def test_in_laps_are_measured_as_well_as_others_from_the_first_car_on(
    first_runs: Run, mexico_session: Session
) -> None:
    """The first car into the pits was 0.9 s off, and each one after it."""
    laps = {(lap.driver_number, lap.lap_number): lap for lap in mexico_session.laps}
    errors = []
    for each in first_runs.compared:
        entered_ms = laps[each.car, each.lap].pit_in_ms
        if each.point == FINISH and entered_ms is not None and each.official_ms - entered_ms < STRAIGHT_MS:
            errors.append(abs(each.measured_ms - each.official_ms))
    assert len(errors) > 20
    p50, p95 = median_and_p95(errors)
    figures.append(
        f"Mexico City: in-laps measured {p50:.0f} ms (median) and {p95:.0f} ms (p95) off, {len(errors)} laps"
    )
    assert max(errors[:5]) < 200
    assert p50 <= 60
    assert p95 <= 300


def test_a_car_at_the_speed_limit_is_shown_further_back_at_the_finish_line_than_one_at_speed(first_runs: Run) -> None:
    assert first_runs.race.race is not None
    points = first_runs.race.race.timing_points
    assert points is not None
    assert 0.2 < points.ahead_s < 0.4
    on_track, in_pit = points.position(FINISH, 73.0), points.position(PIT_FINISH, 22.2)
    assert on_track == pytest.approx(-1.0, abs=4.0)
    assert in_pit == pytest.approx(-19.0, abs=2.0)
