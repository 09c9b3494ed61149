"""A race at session time: everything that is known of it, one fact after the other.

Facts are applied in the order in which they became known. Nothing here asks for the wall clock or does I/O, and
the state is plain values: it is a table's value, and a race read back goes on as if nothing had happened.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import TypeAdapter

from f1stream.race import crossings, ranking, retirements
from f1stream.race.car import LINES, RETHINK, Car, Visit
from f1stream.race.columns import Columns
from f1stream.race.kept import AWAITED, COMPARED, CONDITIONS, stints_of_car
from f1stream.race.order import UNKNOWN
from f1stream.race.penalties import decided
from f1stream.race.pit_loss import OF_STATUS, pit_loss
from f1stream.race.places import FINISH, Place, Places
from f1stream.race.progress import Progress
from f1stream.race.state import State
from f1stream.race.timed import Parts
from models import (
    Entry,
    LapCount,
    LapUpdate,
    Message,
    MiniSector,
    PitIn,
    PitOut,
    RaceControl,
    Retirement,
    SectorTime,
    SessionInfo,
    SessionPart,
    SessionStatus,
    Timing,
    TrackStatus,
    TyreChange,
)
from models.session_start import start_after
from models.session_type import is_race


@dataclass(slots=True)
class Race(State):
    """One race: applies facts to its state. With ``official`` off, official times neither correct nor count."""

    @classmethod
    def of(cls, entries: list[Entry], official: bool = True) -> Race:
        """A race before its start, ``entries`` in grid order."""
        cars = {e.driver_number: Car(e.driver_number, grid, waits=e.pit_lane_start) for grid, e in enumerate(entries)}
        race = cls(cars, official, order=list(cars), moved=set(cars), touched=set(cars))
        race.gaps, race.intervals = dict.fromkeys(cars, UNKNOWN), dict.fromkeys(cars, UNKNOWN)
        race.columns = Columns.of(len(cars))
        return race

    def dump(self) -> bytes:
        """As a table's value."""
        return _RACE.dump_json(self)

    @staticmethod
    def load(value: bytes) -> Race:
        """From a table's value."""
        return _RACE.validate_json(value)

    def lay_line(self, places: Places) -> None:
        """A (new) reference line: every car will be found on it anew."""
        for car in self.cars.values():
            car.progress = Progress()
            car.seen_at.clear()
            car.passed_finish = None
            car.awaited.clear()
        self.places = places
        self.colours.lay_line()
        self.touched.update(self.cars)

    def enter(self, entries: list[Entry], at: int) -> None:
        """Cars that join at session time ``at`` (ms), maybe with the session on: behind all others, without laps."""
        for entry in entries:
            car = Car(entry.driver_number, len(self.cars), waits=entry.pit_lane_start)
            if self.started_ms is not None:
                car.starts(at, self.places)
            self.cars[car.number] = car
            self.order.append(car.number)
            self.gaps[car.number] = self.intervals[car.number] = UNKNOWN
            self.columns.add()
            self.moved.add(car.number)
            self.touched.add(car.number)

    # -- facts of the session --------------------------------------------------------------------------

    def tell(self, message: Message) -> None:
        """Apply one message."""
        self.bulletins.tell(message)
        if isinstance(message, SessionStatus | RaceControl):
            self._update_start(message)
        match message:
            case SessionInfo():
                self.total_laps = message.total_laps
                self.parts = None if is_race(message.type) else Parts()
            case TrackStatus():
                self.conditions.append((message.session_time_ms, OF_STATUS.get(message.status, "green")))
                del self.conditions[:-CONDITIONS]
                self.stops_told = True
            case LapCount():
                self.total_laps = message.total_laps
            case SessionPart():
                self._begin_part(message)
            case SessionStatus():
                self._session_status(message.status, message.session_time_ms)
            case RaceControl():
                self._stewards(message)
            case MiniSector() if message.driver_number in self.cars:
                self.colours.tell(message)
                self.touched.add(message.driver_number)
                if message.change == "passed":
                    crossings.mini_sector(self, self.cars[message.driver_number], message)
            case PitIn() | PitOut() | TyreChange() | SectorTime() | Retirement() | Timing():
                if (car := self.cars.get(message.driver_number)) is not None:
                    self.touched.add(car.number)
                    self._tell_of_car(car, message)
            case _:  # entries, track and end shape the stream of frames, not the race
                pass

    def _update_start(self, message: SessionStatus | RaceControl) -> None:
        started_ms = start_after(self.started_ms, message, first_lap_over=self.laps_led > 0)
        if started_ms == self.started_ms:
            return
        self.started_ms = started_ms
        for car in self.cars.values():
            if started_ms is not None:
                car.starts(started_ms, self.places)
                if car.timing is not None and car.timing.session_time_ms >= started_ms:
                    self._join_late(car, car.timing, is_first=True)
            else:  # aborted: what it drove since is no part of the race
                car.line = -1
                car.times.clear()

    def _stewards(self, message: RaceControl) -> None:
        before, self.cases = self.cases, decided(self.cases, message)
        if self.cases is not before:
            told = {number for case in (*before, *self.cases) for number in case.cars}
            self.touched.update(told & self.cars.keys())

    def _begin_part(self, message: SessionPart) -> None:
        if self.parts is None:
            return
        self.parts.goes_on = message.goes_on
        while message.part > len(self.parts.entries):
            self.parts.entries.append(message.entries if message.part == len(self.parts.entries) + 1 else None)
            self.bests.begin_part(list(self.cars.values()), message.session_time_ms)
            self.colours.begin()
        self.moved.update(self.cars)
        self.touched.update(self.cars)

    def _session_status(self, status: str, at: int) -> None:
        self.status = status
        self.moved.update(self.cars)
        self.touched.update(self.cars)
        if status == "Started":
            self.suspended, self.resumed_ms = False, at
        elif status == "Aborted" and self.started_ms is not None:
            self.suspended = True
            for car in self.cars.values():
                if car.in_pit and car.visits:
                    car.visits[-1].suspended = True
        elif status == "Finished" and self.parts is None and self.flag_ms is None and self.started_ms is not None:
            crossings.chequered(self, at)
            if self.suspended:  # it is not resumed: nobody drives to the flag
                crossings.finish(self)

    # -- facts of a car --------------------------------------------------------------------------------

    def _tell_of_car(self, car: Car, message: PitIn | PitOut | TyreChange | SectorTime | Retirement | Timing) -> None:
        at = message.session_time_ms
        self.stops_told |= isinstance(message, PitIn | PitOut | TyreChange)
        match message:
            case PitIn():
                retirements.lives(self, car, at)
                car.in_pit, car.led_at_pit_in, car.next_m = True, self.laps_led, RETHINK
                car.visits.append(Visit(message.lap, at, suspended=self.suspended))
                del car.visits[: -stints_of_car(len(self.cars))]
                self.colours.interrupt(car.number)
                self.pit_lane.enters(car.number)
            case PitOut():
                retirements.lives(self, car, at)
                car.in_pit, car.standing_from, car.next_m = False, None, RETHINK
                self.pit_lane.leaves(car.number)
                if self.started_ms is not None:  # before the start it was on its way to the grid
                    crossings.leaves(self, car)
                if car.visits and car.visits[-1].out_ms is None:
                    car.visits[-1].out_ms = at
            case TyreChange():
                car.fit(message, racing=self.started_ms is not None)
                del car.sets[: -stints_of_car(len(self.cars))]
            case SectorTime():
                retirements.lives(self, car, at)
                self.bests.sector(car, message.sector, message.time_ms)
                if message.sector != 3:  # the third ends at the finish line: the lap's record tells
                    self._official(car, Place(message.sector, message.lap, at))
            case Timing():
                self._timing(car, message)
            case Retirement():
                car.retired, car.stopped = not message.revoked, False
                self.moved.add(car.number)

    def complete(self, car: Car, lap: LapUpdate) -> None:
        """Apply a completed or revised lap."""
        if self.parts is None and self.started_ms is not None and lap.end_ms <= self.started_ms:
            return  # it was driven to the grid
        self.touched.add(car.number)
        known = car.official_at[FINISH]
        first_told = known is None or lap.lap_number > known[0]
        if lap.speed_st is not None:
            car.speed_trap = max(lap.speed_st, car.speed_trap or 0)
        if self.places is not None and car.seen_at:
            crossings.learn(self, self.places, car.seen_at)
        car.seen_at.clear()
        if self.places is None and lap.official and lap.lap_time_ms is not None and not lap.deleted:
            self.mini_sectors.learn(car.number, lap.end_ms, lap.lap_time_ms)
        if lap.official and first_told:
            self._official(car, Place(FINISH, lap.lap_number, lap.end_ms))
        if self.official and lap.official:
            crossings.lap_end(self, car, lap.lap_number, lap.end_ms)
            # A lap through the pit lane is no best lap of practice or qualifying: the feed never made it one.
            counts = not lap.deleted and not (self.parts is not None and lap.in_or_out_lap)
            crossings.lap_time(self, car, lap.lap_number, lap.lap_time_ms if counts else None)
            if lap.lap_time_ms is not None:
                self.bests.delete(car, lap.lap_time_ms, lap.emitted_ms if lap.deleted else None)
            if lap.lap_time_ms is not None and lap.lap_number == car.lap:
                car.last_lap = (lap.lap_number, lap.lap_time_ms)
            if lap.compound is not None and lap.lap_number == car.lap and not car.in_pit:
                car.wears(lap.compound, lap.tyre_life, lap.lap_number)
                del car.sets[: -stints_of_car(len(self.cars))]

    def _official(self, car: Car, place: Place) -> None:
        """An official time: learn where the place is, count the lap."""
        if place.place != FINISH:
            car.awaited.append((place.place, place.lap, place.time_ms))
            del car.awaited[:-AWAITED]
        car.official_at[place.place] = (place.lap, place.time_ms)
        crossings.compare(self, car, place.place)
        if self.official and place.place == FINISH:
            if self.places is not None:
                car.count_laps(place.lap, self.places.length_m)
            crossings.crosses(self, car, place.lap * LINES, place.time_ms)
            crossings.lap_end(self, car, place.lap, place.time_ms)
            if car.corrects(place.lap * LINES, place.time_ms):
                self.moved.update(self.cars)  # others are measured against that time

    def _timing(self, car: Car, shown: Timing) -> None:
        """What the feed shows of a car: the truth about what happened before we listened."""
        before, car.timing = car.timing, shown
        if shown.position != (before and before.position):
            self.placed_ms = shown.session_time_ms
            self.moved.add(car.number)
        if self.parts is not None and self.official:
            if before is None and shown.laps:  # the feed counts a lap when it begins
                car.line = max(car.line, (shown.laps - (shown.in_pit is not True)) * LINES)
            if shown.bests or before is None or before.knocked_out != shown.knocked_out:
                self.moved.add(car.number)
        if self.official:
            self._show_bests(car, shown)
        if before is None and shown.in_pit is not None:  # later it enters and leaves the pits
            car.in_pit, car.led_at_pit_in = shown.in_pit, max(self.laps_led, shown.laps or 0)
        if before is not None and before.stopped and not shown.stopped:
            retirements.lives(self, car, shown.session_time_ms)
        self._join_late(car, shown, is_first=before is None)
        self._compare_gap(car, shown)

    def _show_bests(self, car: Car, shown: Timing) -> None:
        fastest = self.bests.fastest()
        for best in shown.bests:
            self.bests.show(car, best, shown.session_time_ms)
        if self.bests.fastest() != fastest:
            self.touched.update(self.cars)  # who had it has it no more

    def _join_late(self, car: Car, shown: Timing, *, is_first: bool) -> None:
        if self.parts is None and self.official:
            crossings.join_late(self, car, shown, is_first=is_first)

    def _compare_gap(self, car: Car, told: Timing) -> None:
        measured = self.gaps[car.number]
        if self.started_ms is None or self.suspended or self.parts is not None or car.in_pit or car.finished:
            return
        if told.gap_ms is not None and measured.ms is not None and measured.laps == 0 and self.order[0] != car.number:
            self.gap_errors.append(measured.ms - told.gap_ms)
            del self.gap_errors[:-COMPARED]

    # -- where the cars are ----------------------------------------------------------------------------

    def sample(self, car: Car, t: int, s: float, x: float, y: float, speed: float, drs: int | None = None) -> None:
        """Apply one sample: session time (ms), metres along the reference line, X, Y (1/10 m), km/h, DRS open (1)."""
        crossings.sample(self, car, t, s, x, y, speed, drs)

    def settle(self, now: int) -> bool:
        """All facts up to ``now`` (ms) are in: update order and distances. True when the cars were ranked again."""
        crossings.coast(self, now)
        if now % 1_000 == 0:
            retirements.retire(self, now)
            ranking.choose_source(self, now)
            self._drop_deleted(now)
        if self.stops_told and self.parts is None:
            self.stops_told = False
            self.pit_loss = pit_loss(self.cars.values(), self.conditions)
        return ranking.update_ranking(self)

    def _drop_deleted(self, now: int) -> None:
        dropped = {car.number for car in self.cars.values() if self.bests.drop_deleted(car, now)}
        if dropped:
            self.moved.update(dropped)
            self.touched.update(self.cars)  # another car may have the fastest lap now


_RACE = TypeAdapter(Race)
