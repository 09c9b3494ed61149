"""Mini-sectors from our own timing lines: colours, gaps in the samples, and the feed's own instead."""

from __future__ import annotations

import pytest

from f1stream.race.car import LINES
from f1stream.race.mini_sector_colours import ENOUGH, OF_SECTOR, THIRDS, MiniSectorColours, divided
from f1stream.race.state import Race
from f1stream.race.timing_points import SECTOR_1, SECTOR_2, Observation, TimingPoints
from models import MiniSector, PitIn, PitOut
from models.frame import CarState
from tests.support.oval import Oval

LAP_M = 1_200.0


def colours_of(oval: Oval, number: str) -> str:
    return oval.race.colours.marks.get(number, "")


def started() -> Oval:
    """Two cars that cross the finish line at 72 km/h, one a second before the other."""
    oval = Oval("4", "81")
    oval.start()
    oval.go(1.5)
    return oval


def of_feed(
    mini: int, mark: str | None = "slower", *, sector: int = 1, lap: int = 1, change: str = "passed", car: str = "4"
) -> MiniSector:
    return MiniSector.model_validate({
        "session_time_ms": 0, "driver_number": car, "lap": lap, "sector": sector, "mini_sector": mini, "mark": mark,
        "change": change, "counts": (3, 2, 2),
    })  # fmt: skip


# -- where they end --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "second"), [(20, 40), (19, 36), (10, 50), (8, 16)])
def test_every_sector_has_as_many_and_they_end_with_it(first: int, second: int) -> None:
    ends = divided(first, second)
    assert len(ends) == len(set(ends)) == 3 * OF_SECTOR
    assert (ends[OF_SECTOR - 1], ends[2 * OF_SECTOR - 1], ends[-1]) == (first, second, LINES)
    assert ends == sorted(ends)


def learned(first: float, second: float, times: int) -> TimingPoints:
    points = TimingPoints(LAP_M)
    for _ in range(times):
        points.learn([Observation(SECTOR_1, first, 70.0), Observation(SECTOR_2, second, 70.0)])
    return points


def test_they_end_at_the_sector_lines_once_these_are_known_and_stay() -> None:
    colours = MiniSectorColours()
    assert not colours.learn(learned(380.0, 720.0, ENOUGH - 1))
    assert colours.ends == THIRDS
    assert colours.learn(learned(380.0, 720.0, ENOUGH))
    assert colours.ends == divided(19, 36)
    assert not colours.learn(learned(500.0, 900.0, ENOUGH))
    assert colours.ends == divided(19, 36)


def test_sector_of_fewer_lines_than_mini_sectors_is_not_divided() -> None:
    colours = MiniSectorColours()
    assert not colours.learn(learned(60.0, 720.0, ENOUGH))
    assert colours.ends == THIRDS


# -- their colours ---------------------------------------------------------------------------------------------


def test_first_car_is_purple_and_one_as_fast_is_green() -> None:
    oval = started()
    oval.go(12)
    assert colours_of(oval, "4")[1:5] == "pppp"
    assert set(colours_of(oval, "81")[1:4]) <= {"g", "p"}
    assert oval.race.colours.source == "lines"
    assert oval.race.colours.counts == (OF_SECTOR,) * 3


def test_faster_one_takes_the_purple_and_leaves_green() -> None:
    oval = started()
    oval.drive("81", speed=90)
    oval.go(30)
    ahead, behind = colours_of(oval, "4"), colours_of(oval, "81")
    both = min(len(ahead), len(behind))
    assert behind[1:both] == "p" * (both - 1)
    assert ahead[1:both] == "g" * (both - 1)
    assert "p" not in ahead[:both]


def test_lap_as_slow_as_the_one_before_is_yellow_and_begins_at_its_first() -> None:
    oval = started()
    oval.go(59.5)
    assert len(colours_of(oval, "4")) == 3 * OF_SECTOR, "they stay after the lap's end"
    oval.go(4)
    assert len(colours_of(oval, "4")) == 1
    oval.drive("4", "81", speed=60)
    oval.go(20)
    assert set(colours_of(oval, "4")[2:]) == {"y"}


def test_mini_sector_in_the_pits_has_no_colour_and_is_nobodys_best() -> None:
    oval = started()
    oval.go(10)
    before = colours_of(oval, "4")
    oval.apply(PitIn(session_time_ms=oval.now, driver_number="4", lap=1))
    oval.drive("4", speed=200)
    oval.go(4)
    oval.apply(PitOut(session_time_ms=oval.now, driver_number="4", lap=1))
    oval.drive("4")
    oval.go(8)
    after = colours_of(oval, "4")
    assert after.startswith(before)
    inside = after[len(before) :].lstrip("-")
    assert len(after) - len(before) - len(inside) >= 5
    assert set(inside) <= {"p", "g"}
    assert all(best is None or best[0] > 1_900 for best in oval.race.colours.overall)


def test_gap_in_the_samples_leaves_no_colour() -> None:
    oval = started()
    oval.go(10)
    oval.silent.add("4")
    oval.go(6)
    oval.silent.discard("4")
    oval.drive("4", speed=144)  # no sample shows how it got there
    oval.go(0.2)
    oval.drive("4")
    oval.go(8)
    assert "-" in colours_of(oval, "4")
    assert not colours_of(oval, "4").endswith("-")


def test_frames_have_the_colours() -> None:
    oval = started()
    oval.go(20)
    key = next(frame for frame in reversed(oval.made) if frame.kind == "key")
    assert key.race.mini_sectors == (8, 8, 8)
    assert key.race.mini_source == "lines"
    assert len(key.cars["4"].mini_sectors) > 5
    assert CarState().mini_sectors == ""


def test_at_any_moment_one_car_at_most_has_the_best_and_a_race_read_back_goes_on() -> None:
    oval, other = started(), started()
    for n in range(200):
        for one in (oval, other):
            one.drive("4", speed=60 + n * 7 % 31)
            one.drive("81", speed=60 + n * 11 % 29)
            one.go(0.8)
        other.race = Race.load(other.race.dump())
        other.frames._race = other.race
        assert other.race.colours == oval.race.colours
        for both in zip(colours_of(oval, "4"), colours_of(oval, "81"), strict=False):
            assert both != ("p", "p")


# -- the feed's own --------------------------------------------------------------------------------------------


def test_the_feeds_own_are_shown_as_published_and_ours_no_more() -> None:
    oval = started()
    oval.go(10)
    assert colours_of(oval, "4")
    oval.apply(of_feed(1))
    assert (colours_of(oval, "4"), colours_of(oval, "81")) == ("y", "")
    oval.go(10)
    assert colours_of(oval, "4") == "y"
    assert (oval.race.colours.source, oval.race.colours.counts) == ("feed", (3, 2, 2))
    assert oval.race.cars["4"].lap == 0, "with a reference line they cross no line"


def test_recoloured_cleared_and_unseen_ones() -> None:
    colours = MiniSectorColours()
    for message, shown in (
        (of_feed(1, "overall"), "p"), (of_feed(3, "personal"), "p-g"), (of_feed(1, "slower", sector=2), "p-gy"),
        (of_feed(1, "personal", change="recoloured"), "g-gy"), (of_feed(1, None, sector=3), "g-gy--"),
        (of_feed(1, "slower", lap=2, change="recoloured"), "y-gy--"),
        (of_feed(1, "slower", lap=2, change="cleared"), "y"), (of_feed(0, None, lap=2, change="cleared"), ""),
    ):  # fmt: skip
        colours.apply(message)
        assert colours.marks["4"] == shown


def test_mini_sector_with_an_unknown_place_in_the_lap_is_left_out() -> None:
    colours = MiniSectorColours()
    colours.apply(of_feed(1).model_copy(update={"counts": None}))
    assert (colours.marks, colours.source) == ({}, None)
