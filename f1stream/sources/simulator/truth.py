"""The exact facts of a simulated race, to compare the stream's results with."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from f1stream.sources.simulator.circuit import Floats
from f1stream.sources.simulator.simulation import RaceSimulation
from f1stream.sources.simulator.trace import Trace


@dataclass(frozen=True)
class StopTruth:
    """A change of tyres in the pit lane, at a stop or during a suspension. Session times in ms."""

    driver_number: str
    lap: int
    """The lap on which the car came in."""
    pit_in_ms: float
    pit_out_ms: float
    stationary_ms: float
    old_compound: str
    new_compound: str


@dataclass(frozen=True)
class RetirementTruth:
    """A retired car, which stopped at ``stopped_ms`` on lap ``lap``."""

    driver_number: str
    lap: int
    stopped_ms: float
    progress_m: float
    in_pits: bool


@dataclass(frozen=True)
class Period:
    """A period of virtual safety car, safety car or red flag. Session times in ms."""

    kind: str
    begin_ms: float
    end_ms: float


@dataclass
class Truth:
    """Session times in ms, not rounded; lists by lap begin with lap 1; cars by driver number."""

    session_key: str
    start_ms: int
    track_length_m: float
    laps: int
    grid: list[str]
    pit_lane_start: list[str]
    start_progress_m: dict[str, float]
    """Each car's position before the start, m relative to the finish line."""
    order: list[str]
    """At the flag: by laps, then by time; then the retired cars, the farthest first."""
    finish_ms: dict[str, float]
    """When each finisher took the flag."""
    lap_end_ms: dict[str, list[float]]
    """When each car crossed the finish line at the end of each lap, on the track or in the pit lane."""
    sector1_end_ms: dict[str, list[float]]
    """Of every lap begun: a retired car can have one more than it has laps."""
    sector2_end_ms: dict[str, list[float]]
    order_by_lap: list[list[str]]
    """For each lap, the cars that completed it, in that order."""
    stops: list[StopTruth]
    suspension_tyre_changes: list[StopTruth]
    """Changes under a red flag, which are not stops."""
    retirements: list[RetirementTruth]
    periods: list[Period]
    trace: Trace = field(repr=False)
    """Not part of the JSON."""

    def gap_ms(self, driver_number: str, lap: int) -> float:
        """Gap to the first car that completed a lap. Raises KeyError if this car did not complete it."""
        ends = self.lap_end_ms[driver_number]
        if not 1 <= lap <= len(ends):
            raise KeyError(f"Car {driver_number} did not complete lap {lap}.")
        first = self.order_by_lap[lap - 1][0]
        return ends[lap - 1] - self.lap_end_ms[first][lap - 1]

    def progress_m(self, driver_number: str, session_time_ms: npt.ArrayLike) -> Floats:
        """A car's progress at session times, m since the finish line at the start."""
        t = (np.asarray(session_time_ms, dtype=np.float64) - self.start_ms) / 1000
        return self.trace.progress_at(t, self.grid.index(driver_number))

    def speed_kmh(self, driver_number: str, session_time_ms: npt.ArrayLike) -> Floats:
        """A car's speed at session times, km/h: the derivative of its progress."""
        t = (np.asarray(session_time_ms, dtype=np.float64) - self.start_ms) / 1000
        return self.trace.speed_at(t, self.grid.index(driver_number)) * 3.6

    def to_json(self) -> dict[str, Any]:
        """All but the trace as plain values, with the gaps to each lap's leader."""
        plain: dict[str, Any] = {
            "gap_ms": {
                number: [self.gap_ms(number, lap) for lap in range(1, len(ends) + 1)]
                for number, ends in self.lap_end_ms.items()
            }
        }
        for name in (each.name for each in fields(self) if each.name != "trace"):
            value = getattr(self, name)
            is_records = isinstance(value, list) and value and not isinstance(value[0], str | list)
            plain[name] = [asdict(each) for each in value] if is_records else value
        return plain


def truth_of(race: RaceSimulation, trace: Trace, session_key: str, start_ms: int) -> Truth:
    """Derive the truth from a finished simulation."""
    numbers = [driver.number for driver in race.drivers]
    length = race.circuit.length

    def ms(t: float) -> float:
        return start_ms + t * 1000

    def crossings(car: int, offset: float, count: int) -> list[float]:
        times = [trace.crossing(car, lap * length + offset) for lap in range(count)]
        return [ms(t) for t in times if t is not None]

    done = [int(trace.progress[-1, car] // length) for car in range(len(numbers))]
    begun = [laps + int(race.stopped[car]) for car, laps in enumerate(done)]
    lap_end = {number: crossings(car, length, max(done[car], 0)) for car, number in enumerate(numbers)}
    completed = [
        sorted((number for number in numbers if len(lap_end[number]) >= lap), key=lambda n: lap_end[n][lap - 1])
        for lap in range(1, race.laps + 1)
    ]
    finishers = [car for car in range(len(numbers)) if race.finished[car]]
    finishers.sort(key=lambda car: (-done[car], lap_end[numbers[car]][-1]))
    lost = sorted((retired for retired in race.retired_cars), key=lambda retired: -retired.progress)
    stops, changes = _tyre_changes(race, trace, start_ms)
    return Truth(
        session_key=session_key,
        start_ms=start_ms,
        track_length_m=length,
        laps=race.laps,
        grid=numbers,
        pit_lane_start=[driver.number for driver in race.drivers if driver.entry.pit_lane_start],
        start_progress_m={number: float(trace.progress[0, car]) for car, number in enumerate(numbers)},
        order=[numbers[car] for car in finishers] + [numbers[retired.car] for retired in lost],
        finish_ms={numbers[car]: lap_end[numbers[car]][-1] for car in finishers},
        lap_end_ms=lap_end,
        sector1_end_ms={n: crossings(car, length / 3, begun[car]) for car, n in enumerate(numbers)},
        sector2_end_ms={n: crossings(car, 2 * length / 3, begun[car]) for car, n in enumerate(numbers)},
        order_by_lap=completed,
        stops=stops,
        suspension_tyre_changes=changes,
        retirements=[
            RetirementTruth(
                numbers[retired.car],
                max(int(retired.progress // length) + 1, 1),
                ms(retired.t),
                retired.progress,
                retired.in_pits,
            )
            for retired in race.retired_cars
        ],
        periods=[Period(kind, ms(begin), ms(end)) for kind, begin, end in race.director.periods],
        trace=trace,
    )


def _tyre_changes(race: RaceSimulation, trace: Trace, start_ms: int) -> tuple[list[StopTruth], list[StopTruth]]:
    """The changes at stops, and those under a red flag."""
    found: dict[str, list[StopTruth]] = {"stop": [], "suspension": []}
    compound = [tyres.compound for tyres in race.plan.start_tyres]
    for fit in race.pits.fittings:
        visit = fit.visit
        if visit is None:
            continue
        begin, end = trace.crossing(fit.car, visit.entry), trace.crossing(fit.car, visit.exit)
        if begin is None or end is None:
            continue
        found[fit.why].append(
            StopTruth(
                driver_number=race.drivers[fit.car].number, lap=visit.lap,
                pit_in_ms=start_ms + begin * 1000, pit_out_ms=start_ms + end * 1000,
                stationary_ms=round(trace.standing_s(fit.car, begin, end) * 1000),
                old_compound=compound[fit.car], new_compound=fit.tyres.compound,
            )
        )  # fmt: skip
        compound[fit.car] = fit.tyres.compound
    return found["stop"], found["suspension"]
