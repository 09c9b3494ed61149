"""The rules of racing, on a small oval with cars of given speeds."""

from __future__ import annotations

from math import cos, pi, sin

import pytest

from f1stream.race.car import LINES
from f1stream.race.car_facts import apply_lap
from f1stream.race.crossings import apply_sample
from f1stream.race.frames import FrameBuilder
from f1stream.race.line import ReferenceLine
from f1stream.race.retirements import SILENT_MS
from f1stream.race.session_facts import apply_message, apply_time
from f1stream.race.state import Race
from models import Entry, LapUpdate, Message, PitIn, PitOut, RaceControl, SessionInfo, SessionStatus, TyreChange

OUTLINE = [(8_000 * cos(2 * pi * n / 400), 4_000 * sin(2 * pi * n / 400)) for n in range(401)]
KMH = 180.0
STEP_MS = 200


class Oval:
    """A race whose cars drive at given speeds; ``at`` is where each is, in metres from the finish line."""

    def __init__(self, *numbers: str, laps: int | None = 3, pit_lane: tuple[str, ...] = ()) -> None:
        self.line = ReferenceLine(OUTLINE)
        self.length = self.line.length_m
        entries = [
            Entry(
                driver_number=n, tla=n, name=n, team="", team_color="000000", grid_position=g,
                pit_lane_start=n in pit_lane,
            )
            for g, n in enumerate(numbers, 1)
        ]  # fmt: skip
        self.race = Race.of(entries)
        self.race.set_reference_line(self.length)
        self.now = 0
        self.at = {n: -8.0 * g for g, n in enumerate(numbers, 1)}
        self.speed = dict.fromkeys(numbers, 0.0)
        info = SessionInfo(
            session_time_ms=0, name="Race", type="Race", meeting="", location="", country_code="", circuit="",
            total_laps=laps, t0_utc_ms=0, start_ms=0, source="test",
        )  # fmt: skip
        self.apply(info)
        self.drive(1)

    def apply(self, *messages: Message) -> None:
        for message in messages:
            apply_message(self.race, message)

    def status(self, status: str) -> None:
        self.apply(SessionStatus(session_time_ms=self.now, status=status))  # type: ignore[arg-type]

    def start(self, **speeds: float) -> None:
        self.status("Started")
        self.speed.update({n.removeprefix("c"): v for n, v in speeds.items()} or dict.fromkeys(self.speed, KMH))

    def drive(self, seconds: float) -> None:
        for _ in range(round(seconds * 1000 / STEP_MS)):
            self.now += STEP_MS
            for number, car in self.race.cars.items():
                self.at[number] += self.speed[number] / 3.6 * STEP_MS / 1000
                s = self.at[number] % self.length
                apply_sample(self.race, car, self.now, s, 1.0 + s, 1.0, self.speed[number])
            apply_time(self.race, self.now)

    def lap(self, number: str, lap: int, end_ms: int, ms: int | None, *, deleted: bool = False) -> None:
        update = LapUpdate(
            emitted_ms=self.now, lap_number=lap, end_ms=end_ms, lap_time_ms=ms, compound=None, tyre_life=None,
            speed_st=None, deleted=deleted, official=True,
        )  # fmt: skip
        apply_lap(self.race, self.race.cars[number], update)
        apply_time(self.race, self.now)


def test_before_the_start_the_order_is_the_grid() -> None:
    assert Oval("3", "1", "2").race.order == ["3", "1", "2"]


def test_faster_car_takes_the_lead_and_the_gap_is_time_at_the_same_place() -> None:
    oval = Oval("1", "2")
    oval.start(c1=170.0, c2=190.0)
    oval.drive(25)
    assert oval.race.order == ["2", "1"]
    behind_m = oval.race.cars["1"].line * oval.length / LINES
    apart_s = (behind_m + 8) / (170 / 3.6) - (behind_m + 16) / (190 / 3.6)
    assert oval.race.gaps["1"].ms == pytest.approx(apart_s * 1000, abs=30)


def test_pit_lane_starter_is_last_until_it_moves() -> None:
    oval = Oval("1", "2", "9", pit_lane=("9",))
    oval.at["9"] = 60.0  # the pit exit lies beyond the finish line
    oval.race.set_reference_line(oval.length)
    oval.drive(1)
    oval.start(c1=KMH, c2=KMH)
    oval.drive(1.6)
    assert oval.race.order == ["1", "2", "9"]


def test_aborted_start_is_no_start() -> None:
    oval = Oval("1", "2")
    oval.start()
    oval.drive(4)
    oval.apply(RaceControl(session_time_ms=oval.now, category="Other", message="ABORTED START"))
    oval.drive(60)
    assert oval.race.started_ms is None
    assert oval.race.lap == 0
    oval.status("Started")
    assert oval.race.started_ms == oval.now


def test_suspension_pauses_gaps_and_its_tyre_changes_are_no_stops() -> None:
    oval = Oval("1", "2", laps=9)
    oval.start(c1=KMH, c2=KMH - 5)
    oval.drive(20)
    oval.status("Aborted")
    frozen = oval.race.gaps["2"]
    oval.apply(PitIn(session_time_ms=oval.now, driver_number="1", lap=1))
    oval.drive(5)
    assert oval.race.gaps["2"] == frozen
    oval.apply(
        TyreChange(session_time_ms=oval.now, driver_number="1", lap=2, compound="HARD", tyre_life=0, fresh=True),
        PitOut(session_time_ms=oval.now, driver_number="1", lap=1),
    )
    oval.status("Started")
    oval.drive(5)
    assert oval.race.gaps["2"] != frozen
    assert oval.race.cars["1"].stops() == []
    assert oval.race.cars["1"].compound == "HARD"


def test_stop_has_its_time_in_the_pit_lane_and_standing() -> None:
    oval = Oval("1", laps=9)
    oval.start()
    oval.drive(5)
    oval.apply(PitIn(session_time_ms=oval.now, driver_number="1", lap=1))
    oval.drive(4)
    oval.speed["1"] = 0.0
    oval.drive(3)
    oval.speed["1"] = 80.0
    oval.drive(4)
    oval.apply(
        PitOut(session_time_ms=oval.now, driver_number="1", lap=2),
        TyreChange(session_time_ms=oval.now, driver_number="1", lap=2, compound="SOFT", tyre_life=2, fresh=False),
    )
    (stop,) = oval.race.cars["1"].stops()
    assert (stop.out_ms or 0) - stop.in_ms == 11_000
    assert stop.stationary_ms == pytest.approx(3_000, abs=STEP_MS)


def test_lapped_car_has_laps_and_seconds_and_unlaps_itself() -> None:
    oval = Oval("1", "2", laps=None)
    oval.start(c1=250.0, c2=100.0)
    oval.drive(120)
    gap = oval.race.gaps["2"]
    assert gap.laps >= 1
    assert 0 <= (gap.ms or 0) < oval.length / (100 / 3.6) * 1000
    oval.speed.update({"1": 50.0, "2": 300.0})
    oval.drive(gap.laps * oval.length / (200 / 3.6))
    assert oval.race.gaps["2"].laps < gap.laps


def test_flag_lets_everybody_finish_the_lap_and_then_holds_the_order() -> None:
    oval = Oval("1", "2", "3", laps=1)
    oval.start(c1=KMH, c2=KMH - 4, c3=60.0)
    oval.drive(oval.length / (KMH / 3.6) + 0.6)
    assert oval.race.cars["1"].finished
    assert not oval.race.cars["2"].finished
    oval.speed.update({"1": 20.0, "2": KMH})
    oval.drive(30)
    assert oval.race.cars["2"].finished
    assert oval.race.order[:2] == ["1", "2"], "car 2 has overtaken on the lap after the flag"
    assert not oval.race.cars["3"].finished


def test_car_that_stops_is_retired_by_the_rule_and_drops_below_running_ones() -> None:
    oval = Oval("1", "2", laps=None)
    oval.start(c1=0.0, c2=KMH)
    oval.drive(SILENT_MS / 1000 + 5)
    assert oval.race.cars["1"].retired
    assert oval.race.order == ["2", "1"]
    assert oval.race.gaps["1"].ms is None


def test_deleted_lap_gives_the_fastest_lap_away_and_takes_it_back_when_reinstated() -> None:
    oval = Oval("1", "2", laps=9)
    oval.start()
    oval.lap("1", 1, 90_000, 80_000)
    oval.lap("2", 1, 91_000, 81_000)
    assert oval.race.bests.fastest() == ("1", 1, 80_000)
    oval.lap("1", 1, 90_000, 80_000, deleted=True)
    assert oval.race.bests.fastest() == ("2", 1, 81_000)
    oval.lap("1", 1, 90_000, 80_000)
    assert oval.race.bests.fastest() == ("1", 1, 80_000)


def test_revision_of_an_old_lap_changes_neither_count_nor_place() -> None:
    oval = Oval("1", "2", laps=9)
    oval.start()
    oval.drive(2.5 * oval.length / (KMH / 3.6))
    lines = {number: car.line for number, car in oval.race.cars.items()}
    oval.lap("2", 1, 40_000, 38_000)
    oval.lap("2", 1, 40_500, 38_500)
    assert {number: car.line for number, car in oval.race.cars.items()} == lines


def test_a_restored_race_continues_with_the_same_frames() -> None:
    oval = Oval("1", "2", laps=9)
    oval.start(c1=KMH, c2=KMH + 7)
    oval.drive(20)
    frames = FrameBuilder(oval.race)
    frames.frame(oval.now)
    keyframe = frames.keyframe
    read = Oval("1", "2", laps=9)
    read.race, read.now, read.at, read.speed = Race.load(oval.race.dump()), oval.now, dict(oval.at), oval.speed
    again = FrameBuilder(read.race, keyframe)
    for _ in range(30):
        oval.drive(0.2)
        read.drive(0.2)
        assert again.frame(read.now) == frames.frame(oval.now)
