"""Gaps between two timing lines: a car that has not reached its next line falls behind."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from f1stream.race.car import LINES
from f1stream.race.gaps import INFORMED_MS, PATIENCE_MS
from f1stream.race.order import Distance
from f1stream.race.state import Race
from tests.support.oval import LAP_MS, MEASURED_MS, Oval
from tests.support.small_race import START_S, SmallRace

FRAME_S = 0.2
LINE_MS = LAP_MS // LINES
DRIVES = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from([0, 20, 72, 110, 150]), st.integers(1, 60)), max_size=25
)
"""Which car changes to which speed (km/h), and for how many frames nothing else changes."""


def shown(race: Race) -> list[tuple[int, int]]:
    """Laps and ms behind the leader as in a frame, first to last; retired cars have none."""
    gaps = [(race.gaps[number].laps, race.columns.gap[race.cars[number].grid]) for number in race.order]
    return [(laps, ms) for laps, ms in gaps if ms is not None]


@settings(max_examples=40, deadline=None)
@given(DRIVES)
def test_gaps_rise_with_position_in_every_frame(drive: list[tuple[int, int, int]]) -> None:
    """Whatever the cars do: stand, crawl, pass each other, lap each other."""
    oval = Oval("1", "4", "16", "81")
    oval.start()
    oval.go(4)
    for car, speed, frames in drive:
        oval.drive(list(oval.race.cars)[car], speed=speed)
        for _ in range(frames):
            oval.go(FRAME_S)
            race, gaps = oval.race, shown(oval.race)
            assert gaps == sorted(gaps)
            for ahead, behind in pairwise(race.order):
                interval, gap_ms = race.intervals[behind], race.columns.gap[race.cars[behind].grid]
                if interval.ms is not None and gap_ms is not None:
                    assert interval <= (race.gaps[behind].laps, gap_ms), "the car ahead is not ahead of the leader"
                crossed = race.cars[ahead].time_at(race.cars[behind].line + 1)
                if crossed is not None and not race.cars[behind].retired:
                    known_ms = oval.now - max(crossed, race.resumed_ms) - INFORMED_MS
                    is_due = oval.now - race.cars[behind].line_ms > PATIENCE_MS + INFORMED_MS and known_ms > 0
                    assert not is_due or interval >= Distance(0, known_ms), "the car ahead has crossed the next line"


def test_the_gap_of_a_car_that_stands_grows_and_is_measured_again_when_it_moves() -> None:
    oval = Oval("1", "4", "16")
    oval.start()
    oval.go(20)
    oval.drive("4", speed=0)
    oval.go(4)
    assert oval.race.order == ["1", "16", "4"]
    oval.go(26)
    gap, interval = oval.race.gaps["4"], oval.race.intervals["4"]
    assert gap.ms == pytest.approx(30_000, abs=LINE_MS + MEASURED_MS)
    assert interval.ms == pytest.approx(29_500, abs=LINE_MS + MEASURED_MS), "number 16 started 10 m behind it"
    oval.drive("4")
    oval.go(2 * LINE_MS / 1_000)
    assert oval.race.gaps["4"].ms == pytest.approx(30_500, abs=MEASURED_MS)


def test_a_car_that_stands_is_lapped() -> None:
    oval = Oval("1", "4")
    oval.start()
    oval.go(10)
    oval.drive("4", speed=0)
    oval.go(LAP_MS / 1_000 + 10)
    gap = oval.race.gaps["4"]
    assert gap.laps == 1
    assert gap.ms == pytest.approx(10_000, abs=LINE_MS + MEASURED_MS)


def test_the_time_of_a_suspension_is_no_gap() -> None:
    oval = Oval("1", "4")
    oval.start()
    oval.go(10)
    oval.drive("4", speed=0)
    oval.go(3)
    oval.drive("1", speed=0)
    oval.status("Aborted")
    oval.go(600)
    oval.status("Started")
    oval.go(2)
    assert oval.race.gaps["4"].ms == pytest.approx(3_000, abs=LINE_MS + MEASURED_MS)


def test_a_suspension_is_no_gap_of_a_car_that_crosses_its_next_line_after_it() -> None:
    """The leader stopped behind a line, the others before it."""
    oval = Oval("1", "4", "16", "81")
    oval.start()
    oval.go(30)
    oval.drive("1", "4", "16", "81", speed=72)
    oval.go(0.6)
    oval.drive("1", "4", "16", "81", speed=0)
    oval.status("Aborted")
    oval.go(600)
    oval.status("Started")
    oval.drive(*oval.speed)
    for _ in range(30):
        oval.go(FRAME_S)
        assert all(ms < 10_000 for _, ms in shown(oval.race))


def test_a_car_without_samples_is_not_overdue_at_lines_that_only_samples_show() -> None:
    oval = Oval("1", "4")
    oval.start()
    oval.go(20)
    oval.silent.add("4")
    oval.go(10)
    assert oval.race.gaps["4"].ms == pytest.approx(10_000 / 20, abs=MEASURED_MS)


@pytest.mark.parametrize(("known_s", "gap_ms"), [(92, 1_000), (182, 1_000), (185, 3_000), (190, 8_000)])
def test_without_positions_a_car_is_overdue_at_the_end_of_its_lap(known_s: float, gap_ms: int) -> None:
    """A lap's end is published up to two seconds late."""
    race = SmallRace()
    race.start()
    for lap in (1, 2):
        race.lap(START_S + 90 * lap, "4", lap, "1:30.000")
    race.lap(START_S + 91, "81", 1, "1:31.000")
    race.goes_on(START_S + 200)
    assert race.at(START_S + known_s).race.gaps["81"] == (0, pytest.approx(gap_ms, abs=50))
