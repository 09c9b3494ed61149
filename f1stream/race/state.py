"""The state of one race: everything that is known at a session time, as plain values.

The functions of ``session_facts``, ``car_facts``, ``crossings`` and ``ranking`` apply facts to it, in the order in
which the facts became known. Nothing in this package reads the wall clock or does I/O. The state is part of a
session's checkpoint: a restored race continues with the same frames.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field, PlainSerializer, TypeAdapter

from f1stream.race.bests import Bests
from f1stream.race.broadcast import BroadcastState
from f1stream.race.car import Car
from f1stream.race.columns import Columns
from f1stream.race.mini_sector_colours import MiniSectorColours
from f1stream.race.mini_sectors import MiniSectors
from f1stream.race.order import UNKNOWN, Distance
from f1stream.race.penalties import Case
from f1stream.race.pit_lane import PitLane
from f1stream.race.pit_loss import Condition
from f1stream.race.progress import Progress
from f1stream.race.timed import Parts
from f1stream.race.timing_points import MeasuredPassing, TimingPoints
from models import Entry
from models.frame import PitLoss

Numbers = Annotated[set[str], PlainSerializer(sorted)]
"""Car numbers. Sorted in a checkpoint: a set's order differs between processes, the bytes must not."""

OrderSource = Literal["lines", "feed", "result"]
"""What orders a race: the timing lines crossed; the feed's positions, while too few cars are measured; the feed's
positions after the end, which are the result."""


@dataclass(slots=True)
class Race:
    """One session, race or not. With ``official`` off, official times neither correct nor count.

    An alias is the field's name in checkpoints, which releases before and after this one read and write.
    """

    cars: dict[str, Car]
    official: bool = True
    timing_points: Annotated[TimingPoints | None, Field(alias="places")] = None
    """None while there is no reference line."""
    total_laps: int | None = None
    parts: Parts | None = None
    """The parts of a practice or qualifying, whose order is by best lap; None in a race."""
    status: str = "Inactive"
    """The feed's session status."""
    started_ms: int | None = None
    suspended: bool = False
    resumed_ms: int = 0
    """When the session last started or resumed: silences are counted from here."""
    heard_ms: int = -1
    """The last sign of life of any car."""
    flag_ms: int | None = None
    """When the leader took the chequered flag."""
    broadcast: Annotated[BroadcastState, Field(alias="bulletins")] = field(default_factory=BroadcastState)
    cases: tuple[Case, ...] = ()
    """Incidents and penalties before the stewards; replaced, never changed in place."""
    conditions: list[tuple[int, Condition]] = field(default_factory=list)
    """(session time, condition from then on)."""
    pit_loss: tuple[PitLoss, ...] = ()
    pit_loss_outdated: Annotated[bool, Field(alias="stops_told")] = False
    """A fact that can change ``pit_loss`` was applied since it was last computed."""
    mini_sectors: MiniSectors = field(default_factory=MiniSectors)
    """Estimates where cars are while there is no reference line."""
    colours: MiniSectorColours = field(default_factory=MiniSectorColours)
    pit_lane: PitLane = field(default_factory=PitLane)
    bests: Bests = field(default_factory=Bests)
    order: list[str] = field(default_factory=list)
    """Car numbers, first to last."""
    order_by: OrderSource = "lines"
    placed_ms: int = -1
    """When the feed last changed a car's position."""
    put_back: list[str] = field(default_factory=list)
    """Cars that the feed's result places further down than their times at the finish line: the result wins."""
    gaps: dict[str, Distance] = field(default_factory=dict)
    """By car: behind the leader, at the last line that it crossed."""
    intervals: dict[str, Distance] = field(default_factory=dict)
    """By car: behind the car ahead."""
    gaps_due_ms: dict[str, int] = field(default_factory=dict)
    """By car: the session time before which its gap and interval cannot grow; see ``f1stream.race.gaps``."""
    columns: Columns = field(default_factory=Columns)
    laps_led: int = 0
    """The most laps that any car has completed."""
    needs_ranking: Annotated[Numbers, Field(alias="moved")] = field(default_factory=set)
    """Cars whose place or gap may have changed since the last ranking: a line crossed, a crossing corrected."""
    changed: Annotated[Numbers, Field(alias="touched")] = field(default_factory=set)
    """Cars of which anything but place and gap has changed since the last frame."""
    recoloured: Annotated[Numbers, Field(exclude=True)] = field(default_factory=set)
    """Cars that ended a mini-sector, or lost the best time of one, since the last frame."""
    compared: list[MeasuredPassing] = field(default_factory=list)
    """Measured against official times since the last checkpoint, for the metric of the measuring error."""
    gap_errors: list[int] = field(default_factory=list)
    """Measured gap to the leader minus the feed's (ms), for each gap that the feed has published since then."""

    @classmethod
    def of(cls, entries: list[Entry], official: bool = True) -> Race:
        """A race before its start, ``entries`` in grid order."""
        cars = {e.driver_number: Car(e.driver_number, grid, waits=e.pit_lane_start) for grid, e in enumerate(entries)}
        race = cls(cars, official, order=list(cars), needs_ranking=set(cars), changed=set(cars))
        race.gaps, race.intervals = dict.fromkeys(cars, UNKNOWN), dict.fromkeys(cars, UNKNOWN)
        race.columns = Columns.of(len(cars))
        return race

    def dump(self) -> bytes:
        """As JSON."""
        return _RACE.dump_json(self, by_alias=True)

    @staticmethod
    def load(value: bytes) -> Race:
        """From ``dump``."""
        return _RACE.validate_json(value)

    @property
    def lap(self) -> int:
        """The lap the leader is on: 0 before the start or where the order is by time, the last one after the flag."""
        if self.started_ms is None or self.parts is not None:
            return 0
        if self.flag_ms is not None and any(car.finished for car in self.cars.values()):
            return self.laps_led
        return min(self.laps_led + 1, self.total_laps) if self.total_laps else self.laps_led + 1

    def set_reference_line(self, length_m: float) -> None:
        """Use a (new) reference line of ``length_m``: progress on it and its timing points start empty."""
        for car in self.cars.values():
            car.progress = Progress()
            car.seen_at.clear()
            car.passed_finish = None
            car.awaited.clear()
        self.timing_points = TimingPoints(length_m)
        self.colours.reset_lines()
        self.changed.update(self.cars)

    def enter(self, entries: list[Entry], at: int) -> None:
        """Add cars that join at session time ``at`` (ms): behind all others, without laps; also after the start."""
        for entry in entries:
            car = Car(entry.driver_number, len(self.cars), waits=entry.pit_lane_start)
            if self.started_ms is not None:
                car.start(at, self.timing_points)
            self.cars[car.number] = car
            self.order.append(car.number)
            self.gaps[car.number] = self.intervals[car.number] = UNKNOWN
            self.columns.add()
            self.needs_ranking.add(car.number)
            self.changed.add(car.number)


_RACE = TypeAdapter(Race)
