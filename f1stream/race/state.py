"""What the rules know of a race: plain values, the value of a table.

No clock and no I/O. ``f1stream.race.race`` applies facts to it; ``crossings`` and ``ranking`` follow from them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import PlainSerializer

from f1stream.race.bests import Bests
from f1stream.race.bulletins import Bulletins
from f1stream.race.car import Car
from f1stream.race.colours import Colours
from f1stream.race.columns import Columns
from f1stream.race.mini_sectors import MiniSectors
from f1stream.race.order import Distance
from f1stream.race.penalties import Case
from f1stream.race.pit_lane import PitLane
from f1stream.race.pit_loss import Condition
from f1stream.race.places import Compared, Places
from f1stream.race.timed import Parts
from models.frame import PitLoss

Numbers = Annotated[set[str], PlainSerializer(sorted)]
"""Cars. A set's own order differs between processes; the same race has the same dump in all."""

OrderSource = Literal["lines", "feed", "result"]
"""What a race's order is by: the timing lines crossed; the feed's positions, while no car is measured; the feed's
positions at the end, which are the result."""


@dataclass(slots=True)
class State:
    """The state of one race. With ``official`` off, official times neither correct nor count."""

    cars: dict[str, Car]
    official: bool = True
    places: Places | None = None
    total_laps: int | None = None
    parts: Parts | None = None
    """Of a practice or qualifying, in which the order is by best lap; None in a race."""
    status: str = "Inactive"
    started_ms: int | None = None
    suspended: bool = False
    resumed_ms: int = 0
    heard_ms: int = -1
    """The last sign of life of any car."""
    flag_ms: int | None = None
    """When the leader took the chequered flag."""
    bulletins: Bulletins = field(default_factory=Bulletins)
    cases: tuple[Case, ...] = ()
    """Before the stewards; replaced, never changed in place."""
    conditions: list[tuple[int, Condition]] = field(default_factory=list)
    """(session time, what it was from then on)."""
    pit_loss: tuple[PitLoss, ...] = ()
    stops_told: bool = False
    """A fact that can change ``pit_loss`` has come since it was last computed."""
    mini_sectors: MiniSectors = field(default_factory=MiniSectors)
    """Where cars are as long as there is no line to find their positions on."""
    colours: Colours = field(default_factory=Colours)
    pit_lane: PitLane = field(default_factory=PitLane)
    bests: Bests = field(default_factory=Bests)
    order: list[str] = field(default_factory=list)
    order_by: OrderSource = "lines"
    placed_ms: int = -1
    """When the feed last changed a car's position."""
    put_back: list[str] = field(default_factory=list)
    """Cars that the feed's result has further down than their times at the finish line: the official result wins."""
    gaps: dict[str, Distance] = field(default_factory=dict)
    """By car: behind the leader, at the last line that it crossed."""
    intervals: dict[str, Distance] = field(default_factory=dict)
    """By car: behind the car ahead."""
    columns: Columns = field(default_factory=Columns)
    laps_led: int = 0
    """The most laps that any car has completed."""
    moved: Numbers = field(default_factory=set)
    """Cars that crossed a line (or did so after all, or will no more) since order and gaps were last settled."""
    touched: Numbers = field(default_factory=set)
    """Cars of which anything but place and distance has changed since the last frame."""
    compared: list[Compared] = field(default_factory=list)
    """Measured against official times since the last frame: how good the measuring is."""
    gap_errors: list[int] = field(default_factory=list)
    """Measured gap to the leader minus the feed's (ms), for each gap that the feed has published since then."""

    @property
    def lap(self) -> int:
        """The lap the leader is on: 0 before the start or where the order is by time, the last one after the flag."""
        if self.started_ms is None or self.parts is not None:
            return 0
        if self.flag_ms is not None and any(car.finished for car in self.cars.values()):
            return self.laps_led
        return min(self.laps_led + 1, self.total_laps) if self.total_laps else self.laps_led + 1
