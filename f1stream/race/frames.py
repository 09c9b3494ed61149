"""The race as frames: keyframes, which are complete, and deltas against the last keyframe."""

from __future__ import annotations

from typing import Any, Literal

from f1stream.race.car import Car, PitVisit
from f1stream.race.penalties import Case, order_with_penalties, penalties_of_car, unserved_ms
from f1stream.race.session_facts import apply_time
from f1stream.race.state import Race
from f1stream.race.tyres import stints
from models import CarState, Frame, RaceState
from models.frame import KEYFRAME_MS, CarStatus, FastestLap, Stop, Tally


class FrameBuilder:
    """Builds the frames of one race, one after the other."""

    def __init__(self, race: Race, keyframe: Frame | None = None) -> None:
        """``keyframe``: the last one built, when the race was restored from a checkpoint."""
        self._race = race
        self.keyframe = keyframe
        self._placed: dict[str, tuple[int, int, int, int | None]] = {}
        """By car: position, laps behind the leader and the car ahead, position with penalties."""
        self._cases: tuple[Case, ...] = ()
        """The cases that ``_placed`` is computed with."""
        self._states: dict[str, CarState] = {}
        """By car: complete, as of the last frame."""
        self._changed: dict[str, CarState] = {}
        """By car, in grid order: the fields that differ from the keyframe; likewise below for the session."""
        self._session: tuple[Any, ...] = ()
        self._session_changed = RaceState.model_construct()
        race.changed.update(race.cars)

    def frame(self, t: int, tally: Tally | None = None) -> Frame:
        """The frame at session time ``t`` (ms); all facts known by then are applied. ``tally``: only in the last."""
        race = self._race
        if apply_time(race, t) or not self._placed or self._cases is not race.cases:
            self._place()
        recoloured = race.recoloured - race.changed
        for number in race.changed:
            self._states[number] = self._car(race.cars[number])
        for number in recoloured:  # most changes are a mini-sector's colour and nothing else
            state = self._states[number].__dict__ | {"mini_sectors": race.colours.marks.get(number, "")}
            self._states[number] = CarState.model_construct(**state)
        if self.keyframe is None or t % KEYFRAME_MS == 0:
            cars = {number: self._states[number] for number in race.cars}
            self._changed.clear()
            self._session, self._session_changed = (), RaceState.model_construct()
            frame = self.keyframe = self._frame("key", t, cars, self._race_state(tally))
        else:
            for number in race.changed | recoloured:
                self._car_changed(number)
            self._race_changed(tally)
            frame = self._frame("delta", t, self._changed.copy(), self._session_changed)
        race.changed.clear()
        race.recoloured.clear()
        return frame

    def _frame(self, kind: Literal["key", "delta"], t: int, cars: dict[str, CarState], session: RaceState) -> Frame:
        columns = self._race.columns
        some: dict[str, Any] = {
            "along": self._along(t),
            "drs": [] if columns.drs.count(None) == len(columns.drs) else columns.drs.copy(),
        }
        return Frame.model_construct(
            kind=kind,
            t=t,
            key_t=t if self.keyframe is None or kind == "key" else self.keyframe.t,
            x=columns.x.copy(),
            y=columns.y.copy(),
            speed=columns.speed.copy(),
            age=[None if seen is None else t - seen for seen in columns.seen_ms],
            gap=columns.gap.copy(),
            interval=columns.interval.copy(),
            cars=cars,
            race=session,
            **{name: column for name, column in some.items() if column},
        )

    def _along(self, t: int) -> list[int | None]:
        """By car: the estimated share of its lap in 1/10,000; empty where positions are known."""
        race = self._race
        if race.timing_points is not None or not race.mini_sectors.ends:
            return []
        shares: list[int | None] = []
        for car in race.cars.values():
            is_off = car.in_pit or car.retired or car.eliminated
            share = None if is_off else race.mini_sectors.along(car.number, t)
            shares.append(None if share is None else int(share * 10_000))
        return shares

    def _place(self) -> None:
        race = self._race
        self._cases = race.cases
        with_penalties = self._with_penalties()
        for position, number in enumerate(race.order, 1):
            gap, interval = race.gaps[number], race.intervals[number]
            placed = (position, gap.laps, interval.laps, with_penalties.get(number))
            if self._placed.get(number) != placed:
                self._placed[number] = placed
                race.changed.add(number)

    def _with_penalties(self) -> dict[str, int]:
        """By car: its position if unserved time penalties were added; empty without any, and outside a race.

        The penalties of cars in ``put_back`` are not added: the result includes them.
        """
        race = self._race
        unserved = {} if race.parts is not None else unserved_ms(race.cases)
        unserved = {number: ms for number, ms in unserved.items() if number not in race.put_back}
        if unserved.keys().isdisjoint(race.cars):
            return {}
        retired = {car.number for car in race.cars.values() if car.retired}
        return {
            number: n for n, number in enumerate(order_with_penalties(unserved, race.order, race.gaps, retired), 1)
        }

    def _car_changed(self, number: str) -> None:
        assert self.keyframe is not None  # noqa: S101
        now, then = self._states[number].__dict__, self.keyframe.cars[number].__dict__
        changed = {name: value for name, value in now.items() if value is not then[name] and value != then[name]}
        if not changed:
            self._changed.pop(number, None)
            return
        is_new = number not in self._changed
        self._changed[number] = CarState.model_construct(**changed)
        if is_new:
            self._changed = {number: self._changed[number] for number in self._race.cars if number in self._changed}

    def _car(self, car: Car) -> CarState:
        position, laps_down, interval_laps, with_penalties = self._placed[car.number]
        best, timing = self._best(car), car.timing
        stops = car.stops()
        return CarState.model_construct(
            position=position,
            status=self._status(car),
            lap=car.lap,
            laps_down=laps_down,
            interval_laps=interval_laps,
            last_lap_ms=car.last_lap[1] if car.last_lap else None,
            last_lap_mark=self._race.bests.mark(car),
            best_lap_ms=best[0] if best else None,
            sectors=(car.sectors[0], car.sectors[1], car.sectors[2]),
            compound=car.compound,
            tyre_age=car.tyre_age(),
            stints=stints(car.driven_sets(), car.laps_driven),
            stops=len(stops) + car.stops_unseen(),
            pit_stops=tuple(_stop(stop) for stop in stops),
            speed_trap=car.speed_trap,
            mini_sectors=self._race.colours.marks.get(car.number, ""),
            official_gap_ms=timing.gap_ms if timing else None,
            official_gap_laps=timing.gap_laps if timing else None,
            official_interval_ms=timing.interval_ms if timing else None,
            official_interval_laps=timing.interval_laps if timing else None,
            penalties=penalties_of_car(self._race.cases, car.number),
            position_with_penalties=with_penalties,
        )

    def _best(self, car: Car) -> tuple[int, int] | None:
        """The car's best lap; in a qualifying that of the last part in which it has one."""
        bests = self._race.bests
        of_parts = (bests.best(car, part) for part in range(len(bests.began_ms) - 1, -1, -1))
        return bests.laps.get(car.number) or next((best for best in of_parts if best is not None), None)

    def _status(self, car: Car) -> CarStatus:
        if car.finished:
            return "finished"
        if car.eliminated:
            return "eliminated"
        if car.retired:
            return "retired"
        if car.in_pit:
            return "pit"
        if self._race.started_ms is not None:
            return "running"
        if self._race.parts is None:
            return "grid"
        return "pit" if car.timing is None else "running"

    def _race_changed(self, tally: Tally | None) -> None:
        race = self._race
        part = race.parts and (len(race.parts.entries), race.parts.goes_on)
        session = (race.status, race.suspended, race.started_ms, race.lap, race.total_laps, part,
                   race.broadcast.values(), race.bests.fastest(), race.pit_loss, tally,
                   race.timing_points and race.timing_points.sector_lines(), race.pit_lane.line, race.colours.counts,
                   race.colours.source)  # fmt: skip
        if session != self._session:
            assert self.keyframe is not None  # noqa: S101
            self._session = session
            now, then = self._race_state(tally).__dict__, self.keyframe.race.__dict__
            changed = {name: value for name, value in now.items() if value != then[name]}
            self._session_changed = RaceState.model_construct(**changed)

    def _race_state(self, tally: Tally | None) -> RaceState:
        race = self._race
        fastest = race.bests.fastest()
        parts, broadcast = race.parts, race.broadcast
        weather, clock = broadcast.weather, broadcast.clock
        return RaceState.model_construct(
            status=race.status,
            suspended=race.suspended,
            started_ms=race.started_ms,
            track_status=broadcast.track_status,
            track_message=broadcast.track_message,
            lap=race.lap,
            total_laps=race.total_laps,
            part=None if parts is None else len(parts.entries),
            goes_on=None if parts is None else parts.goes_on,
            clock_ms=None if clock is None else clock.remaining_ms,
            clock_at_ms=None if clock is None else clock.session_time_ms,
            clock_runs=clock is not None and clock.running,
            overtaking_aid=broadcast.overtaking and broadcast.overtaking[0],
            overtaking_enabled=broadcast.overtaking and broadcast.overtaking[1],
            notices=tuple(broadcast.notices.values()),
            fastest_lap=fastest and FastestLap(driver_number=fastest[0], lap=fastest[1], ms=fastest[2]),
            pit_loss=race.pit_loss,
            air_temp=None if weather is None else weather.air_temp,
            track_temp=None if weather is None else weather.track_temp,
            rainfall=None if weather is None else weather.rainfall,
            race_control=tuple(broadcast.race_control),
            yellow_sectors=tuple(broadcast.yellow),
            sector_lines=(None, None) if race.timing_points is None else race.timing_points.sector_lines(),
            pit_lane=tuple(race.pit_lane.line),
            mini_sectors=race.colours.counts,
            mini_source=race.colours.source,
            ended=tally is not None,
            tally=tally,
        )


def _stop(visit: PitVisit) -> Stop:
    return Stop.model_construct(
        lap=visit.lap,
        pit_lane_ms=None if visit.out_ms is None else visit.out_ms - visit.in_ms,
        stationary_ms=visit.stationary_ms or None,
    )
