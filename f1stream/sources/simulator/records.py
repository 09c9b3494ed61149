"""A simulated race as lap records and messages, as the feed would have published them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from f1stream.sources.simulator.circuit import SPEED_TRAP_M
from f1stream.sources.simulator.feed import SimulatedFeed
from f1stream.sources.simulator.pit_lane import TyreFitting
from f1stream.sources.simulator.simulation import RETIREMENT_DELAY_S, RaceSimulation
from f1stream.sources.simulator.trace import Trace
from f1stream.sources.simulator.truth import Truth
from models import (
    Entries,
    Lap,
    LapCount,
    Message,
    PitIn,
    PitOut,
    Retirement,
    SectorTime,
    SessionInfo,
    Track,
    TyreChange,
    Weather,
)

GMT_OFFSET_MS = 3_600_000
"""The circuit's time zone is an hour ahead of UTC."""
INFO_BEFORE_START_MS = 20_000
"""The session information is published this long before lights out, ms."""


@dataclass(frozen=True)
class PitTimes:
    """Session times (ms) at which a car entered and left the pit lane, by lap."""

    entered: dict[int, int]
    left: dict[int, int]


def pit_times(race: RaceSimulation, trace: Trace, feed: SimulatedFeed, car: int) -> PitTimes:
    """A car's visits to the pit lane, including a start from it and suspensions."""
    times = PitTimes({}, {})
    for visit in race.pits.visits:
        if visit.car != car:
            continue
        entered = trace.crossing(car, visit.entry) if visit.lap else None
        left = trace.crossing(car, visit.exit)
        if entered is not None:
            times.entered[visit.lap] = feed.ms(entered)
        if left is not None:
            times.left[visit.lap + 1] = feed.ms(left)
    return times


def laps_of(race: RaceSimulation, truth: Truth, feed: SimulatedFeed) -> list[Lap]:
    """All completed laps, ordered by their end."""
    position = {
        (number, lap): place
        for lap, order in enumerate(truth.order_by_lap, 1)
        for place, number in enumerate(order, 1)
    }
    laps = [lap for car in range(len(race.drivers)) for lap in _laps_of_car(race, truth, feed, car, position)]
    return sorted(laps, key=lambda lap: (lap.end_ms, lap.position))


def _laps_of_car(
    race: RaceSimulation, truth: Truth, feed: SimulatedFeed, car: int, position: dict[tuple[str, int], int]
) -> list[Lap]:
    driver, trace, length = race.drivers[car], truth.trace, race.circuit.length
    number = driver.number
    pits = pit_times(race, trace, feed, car)
    fits = [fit for fit in race.pits.fittings if fit.car == car]
    best: int | None = None
    laps = []
    start = feed.start_ms
    for lap, end_exact in enumerate(truth.lap_end_ms[number], 1):
        end = round(end_exact)
        first, second = (round(ends[number][lap - 1]) for ends in (truth.sector1_end_ms, truth.sector2_end_ms))
        stint = sum(fit.lap <= lap for fit in fits)
        fit = fits[stint - 1]
        pit_in, pit_out = pits.entered.get(lap), pits.left.get(lap)
        status = _status_during(feed, start, end)
        is_best = lap > 1 and (best is None or end - start < best)
        best = end - start if is_best else best
        crossing_speed = [
            _speed_at(trace, car, (lap - 1) * length + place)
            for place in (length / 3, 2 * length / 3, length, SPEED_TRAP_M)
        ]
        laps.append(
            Lap(
                driver=driver.entry.tla, driver_number=number, team=driver.entry.team,
                lap_number=lap, end_ms=end, lap_time_ms=end - start,
                pit_out_ms=pit_out, pit_in_ms=pit_in,
                sector1_ms=first - start if lap > 1 else None,
                sector2_ms=second - first, sector3_ms=end - second,
                sector1_end_ms=first, sector2_end_ms=second, sector3_end_ms=end,
                start_ms=start,
                start_utc=datetime.fromtimestamp((feed.t0_utc_ms + start) / 1000, UTC),
                stint=stint, tyre_life=fit.tyres.life + lap - fit.lap + 1, position=position[number, lap],
                speed_i1=crossing_speed[0], speed_i2=crossing_speed[1],
                speed_fl=None if pit_in is not None else crossing_speed[2], speed_st=crossing_speed[3],
                compound=fit.tyres.compound, track_status=status, is_personal_best=is_best,
                fresh_tyre=fit.tyres.life == 0, deleted=False, deleted_reason=None, generated=False,
                is_accurate=lap > 1 and pit_in is None and pit_out is None and status == "1",
            )
        )  # fmt: skip
        start = end
    return laps


def _speed_at(trace: Trace, car: int, progress: float) -> int | None:
    t = trace.crossing(car, progress)
    return None if t is None else round(float(trace.speed_at(np.array([t]), car)[0]) * 3.6)


def _status_during(feed: SimulatedFeed, begin_ms: int, end_ms: int) -> str:
    """The track status codes of a time span, each once, in order."""
    codes = "1"
    for t, status in feed.statuses:
        at = feed.ms(t)
        if at <= begin_ms:
            codes = status
        elif at < end_ms and status not in codes:
            codes += status
    return codes


def messages_of(
    race: RaceSimulation, truth: Truth, feed: SimulatedFeed, laps: list[Lap], source: str, rng: np.random.Generator
) -> list[Message]:
    """All messages, ordered by time, including those of race control in ``feed``."""
    begin, end = feed.start_ms - INFO_BEFORE_START_MS, feed.ms(truth.trace.end_s)
    opening: list[Message] = [
        SessionInfo(
            session_time_ms=begin, name="Race", type="Race", meeting="Simulated Grand Prix", location="Halvard",
            country_code="SIM", circuit=race.circuit.name, total_laps=race.laps, t0_utc_ms=feed.t0_utc_ms,
            start_ms=begin, source=source, simulated=True, gmt_offset_ms=GMT_OFFSET_MS,
        ),
        Entries(session_time_ms=begin, entries=[driver.entry for driver in race.drivers]),
        Track(
            session_time_ms=begin, outline=race.circuit.outline(), corners=race.circuit.corner_points(),
            marshal_sectors=race.circuit.marshal_sector_points(),
        ),
    ]  # fmt: skip
    messages: list[Message] = [*feed.messages, *_lap_counts(race, truth, feed), *_weather(begin, end, rng)]
    for car in range(len(race.drivers)):
        messages += _car_messages(race, truth, feed, car)
    messages += _sector_times(race, truth, laps)
    for retired in race.retired_cars:
        at = min(feed.ms(retired.t + RETIREMENT_DELAY_S), end)
        messages.append(Retirement(session_time_ms=at, driver_number=race.drivers[retired.car].number))
    return [*opening, *sorted(messages, key=lambda message: message.session_time_ms)]


def _lap_counts(race: RaceSimulation, truth: Truth, feed: SimulatedFeed) -> list[LapCount]:
    starts = [feed.start_ms]
    starts += [round(truth.lap_end_ms[order[0]][lap]) for lap, order in enumerate(truth.order_by_lap) if order]
    return [
        LapCount(session_time_ms=at, lap=lap, total_laps=race.laps) for lap, at in enumerate(starts[: race.laps], 1)
    ]


def _car_messages(race: RaceSimulation, truth: Truth, feed: SimulatedFeed, car: int) -> list[Message]:
    """A car's pit and tyre messages; a tyre change is published when the car leaves the pit lane."""
    number = race.drivers[car].number
    pits = pit_times(race, truth.trace, feed, car)
    messages: list[Message] = []
    messages += [PitIn(session_time_ms=at, driver_number=number, lap=lap) for lap, at in pits.entered.items()]
    messages += [PitOut(session_time_ms=at, driver_number=number, lap=lap) for lap, at in pits.left.items()]
    for fit in race.pits.fittings:
        if fit.car == car:
            messages.append(_tyre_change(fit, number, feed.start_ms if fit.visit is None else pits.left[fit.lap]))
    return messages


def _tyre_change(fit: TyreFitting, number: str, at: int) -> TyreChange:
    return TyreChange(
        session_time_ms=at, driver_number=number, lap=fit.lap, compound=fit.tyres.compound,
        tyre_life=fit.tyres.life, fresh=fit.tyres.life == 0,
    )  # fmt: skip


def _sector_times(race: RaceSimulation, truth: Truth, laps: list[Lap]) -> list[SectorTime]:
    """Sector times of completed laps, and those that a retired car set on its last lap."""
    times = []
    completed: dict[str, int] = defaultdict(int)
    last_end: dict[str, int] = {}
    for lap in laps:
        completed[lap.driver_number] = lap.lap_number
        last_end[lap.driver_number] = lap.end_ms
        for sector, end, time in (
            (1, lap.sector1_end_ms, lap.sector1_ms), (2, lap.sector2_end_ms, lap.sector2_ms),
            (3, lap.end_ms, lap.sector3_ms),
        ):  # fmt: skip
            if end is not None:
                times.append(_sector_time(lap.driver_number, lap.lap_number, sector, end, time))
    for number in (race.drivers[retired.car].number for retired in race.retired_cars):
        lap_number, end = completed[number], last_end.get(number)
        for sector, ends in ((1, truth.sector1_end_ms[number]), (2, truth.sector2_end_ms[number])):
            if len(ends) > lap_number:
                at = round(ends[lap_number])
                times.append(_sector_time(number, lap_number + 1, sector, at, None if end is None else at - end))
                end = at
    return times


def _sector_time(number: str, lap: int, sector: int, at: int, time_ms: int | None) -> SectorTime:
    return SectorTime.model_validate(
        {"session_time_ms": at, "driver_number": number, "lap": lap, "sector": sector, "time_ms": time_ms}
    )


def _weather(begin: int, end: int, rng: np.random.Generator) -> list[Weather]:
    """Weather once a minute, which changes slowly."""
    times = range(begin, end + 1, 60_000)
    drift = np.cumsum(rng.normal(0.0, 0.08, (len(times), 5)), axis=0)
    base = np.array([22.5, 34.0, 48.0, 1011.0, 2.2]) + rng.normal(0.0, 1.0, 5) * (3.0, 5.0, 8.0, 4.0, 0.6)
    wind = rng.uniform(0.0, 360.0)
    return [
        Weather(
            session_time_ms=at, air_temp=round(float(air), 1), track_temp=round(float(track), 1),
            humidity=round(float(humidity), 0), pressure=round(float(pressure), 1), rainfall=False,
            wind_direction=round((wind + 20.0 * float(speed)) % 360.0), wind_speed=round(abs(float(speed)), 1),
        )
        for at, (air, track, humidity, pressure, speed) in zip(times, base + drift, strict=True)
    ]  # fmt: skip
