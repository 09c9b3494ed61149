"""Where the cars are: from samples and official times to lines crossed, laps completed and the chequered flag."""

from __future__ import annotations

from f1stream.race.car import LINES, NEXT_UNKNOWN, Car
from f1stream.race.limits import COMPARED, laps_of_car, trim
from f1stream.race.mini_sector_colours import JUMP_M
from f1stream.race.passings import ProgressSample, coast_to_lines, observe, observed_finish, points_passed
from f1stream.race.progress import KMH, MS_PER_HOUR
from f1stream.race.retirements import MOVING_KMH, OFTEN_MS, record_sign_of_life
from f1stream.race.state import Race
from f1stream.race.timing_points import FINISH, MeasuredPassing, Observation, Passing, TimingPoints
from models import MiniSector

FLAG_MS = 1_000
"""ms. The feed's ``Finished`` and the leader's crossing are at most this far apart."""


def apply_sample(
    race: Race, car: Car, t: int, s: float, x: float, y: float, speed: float, drs: int | None = None
) -> None:
    """Apply one sample: session time (ms), metres along the reference line, X, Y (1/10 m), km/h, DRS open (1)."""
    if car.seen_ms is not None and t <= car.seen_ms:
        return
    has_position = x != 0 or y != 0  # the feed sends (0, 0) for an unknown position
    car.seen_ms, car.coasted = t, False
    if speed > MOVING_KMH and (car.heard_ms is None or t - car.heard_ms >= OFTEN_MS):
        record_sign_of_life(race, car, t)
    race.columns.put(car.grid, int(x) if has_position else None, int(y) if has_position else None, int(speed), t, drs)
    if car.in_pit:
        if car.update_visit(t, speed):
            race.changed.add(car.number)
        race.pit_lane.sample(car.number, x, y, speed)
    points = race.timing_points
    if points is None:
        return
    m0, t0, speed0 = car.progress.m, car.progress.t, car.progress.speed
    m1 = car.progress.sample(t, s if has_position else None, speed, points.length_m, car.in_pit)
    if m1 is None:
        return
    if m0 is None:
        car.set_lap(points.length_m)
        return
    if abs(m1 - m0 - (speed0 + speed) * 0.5 * (t - t0) / MS_PER_HOUR) > JUMP_M:
        race.colours.interrupt(car.number)  # a gap in the samples, or the earlier position was wrong
    is_passing = m1 >= car.next_m and race.started_ms is not None
    if is_passing or car.awaited:
        since, now = ProgressSample(m0, t0, speed0 / KMH), ProgressSample(m1, t, speed / KMH)
        if car.awaited:
            observe(car, since, now, points)
        if is_passing:
            for passing, line in points_passed(car, since, now, points):
                _apply_measured_passing(race, car, passing, line)


def _apply_measured_passing(race: Race, car: Car, passing: Passing, line: int | None) -> None:
    """Apply a passing that the samples show: of a timing line (numbered ``line``) or a sector line (None)."""
    if line is not None:
        cross_line(race, car, line, passing.time_ms)
    if line is None or (line > 0 and line % LINES == 0):
        car.measured_at[passing.point] = (passing.lap, passing.time_ms)
        compare_with_official(race, car, passing.point)


def apply_mini_sector(race: Race, car: Car, message: MiniSector) -> None:
    """Apply a mini-sector that ``car`` ended: without a reference line its end is a timing line, the same for all."""
    if message.mark is None and not car.in_pit:
        return  # the feed's code 2052: the car has stopped there
    record_sign_of_life(race, car, message.session_time_ms)
    if race.timing_points is not None:
        return
    mini = f"{message.sector}.{message.mini_sector}"
    race.mini_sectors.record(car.number, mini, message.session_time_ms)
    line = race.mini_sectors.lines.get(mini, LINES)
    if race.started_ms is not None and race.parts is None and line < LINES:  # the lap's end has an official time
        cross_line(race, car, (message.lap - 1) * LINES + line, message.session_time_ms)


def coast(race: Race, now: int) -> None:
    """Apply the lines that cars crossed after their last sample: see ``coast_to_lines``."""
    if race.timing_points is None or race.started_ms is None:
        return
    for car in race.cars.values():
        for passing, line in coast_to_lines(car, now, race.timing_points):
            _apply_measured_passing(race, car, passing, line)


def cross_line(race: Race, car: Car, line: int, time_ms: int) -> None:
    """Record that ``car`` crossed timing line ``line`` (counted from the start); may end its lap, or its race."""
    laps, since = car.lap, car.line
    if not car.cross(line, time_ms):
        return
    record_sign_of_life(race, car, time_ms)
    if race.timing_points is not None:
        race.recoloured.update(race.colours.cross(car, since))
    race.needs_ranking.add(car.number)
    if car.lap > laps:
        _end_lap(race, car)


def _end_lap(race: Race, car: Car) -> None:
    race.changed.add(car.number)
    release_pit_lane_starter(race, car)  # for feeds without pit messages
    leads, race.laps_led = car.lap > race.laps_led, max(race.laps_led, car.lap)
    end = car.time_at(car.lap * LINES)
    if end is None or race.started_ms is None:
        return
    begin = race.started_ms if car.lap == 1 else car.lap_end_ms
    car.last_lap, car.lap_end_ms = None if begin is None else (car.lap, end - begin), end
    record_lap_end(race, car, car.lap, end)
    if not race.official and begin is not None:
        record_lap_time(race, car, car.lap, end - begin)
    if race.flag_ms is None:
        if car.lap == race.total_laps:
            show_chequered_flag(race, end)
    elif leads and 0 < race.flag_ms - end <= FLAG_MS:
        show_chequered_flag(race, end)
    if race.flag_ms is not None and end >= race.flag_ms:
        car.finished = True


def record_lap_end(race: Race, car: Car, lap: int, at: int) -> None:
    """Record that a lap ended at session time ``at`` (ms); a changed end changes the cost of a pit stop."""
    if car.lap_ends.get(str(lap)) != at:
        car.lap_ends[str(lap)] = at
        trim(car.lap_ends, laps_of_car(len(race.cars)))
        race.pit_loss_outdated = True


def record_lap_time(race: Race, car: Car, lap_number: int, ms: int | None) -> None:
    """Record that ``car`` drove ``lap_number`` in ``ms``; None for a lap without a valid time."""
    fastest = race.bests.fastest()
    race.bests.lap(car, lap_number, ms, laps_of_car(len(race.cars)))
    if race.bests.fastest() != fastest:
        race.changed.update(race.cars)  # the car that had the fastest lap loses its mark
    if race.parts is not None:
        race.needs_ranking.add(car.number)


def release_pit_lane_starter(race: Race, car: Car) -> None:
    """A car that started from the pit lane has left it."""
    if car.waits:
        car.waits = False
        race.needs_ranking.add(car.number)


def show_chequered_flag(race: Race, at: int) -> None:
    """Show the flag from session time ``at`` (ms) on: cars finish at their first end of a lap from then on.

    The feed's time is exact to about 0.1 s; where it is close to the leader's own crossing, the crossing counts.
    """
    ends = [car.lap_end_ms for car in race.cars.values() if car.lap == race.laps_led and car.lap_end_ms is not None]
    if ends and 0 < at - min(ends) <= FLAG_MS:
        at = min(ends)
    race.flag_ms = at
    for car in race.cars.values():
        if car.lap_end_ms is not None and car.lap_end_ms >= at and car.lap > 0:
            car.finished = True
            race.changed.add(car.number)


def finish_all(race: Race) -> None:
    """End the race for every car that is not retired."""
    for car in race.cars.values():
        if not car.retired:
            car.finished = True
            race.changed.add(car.number)


def compare_with_official(race: Race, car: Car, point: int) -> None:
    """Note the measured beside the official time of a point, once both are known of the same lap."""
    measured, official = car.measured_at[point], car.official_at[point]
    if measured is None or official is None or measured[0] != official[0]:
        return
    race.compared.append(MeasuredPassing(car.number, point, measured[0], measured[1], official[1]))
    del race.compared[:-COMPARED]
    observed = observed_finish(car, measured[1] - official[1]) if point == FINISH else None
    if observed is not None and race.timing_points is not None:
        learn_points(race, race.timing_points, [observed])


def learn_points(race: Race, points: TimingPoints, observed: list[Observation]) -> None:
    """Learn where timing points are from observations of cars at official times."""
    points.learn(observed)
    for car in race.cars.values():
        car.next_m = NEXT_UNKNOWN
    if race.colours.learn(points):
        race.changed.update(race.cars)
