"""Where the cars are: from samples and official times to lines crossed, laps completed and the chequered flag."""

from __future__ import annotations

from f1stream.race.car import LINES, RETHINK, Car, Shown
from f1stream.race.colours import JUMP_M
from f1stream.race.kept import COMPARED, laps_of_car, trim
from f1stream.race.places import FINISH, Compared, Place, Places, Seen
from f1stream.race.progress import KMH, MS_PER_HOUR
from f1stream.race.retirements import MOVING_KMH, OFTEN_MS, lives
from f1stream.race.state import State
from models import MiniSector, Timing

FLAG_MS = 1_000
"""The feed's ``Finished`` and the leader's crossing lie no further apart, in ms."""


def sample(race: State, car: Car, t: int, s: float, x: float, y: float, speed: float, drs: int | None = None) -> None:
    """Apply one sample: session time (ms), metres along the reference line, X, Y (1/10 m), km/h, DRS open (1)."""
    if car.seen_ms is not None and t <= car.seen_ms:
        return
    there = x != 0 or y != 0  # the feed's way to say that it does not know
    car.seen_ms, car.coasted = t, False
    if speed > MOVING_KMH and (car.heard_ms is None or t - car.heard_ms >= OFTEN_MS):
        lives(race, car, t)
    race.columns.put(car.grid, int(x) if there else None, int(y) if there else None, int(speed), t, drs)
    if car.in_pit:
        car.stands(t, speed)
        race.pit_lane.sample(car.number, x, y, speed)
    places = race.places
    if places is None:
        return
    m0, t0, speed0 = car.progress.m, car.progress.t, car.progress.speed
    m1 = car.progress.sample(t, s if there else None, speed, places.length_m, car.in_pit)
    if m1 is None:
        return
    if m0 is None:
        car.found(places.length_m)
        return
    if abs(m1 - m0 - (speed0 + speed) * 0.5 * (t - t0) / MS_PER_HOUR) > JUMP_M:
        race.colours.interrupt(car.number)  # a hole in the data, or the car was elsewhere after all
    passing = m1 >= car.next_m and race.started_ms is not None
    if passing or car.awaited:
        since, now = Shown(m0, t0, speed0 / KMH), Shown(m1, t, speed / KMH)
        if car.awaited:
            car.sees(since, now, places)
        if passing:
            for place, line in car.passes(since, now, places):
                _measured(race, car, place, line)


def _measured(race: State, car: Car, place: Place, line: int | None) -> None:
    """The samples showed ``car`` at a timing line (numbered ``line``) or a sector line (None)."""
    if line is not None:
        crosses(race, car, line, place.time_ms)
    if line is None or (line > 0 and line % LINES == 0):
        car.measured_at[place.place] = (place.lap, place.time_ms)
        compare(race, car, place.place)


def crosses(race: State, car: Car, line: int, time_ms: int) -> None:
    """``car`` crossed timing line ``line`` (counted from the start): ends laps, finishes the race."""
    laps, since = car.lap, car.line
    if not car.crosses(line, time_ms):
        return
    lives(race, car, time_ms)
    if race.places is not None:
        race.touched.update(race.colours.crosses(car, since))
    race.moved.add(car.number)
    if car.lap > laps:
        _ends_lap(race, car)


def _ends_lap(race: State, car: Car) -> None:
    race.touched.add(car.number)
    leaves(race, car)  # for feeds without messages of the pit lane
    leads, race.laps_led = car.lap > race.laps_led, max(race.laps_led, car.lap)
    end = car.time_at(car.lap * LINES)
    if end is None or race.started_ms is None:
        return
    begin = race.started_ms if car.lap == 1 else car.lap_end_ms
    car.last_lap, car.lap_end_ms = None if begin is None else (car.lap, end - begin), end
    lap_end(race, car, car.lap, end)
    if not race.official and begin is not None:
        lap_time(race, car, car.lap, end - begin)
    if race.flag_ms is None:
        if car.lap == race.total_laps:
            chequered(race, end)
    elif leads and 0 < race.flag_ms - end <= FLAG_MS:
        chequered(race, end)
    if race.flag_ms is not None and end >= race.flag_ms:
        car.finished = True


def join_late(race: State, car: Car, shown: Timing, *, is_first: bool) -> None:
    """``car`` drove laps before we began to listen, or while the feed was silent: when they ended is not known.

    One lap more than we have counted is one that just ended: its record comes, with its time. Only in what we hear
    first of a car (``is_first``) is it an earlier one.
    """
    if race.started_ms is None or race.places is not None or shown.laps is None:
        return
    missed = shown.laps - car.lap
    if missed > 1 or (missed == 1 and is_first):
        car.line, car.line_ms, car.lap_end_ms = shown.laps * LINES, shown.session_time_ms, None
        car.times.clear()
        race.laps_led = max(race.laps_led, shown.laps)
        race.moved.add(car.number)


def mini_sector(race: State, car: Car, message: MiniSector) -> None:
    """Its end is as good as a timing line, as long as it is the same line for all."""
    if message.mark is None and not car.in_pit:
        return  # the feed's code 2052: it has stopped there
    lives(race, car, message.session_time_ms)
    if race.places is not None:
        return
    mini = f"{message.sector}.{message.mini_sector}"
    race.mini_sectors.passes(car.number, mini, message.session_time_ms)
    line = race.mini_sectors.lines.get(mini, LINES)
    if race.started_ms is not None and race.parts is None and line < LINES:  # the lap's end has an official time
        crosses(race, car, (message.lap - 1) * LINES + line, message.session_time_ms)


def compare(race: State, car: Car, place: int) -> None:
    """Note a measured time of a place beside its official one, when both are of the same lap."""
    measured, official = car.measured_at[place], car.official_at[place]
    if measured is None or official is None or measured[0] != official[0]:
        return
    race.compared.append(Compared(car.number, place, measured[0], measured[1], official[1]))
    del race.compared[:-COMPARED]
    seen = car.saw_finish(measured[1] - official[1]) if place == FINISH else None
    if seen is not None and race.places is not None:
        learn(race, race.places, [seen])


def learn(race: State, places: Places, seen: list[Seen]) -> None:
    """Cars were officially at places: what lies ahead of all cars may be elsewhere."""
    places.learn(seen)
    for car in race.cars.values():
        car.next_m = RETHINK
    if race.colours.learn(places):
        race.touched.update(race.cars)


def lap_end(race: State, car: Car, lap: int, at: int) -> None:
    """A lap ended at ``at`` (ms, session time); a changed end changes what a pit stop costs."""
    if car.lap_ends.get(str(lap)) != at:
        car.lap_ends[str(lap)] = at
        trim(car.lap_ends, laps_of_car(len(race.cars)))
        race.stops_told = True


def leaves(race: State, car: Car) -> None:
    """A car that waited in the pit lane for the start has left it."""
    if car.waits:
        car.waits = False
        race.moved.add(car.number)


def lap_time(race: State, car: Car, lap_number: int, ms: int | None) -> None:
    """``car`` drove ``lap_number`` in ``ms``; None for a lap without a valid time."""
    fastest = race.bests.fastest()
    race.bests.lap(car, lap_number, ms, laps_of_car(len(race.cars)))
    if race.bests.fastest() != fastest:
        race.touched.update(race.cars)  # who had it has it no more
    if race.parts is not None:
        race.moved.add(car.number)


def chequered(race: State, at: int) -> None:
    """The flag is out from ``at`` on: whoever crosses the finish line then, or has since, is finished.

    The feed's time is good to about 0.1 s; the leader's own crossing is exact.
    """
    ends = [car.lap_end_ms for car in race.cars.values() if car.lap == race.laps_led and car.lap_end_ms is not None]
    if ends and 0 < at - min(ends) <= FLAG_MS:  # the feed's own positions follow a moment later
        at = min(ends)
    race.flag_ms = at
    for car in race.cars.values():
        if car.lap_end_ms is not None and car.lap_end_ms >= at and car.lap > 0:
            car.finished = True
            race.touched.add(car.number)


def finish(race: State) -> None:
    """The race is over for every car that is in it still."""
    for car in race.cars.values():
        if not car.retired:
            car.finished = True
            race.touched.add(car.number)


def coast(race: State, now: int) -> None:
    """Cars that fell silent a moment before a line have crossed it: see ``Car.coasts``."""
    if race.places is None or race.started_ms is None:
        return
    for car in race.cars.values():
        for place, line in car.coasts(now, race.places):
            _measured(race, car, place, line)
