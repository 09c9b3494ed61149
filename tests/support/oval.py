"""A small race driven by hand: a lap of 1,200 m at 20 m/s is a minute, and a timing line comes every second."""

from __future__ import annotations

from f1stream.race.car_facts import apply_lap
from f1stream.race.crossings import apply_sample
from f1stream.race.frames import FrameBuilder
from f1stream.race.session_facts import apply_message
from f1stream.race.state import Race
from models import Entry, Frame, LapCount, LapUpdate, Message, PitIn, PitOut, SessionStatus, TyreChange
from models.frame import FRAME_MS

LAP_M = 1_200.0
LAP_MS = 60_000
SPEED = 72.0
"""km/h."""
SAMPLE_MS = 100
GRID_SLOT_M = 10.0
MEASURED_MS = 60
"""Tolerance: crossings are interpolated between samples, and cars reach their speed at once."""


class Oval:
    """Cars on their grid, in the order named; each stands until ``drive``."""

    def __init__(self, *numbers: str, official: bool = True, pit_lane_start: tuple[str, ...] = ()) -> None:
        entries = [
            Entry(driver_number=n, tla=n, name=n, team="T", team_color="ffffff", grid_position=i,
                  pit_lane_start=n in pit_lane_start)
            for i, n in enumerate(numbers, 1)
        ]  # fmt: skip
        self.race = Race.of(entries, official)
        self.race.set_reference_line(LAP_M)
        self.frames = FrameBuilder(self.race)
        self.made: list[Frame] = []
        self.now = 0
        self.metres = {n: -GRID_SLOT_M * i for i, n in enumerate(numbers, 1)}
        self.speed = dict.fromkeys(numbers, 0.0)
        self.silent: set[str] = set()

    def apply(self, message: Message) -> None:
        apply_message(self.race, message)

    def status(self, status: str) -> None:
        self.apply(SessionStatus.model_validate({"session_time_ms": self.now, "status": status}))

    def start(self, settled_s: float = 1.0) -> None:
        """The cars stand on the grid for ``settled_s``; then the race starts, and all drive."""
        self.go(settled_s)
        self.status("Started")
        self.drive(*self.speed)

    def drive(self, *numbers: str, speed: float = SPEED) -> None:
        for number in numbers:
            self.speed[number] = speed

    def go(self, seconds: float) -> None:
        """Pass session time: samples, and a frame every 200 ms."""
        for _ in range(round(seconds * 1_000 / SAMPLE_MS)):
            self.now += SAMPLE_MS
            for number, speed in self.speed.items():
                self.metres[number] += speed / 3.6 * SAMPLE_MS / 1_000
                if number not in self.silent:
                    self.sample(number)
            if self.now % FRAME_MS == 0:
                self.made.append(self.frames.frame(self.now))

    def sample(self, number: str) -> None:
        at = self.metres[number] % LAP_M
        apply_sample(self.race, self.race.cars[number], self.now, at, 10 + at, 20.0, self.speed[number])

    def ends_lap(
        self, number: str, lap: int, end_ms: int | None = None, ms: int | None = LAP_MS, deleted: bool = False
    ) -> None:
        """The official record of a lap, known now."""
        apply_lap(self.race, 
            self.race.cars[number],
            LapUpdate(
                emitted_ms=self.now, lap_number=lap, end_ms=self.now if end_ms is None else end_ms, lap_time_ms=ms,
                compound=None, tyre_life=None, speed_st=None, deleted=deleted, official=True,
            ),
        )  # fmt: skip

    def stop(self, number: str, stands_s: float = 3.0, tyres: str | None = "HARD") -> None:
        """A pit stop at once, where the car is; ``tyres``: the new set, None for none."""
        lap = self.race.cars[number].lap + 1
        self.apply(PitIn(session_time_ms=self.now, driver_number=number, lap=lap))
        self.drive(number, speed=0)
        self.go(stands_s)
        self.drive(number)
        if tyres is not None:
            self.apply(TyreChange(session_time_ms=self.now, driver_number=number, lap=lap + 1, compound=tyres,
                                  tyre_life=0, fresh=True))  # fmt: skip
        self.apply(PitOut(session_time_ms=self.now, driver_number=number, lap=lap))

    def set_total_laps(self, laps: int) -> None:
        self.apply(LapCount(session_time_ms=self.now, lap=1, total_laps=laps))

    def shown_status(self, number: str) -> str:
        """As in a frame."""
        return self.frames._status(self.race.cars[number])
