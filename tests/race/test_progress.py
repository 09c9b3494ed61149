"""Dead reckoning, corrected by positions."""

from __future__ import annotations

import pytest

from f1stream.race.progress import GAIN, MOST_M, PIT_GAIN, SILENCE_MS, STRIKES, Progress

LAP_M = 1_200.0
SPEED = 72.0
"""km/h: 2 m each 100 ms."""


def driving(at: float = 100.0) -> Progress:
    """A car seen ``at`` metres at time 0."""
    progress = Progress()
    progress.sample(0, at, SPEED, LAP_M)
    return progress


def test_a_car_is_nowhere_before_its_first_position() -> None:
    progress = Progress()
    assert progress.sample(0, None, SPEED, LAP_M) is None
    assert progress.sample(100, 50.0, SPEED, LAP_M) == 50.0


def test_without_positions_the_speed_carries_on() -> None:
    progress = driving(100.0)
    assert progress.sample(500, None, SPEED, LAP_M) == pytest.approx(110.0)
    assert progress.sample(1_000, None, 0.0, LAP_M) == pytest.approx(115.0), "braking: half the speed on average"


def test_a_car_on_the_grid_is_just_short_of_its_lap_not_at_its_end() -> None:
    assert driving(LAP_M - 16.0).m == -16.0


def test_distance_goes_on_over_the_finish_line() -> None:
    progress = driving(LAP_M / 2)
    for step in range(1, 601):
        progress.sample(step * 100, (LAP_M / 2 + 2.0 * step) % LAP_M, SPEED, LAP_M)
    assert progress.m == pytest.approx(LAP_M * 1.5)


def test_a_position_pulls_by_its_share() -> None:
    progress = driving(100.0)
    assert progress.sample(100, 102.0 + MOST_M / 2, SPEED, LAP_M) == pytest.approx(102.0 + GAIN * MOST_M / 2)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_positions_that_are_late_or_early_for_two_seconds_do_not_take_the_car_along(side: float) -> None:
    """Like car 14 in the pit lane of Melbourne: 9.5 m late for 1.5 s."""
    progress = driving(100.0)
    for step in range(1, 21):
        progress.sample(step * 100, 100.0 + 2.0 * step + side * 9.5, SPEED, LAP_M)
    assert progress.m == pytest.approx(140.0, abs=20 * GAIN * MOST_M + 0.01)


def test_in_the_pit_lane_the_position_counts_half() -> None:
    """The way into it is not as long as the reference line beside it, so dead reckoning is off."""
    progress = driving(100.0)
    assert progress.sample(100, 112.0, SPEED, LAP_M, in_pit=True) == pytest.approx(102.0 + PIT_GAIN * 10.0)


def test_a_car_standing_in_the_pit_lane_is_where_its_position_is() -> None:
    progress = driving(100.0)
    for step in range(1, 11):
        progress.sample(step * 200, 108.0, 0.0, LAP_M, in_pit=True)
    assert progress.m == pytest.approx(108.0, abs=0.02)


def test_noise_of_positions_does_not_add_up() -> None:
    progress = driving(100.0)
    for step in range(1, 301):
        noise = 3.0 if step % 2 else -3.0
        progress.sample(step * 100, 100.0 + 2.0 * step + noise, SPEED, LAP_M)
    assert progress.m == pytest.approx(700.0, abs=0.4)


def test_a_wild_position_is_not_believed() -> None:
    progress = driving(100.0)
    assert progress.sample(100, 700.0, SPEED, LAP_M) == pytest.approx(102.0)


def test_positions_that_insist_are_right_after_all() -> None:
    """Wheels spin on wet grass: speed says that the car moves, positions show where it is."""
    progress = driving(100.0)
    found = [progress.sample(step * 100, 300.0, 0.0, LAP_M) for step in range(1, STRIKES + 1)]
    assert found[-2] == pytest.approx(101.0), "not yet"
    assert found[-1] == pytest.approx(300.0)


def test_wild_positions_must_come_in_a_row() -> None:
    progress = driving(100.0)
    for step in range(1, 10 * STRIKES):
        wild = step % STRIKES
        progress.sample(step * 100, 900.0 if wild else 100.0 + 2.0 * step, SPEED, LAP_M)
    assert progress.m == pytest.approx(100.0 + 2.0 * (10 * STRIKES - 1), abs=0.1)


def test_after_a_long_silence_the_position_is_believed_at_once() -> None:
    progress = driving(100.0)
    assert progress.sample(SILENCE_MS + 1, 400.0, SPEED, LAP_M) == pytest.approx(400.0)
