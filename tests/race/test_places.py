"""Sector lines and the pit lane's finish line, learned from completed laps."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from f1stream.race.places import FARTHEST_PIT_FINISH_M, KEPT, PIT_FINISH, SECTOR_1, SECTOR_2, Places

LAP_M = 5_000.0


def test_a_sector_line_is_unknown_until_a_lap_has_shown_it() -> None:
    places = Places(LAP_M)
    assert places.position(SECTOR_1) is None
    places.learn(SECTOR_1, 1_700.0)
    assert places.position(SECTOR_1) == 1_700.0
    assert places.position(SECTOR_2) is None


def test_one_bad_observation_does_not_move_a_line() -> None:
    places = Places(LAP_M)
    for metres in (1_699.0, 1_701.0, 4_000.0, 1_700.0, 1_698.0):
        places.learn(SECTOR_1, metres)
    assert places.position(SECTOR_1) == 1_700.0


def test_the_latest_observations_count() -> None:
    places = Places(LAP_M)
    for metres in [1_600.0] * KEPT + [1_700.0] * KEPT:
        places.learn(SECTOR_1, metres)
    assert places.observed[SECTOR_1] == [1_700.0] * KEPT
    assert places.position(SECTOR_1) == 1_700.0


@pytest.mark.parametrize("metres", [-1.0, 0.0, LAP_M, LAP_M + 30.0])
def test_a_sector_does_not_end_off_the_lap(metres: float) -> None:
    places = Places(LAP_M)
    places.learn(SECTOR_2, metres)
    assert places.position(SECTOR_2) is None


def test_the_pit_lane_may_cross_the_finish_line_early_or_late_but_not_far_away() -> None:
    places = Places(LAP_M)
    places.learn(PIT_FINISH, FARTHEST_PIT_FINISH_M + 1)
    assert places.position(PIT_FINISH) is None
    places.learn(PIT_FINISH, -17.0)
    assert places.position(PIT_FINISH) == -17.0


def test_what_was_learned_survives_a_restart() -> None:
    places = Places(LAP_M)
    for metres in (1_690.0, 1_710.0, 1_700.0):
        places.learn(SECTOR_1, metres)
    adapter = TypeAdapter(Places)
    restored = adapter.validate_json(adapter.dump_json(places))
    places.learn(SECTOR_1, 1_720.0)
    restored.learn(SECTOR_1, 1_720.0)
    assert restored == places
