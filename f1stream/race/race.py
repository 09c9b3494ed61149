"""A race at session time: everything that is known of it, one fact after the other.

Facts are applied in the order in which they became known. Nothing here asks for the wall clock or does I/O, and
the state is plain values: it is a table's value, and a race read back goes on as if nothing had happened.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated

from pydantic import PlainSerializer, TypeAdapter

from f1stream.race.bests import Bests
from f1stream.race.bulletins import Bulletins
from f1stream.race.car import LINES, RETHINK, Car, Visit
from f1stream.race.colours import JUMP_M, Colours
from f1stream.race.columns import Columns
from f1stream.race.mini_sectors import MiniSectors
from f1stream.race.order import LEADER, UNKNOWN, Distance, behind, rank
from f1stream.race.penalties import Case, decided
from f1stream.race.pit_lane import PitLane
from f1stream.race.pit_loss import OF_STATUS, Condition, pit_loss
from f1stream.race.places import FINISH, PIT_FINISH, Compared, Place, Places
from f1stream.race.progress import MS_PER_HOUR, Progress
from f1stream.race.timed import RACES, Parts, distances
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
from models.frame import PitLoss

STOPPED_MS = 120_000
"""A car that crosses no line for so long, out of the pits and with the race on, is out of it until it does."""
FLAG_MS = 1_000
"""The feed's word for the end of the race and the leader's crossing lie no further apart."""
Numbers = Annotated[set[str], PlainSerializer(sorted)]
"""Cars. A set's own order differs between processes; the same race has the same dump in all."""


@dataclass(slots=True)
class Race:
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
    flag_ms: int | None = None
    """When the leader took the chequered flag."""
    bulletins: Bulletins = field(default_factory=Bulletins)
    cases: tuple[Case, ...] = ()
    """Before the stewards; replaced, never changed in place."""
    conditions: list[tuple[int, Condition]] = field(default_factory=list)
    """(session time, what it was from then on)."""
    pit_loss: tuple[PitLoss, ...] = ()
    stops_told: bool = False
    """Something that can change ``pit_loss`` was told since it was last made."""
    mini_sectors: MiniSectors = field(default_factory=MiniSectors)
    """Where cars are as long as there is no line to find their positions on."""
    colours: Colours = field(default_factory=Colours)
    pit_lane: PitLane = field(default_factory=PitLane)
    bests: Bests = field(default_factory=Bests)
    order: list[str] = field(default_factory=list)
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
    """Likewise measured gaps to the leader against the feed's own, when it told them (ms, signed)."""

    @classmethod
    def of(cls, entries: list[Entry], official: bool = True) -> Race:
        """A race before its start, ``entries`` in grid order."""
        cars = {e.driver_number: Car(e.driver_number, grid, waits=e.pit_lane_start) for grid, e in enumerate(entries)}
        race = cls(cars, official, order=list(cars), moved=set(cars), touched=set(cars))
        race.gaps, race.intervals = dict.fromkeys(cars, UNKNOWN), dict.fromkeys(cars, UNKNOWN)
        race.columns = Columns.of(len(cars))
        return race

    @property
    def lap(self) -> int:
        """The lap the leader is on: 0 before the start or where the order is by time, the last one after the flag."""
        if self.started_ms is None or self.parts is not None:
            return 0
        return min(self.laps_led + 1, self.total_laps) if self.total_laps else self.laps_led + 1

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
            car.awaited.clear()
        self.places = places
        self.colours.lay_line()
        self.touched.update(self.cars)

    # -- facts of the session --------------------------------------------------------------------------

    def tell(self, message: Message) -> None:
        """Apply one message."""
        self.bulletins.tell(message)
        match message:
            case SessionInfo():
                self.total_laps = message.total_laps
                self.parts = None if message.type in RACES else Parts()
            case TrackStatus():
                self.conditions.append((message.session_time_ms, OF_STATUS.get(message.status, "green")))
                self.stops_told = True
            case LapCount():
                self.total_laps = message.total_laps
            case SessionPart():
                self._begin_part(message)
            case SessionStatus():
                self._session_status(message.status, message.session_time_ms)
            case RaceControl() if message.message.startswith("ABORTED START"):
                self._abort_start()
            case RaceControl():
                self._stewards(message)
            case MiniSector() if message.driver_number in self.cars:
                self.colours.tell(message)
                self.touched.add(message.driver_number)
                if self.places is None and message.change == "passed":
                    self._mini_sector(self.cars[message.driver_number], message)
            case PitIn() | PitOut() | TyreChange() | SectorTime() | Retirement() | Timing():
                if (car := self.cars.get(message.driver_number)) is not None:
                    self.touched.add(car.number)
                    self._tell_of_car(car, message)
            case _:  # entries, track and end shape the stream of frames, not the race
                pass

    def _stewards(self, message: RaceControl) -> None:
        before, self.cases = self.cases, decided(self.cases, message)
        if self.cases is not before:
            told = {number for case in (*before, *self.cases) for number in case.cars}
            self.touched.update(told & self.cars.keys())

    def _begin_part(self, message: SessionPart) -> None:
        if self.parts is None:
            return
        self.parts.goes_on = message.goes_on
        if message.part > len(self.parts.entries):
            self.parts.entries.append(message.entries)
            told = {number: known[0] for number, car in self.cars.items() if (known := car.official_at[FINISH])}
            self.bests.begin_part(list(self.cars.values()), told)
            self.colours.begin()
        self.moved.update(self.cars)
        self.touched.update(self.cars)

    def _session_status(self, status: str, at: int) -> None:
        self.status = status
        self.moved.update(self.cars)
        self.touched.update(self.cars)
        if status == "Started":
            if self.started_ms is None:
                self._start(at)
            self.suspended, self.resumed_ms = False, at
        elif status == "Aborted" and self.started_ms is not None:
            self.suspended = True
            for car in self.cars.values():
                if car.in_pit and car.visits:
                    car.visits[-1].suspended = True
        elif status == "Finished" and self.parts is None and self.flag_ms is None and self.started_ms is not None:
            self._chequered(at)

    def _start(self, at: int) -> None:
        self.started_ms = at
        for car in self.cars.values():
            car.line_ms = at
            car.visits.clear()  # laps to the grid go through the pit lane
            if self.places is not None:
                car.line_up(self.places.length_m)

    def _abort_start(self) -> None:
        """The next start is the start, unless the race is on already."""
        if self.started_ms is not None and self.laps_led == 0:
            self.started_ms = None
            for car in self.cars.values():
                car.line = -1
                car.times.clear()

    # -- facts of a car --------------------------------------------------------------------------------

    def _tell_of_car(self, car: Car, message: PitIn | PitOut | TyreChange | SectorTime | Retirement | Timing) -> None:
        at = message.session_time_ms
        self.stops_told |= isinstance(message, PitIn | PitOut | TyreChange)
        match message:
            case PitIn():
                car.in_pit, car.next_m = True, RETHINK
                car.visits.append(Visit(message.lap, at, suspended=self.suspended))
                self.colours.interrupt(car.number)
                self.pit_lane.enters(car.number)
            case PitOut():
                car.in_pit, car.standing_from, car.next_m = False, None, RETHINK
                self.pit_lane.leaves(car.number)
                if self.started_ms is not None:  # before the start it was on its way to the grid
                    self._leaves(car)
                if car.visits and car.visits[-1].out_ms is None:
                    car.visits[-1].out_ms = at
            case TyreChange():
                car.fit(message, racing=self.started_ms is not None)
            case SectorTime():
                self.bests.sector(car, message.sector, message.time_ms)
                if message.sector != 3:  # the third ends at the finish line: the lap's record tells
                    self._official(car, Place(message.sector, message.lap, at))
            case Timing():
                car.timing = message
                self._compare_gap(car, message)
            case Retirement():
                car.retired, car.stopped = True, False
                self.moved.add(car.number)

    def complete(self, car: Car, lap: LapUpdate) -> None:
        """Apply a completed or revised lap."""
        self.touched.add(car.number)
        known = car.official_at[FINISH]
        first_told = known is None or lap.lap_number > known[0]
        if lap.speed_st is not None:
            car.speed_trap = max(lap.speed_st, car.speed_trap or 0)
        if self.places is not None and car.seen_at:
            for place, metres in car.seen_at:
                self.places.learn(place, metres)
            for other in self.cars.values():
                other.next_m = RETHINK
            if self.colours.learn(self.places):
                self.touched.update(self.cars)
        car.seen_at.clear()
        if self.places is None and lap.official and lap.lap_time_ms is not None and not lap.deleted:
            self.mini_sectors.learn(car.number, lap.end_ms, lap.lap_time_ms)
        if lap.official and first_told:
            self._official(car, Place(FINISH, lap.lap_number, lap.end_ms))
        if self.official and lap.official:
            self._lap_time(car, lap.lap_number, None if lap.deleted else lap.lap_time_ms)
            if lap.lap_time_ms is not None and lap.lap_number == car.lap:
                car.last_lap = (lap.lap_number, lap.lap_time_ms)
            if lap.compound is not None and lap.lap_number == car.lap and not car.in_pit:
                car.wears(lap.compound, lap.tyre_life, lap.lap_number)

    def _official(self, car: Car, place: Place) -> None:
        """An official time: learn where the place is, count the lap."""
        learned_at = PIT_FINISH if place.place == FINISH and car.in_pit else place.place
        if learned_at != FINISH:
            car.awaited.append((learned_at, place.lap, place.time_ms))
        car.official_at[place.place] = (place.lap, place.time_ms)
        self._compare(car, place.place)
        if self.official and place.place == FINISH:
            if self.places is not None:
                car.count_laps(place.lap, self.places.length_m)
            self._crosses(car, place.lap * LINES, place.time_ms)
            self._lap_end(car, place.lap, place.time_ms)
            if car.corrects(place.lap * LINES, place.time_ms):
                self.moved.update(self.cars)  # others are measured against that time

    def _compare(self, car: Car, place: int) -> None:
        measured, official = car.measured_at[place], car.official_at[place]
        if measured is None or official is None or measured[0] != official[0]:
            return
        self.compared.append(Compared(car.number, place, measured[0], measured[1], official[1]))

    def _mini_sector(self, car: Car, message: MiniSector) -> None:
        """Its end is as good as a timing line, as long as it is the same line for all."""
        mini = f"{message.sector}.{message.mini_sector}"
        self.mini_sectors.passes(car.number, mini, message.session_time_ms)
        line = self.mini_sectors.lines.get(mini, LINES)
        if self.started_ms is not None and self.parts is None and line < LINES:  # the lap's end has an official time
            self._crosses(car, (message.lap - 1) * LINES + line, message.session_time_ms)

    def _compare_gap(self, car: Car, told: Timing) -> None:
        measured = self.gaps[car.number]
        if self.started_ms is None or self.suspended or self.parts is not None or car.in_pit or car.finished:
            return
        if told.gap_ms is not None and measured.ms is not None and measured.laps == 0 and self.order[0] != car.number:
            self.gap_errors.append(measured.ms - told.gap_ms)

    # -- where the cars are ----------------------------------------------------------------------------

    def sample(self, car: Car, t: int, s: float, x: float, y: float, speed: float, drs: int | None = None) -> None:
        """Apply one sample: session time (ms), metres along the reference line, X, Y (1/10 m), km/h, DRS open (1)."""
        if car.seen_ms is not None and t <= car.seen_ms:
            return
        there = x != 0 or y != 0  # the feed's way to say that it does not know
        car.seen_ms, car.coasted = t, False
        self.columns.put(car.grid, int(x) if there else None, int(y) if there else None, int(speed), t, drs)
        if car.in_pit:
            car.stands(t, speed)
            self.pit_lane.sample(car.number, x, y, speed)
        places = self.places
        if places is None:
            return
        m0, t0, speed0 = car.progress.m, car.progress.t, car.progress.speed
        m1 = car.progress.sample(t, s if there else None, speed, places.length_m)
        if m1 is None:
            return
        if m0 is None:
            car.found(places.length_m)
            return
        if abs(m1 - m0 - (speed0 + speed) * 0.5 * (t - t0) / MS_PER_HOUR) > JUMP_M:
            self.colours.interrupt(car.number)  # a hole in the data, or the car was elsewhere after all
        if car.awaited:
            car.sees(m0, t0, t, places)
        if m1 >= car.next_m and self.started_ms is not None:
            for place, line in car.passes(m0, t0, m1, t, places):
                self._measured(car, place, line)

    def _measured(self, car: Car, place: Place, line: int | None) -> None:
        """The samples showed ``car`` at a timing line (numbered ``line``) or a sector line (None)."""
        if line is not None:
            self._crosses(car, line, place.time_ms)
        if line is None or (line > 0 and line % LINES == 0):
            car.measured_at[place.place] = (place.lap, place.time_ms)
            self._compare(car, place.place)

    def _crosses(self, car: Car, line: int, time_ms: int) -> None:
        laps, since = car.lap, car.line
        if not car.crosses(line, time_ms):
            return
        if self.places is not None:
            self.touched.update(self.colours.crosses(car, since))
        self.moved.add(car.number)
        if car.stopped:
            car.retired = car.stopped = False
            self.touched.add(car.number)
        if car.lap > laps:
            self._ends_lap(car)

    def _ends_lap(self, car: Car) -> None:
        self.touched.add(car.number)
        self._leaves(car)  # for a feed that does not tell of the pit lane
        leads, self.laps_led = car.lap > self.laps_led, max(self.laps_led, car.lap)
        end = car.time_at(car.lap * LINES)
        if end is None or self.started_ms is None:
            return
        begin = car.lap_end_ms if car.lap_end_ms is not None else self.started_ms
        car.last_lap, car.lap_end_ms = (car.lap, end - begin), end
        self._lap_end(car, car.lap, end)
        if not self.official:
            self._lap_time(car, car.lap, end - begin)
        if self.flag_ms is None:
            if car.lap == self.total_laps:
                self._chequered(end)
        elif leads and 0 < self.flag_ms - end <= FLAG_MS:
            self._chequered(end)
        if self.flag_ms is not None and end >= self.flag_ms:
            car.finished = True

    def _lap_end(self, car: Car, lap: int, at: int) -> None:
        if car.lap_ends.get(str(lap)) != at:
            car.lap_ends[str(lap)] = at
            self.stops_told = True

    def _leaves(self, car: Car) -> None:
        if car.waits:
            car.waits = False
            self.moved.add(car.number)

    def _lap_time(self, car: Car, lap_number: int, ms: int | None) -> None:
        fastest = self.bests.fastest()
        self.bests.lap(car, lap_number, ms)
        if self.bests.fastest() != fastest:
            self.touched.update(self.cars)  # who had it has it no more
        if self.parts is not None:
            self.moved.add(car.number)

    def _chequered(self, at: int) -> None:
        """The flag is out from ``at`` on: whoever crosses the finish line then, or has since, is finished.

        The feed tells it to a tenth of a second or so; the leader's own crossing is exact.
        """
        leader = self.cars[self.order[0]]
        if leader.lap_end_ms is not None and 0 < at - leader.lap_end_ms <= FLAG_MS:
            at = leader.lap_end_ms
        self.flag_ms = at
        for car in self.cars.values():
            if car.lap_end_ms is not None and car.lap_end_ms >= at and car.lap > 0:
                car.finished = True
                self.touched.add(car.number)

    def settle(self, now: int) -> bool:
        """All facts up to ``now`` (ms) are in: order and distances follow. True when they were made anew."""
        self._coast(now)
        if now % 1_000 == 0:
            self._retire(now)
        if self.stops_told and self.parts is None:
            self.stops_told = False
            self.pit_loss = pit_loss(self.cars.values(), self.conditions)
        if not self.moved:
            return False
        if self.parts is not None:
            self._rank_by_time(self.parts)
            return True
        ranked = rank(self.cars.values())
        before = dict(pairwise(reversed(self.order)))
        new_leader = ranked[0].number != self.order[0]
        self.order = [car.number for car in ranked]
        if not self.suspended:  # the clock runs on, the gaps do not
            for ahead, car in zip([None, *ranked], ranked, strict=False):
                if new_leader or car.number in self.moved or before.get(car.number) != (ahead and ahead.number):
                    self._measure(car, ranked[0], ahead)
        self.moved.clear()
        return True

    def _rank_by_time(self, parts: Parts) -> None:
        ranked = parts.rank(list(self.cars.values()), self.bests)
        self.order = [car.number for car, _ in ranked]
        for number, (gap, interval) in distances(ranked, self.bests).items():
            self._apart(self.cars[number], gap, interval)
        for car, part in ranked:
            eliminated = part + 1 < len(parts.entries)
            if car.eliminated != eliminated:
                car.eliminated = eliminated
                self.touched.add(car.number)
        self.moved.clear()

    def _measure(self, car: Car, leader: Car, ahead: Car | None) -> None:
        leads = ahead is None
        gap = UNKNOWN if car.retired else LEADER if leads else behind(car, leader)
        interval = UNKNOWN if car.retired or ahead is None else behind(car, ahead)
        self._apart(car, gap, interval)

    def _apart(self, car: Car, gap: Distance, interval: Distance) -> None:
        self.gaps[car.number], self.intervals[car.number] = gap, interval
        self.columns.apart(car.grid, gap.ms, interval.ms)

    def _coast(self, now: int) -> None:
        if self.places is None or self.started_ms is None:
            return
        for car in self.cars.values():
            for place, line in car.coasts(now, self.places):
                self._measured(car, place, line)

    def _retire(self, now: int) -> None:
        """The written rule for feeds that do not tell: see STOPPED_MS."""
        if self.started_ms is None or self.suspended or self.flag_ms is not None or self.parts is not None:
            return
        for car in self.cars.values():
            stopped = now - max(car.line_ms, self.resumed_ms) > STOPPED_MS
            if stopped and not (car.retired or car.in_pit or car.finished):
                car.retired = car.stopped = True
                self.moved.add(car.number)
                self.touched.add(car.number)


_RACE = TypeAdapter(Race)
