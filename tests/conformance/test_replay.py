"""A session through the rules in process."""

from __future__ import annotations

from f1stream.conformance.replay import replay
from tests.support.small_race import START_S, SmallRace


def test_a_car_that_changes_in_the_last_frame_keeps_what_does_not_change() -> None:
    race = SmallRace()
    race.start()
    for lap in (1, 2):
        race.lap(START_S + 80 * lap, "4", lap, "1:20.000")
        race.lap(START_S + 80 * lap + 1, "81", lap, "1:20.000")
    race.lines(START_S + 175.1, "81", GapToLeader="+1.000")
    found = replay(race.session(), set(), 10_000)
    assert (found.cars["81"].official_gap_ms, found.cars["81"].lap) == (1_000, 2)
