"""Facts of one car applied to the race: laps, pit lane, tyres, official times, the feed's own timing.

``apply_lap`` and ``apply_car_message`` are the entry points. Samples are applied by ``crossings``.
"""

from __future__ import annotations

from typing import assert_never

from f1stream.race import crossings, retirements
from f1stream.race.car import LINES, NEXT_UNKNOWN, Car, PitVisit
from f1stream.race.limits import AWAITED, COMPARED, stints_of_car
from f1stream.race.state import Race
from f1stream.race.timing_points import FINISH, Passing
from models import LapUpdate, MiniSector, PitIn, PitOut, Retirement, SectorTime, Timing, TyreChange

CarMessage = PitIn | PitOut | TyreChange | SectorTime | MiniSector | Retirement | Timing


def apply_car_message(race: Race, car: Car, message: CarMessage) -> None:
    """Apply one message about ``car``."""
    at = message.session_time_ms
    race.pit_loss_outdated |= isinstance(message, PitIn | PitOut | TyreChange)
    match message:
        case PitIn():
            retirements.record_sign_of_life(race, car, at)
            car.in_pit, car.led_at_pit_in, car.next_m = True, race.laps_led, NEXT_UNKNOWN
            car.visits.append(PitVisit(message.lap, at, suspended=race.suspended))
            del car.visits[: -stints_of_car(len(race.cars))]
            race.colours.interrupt(car.number)
            race.pit_lane.enter(car.number)
        case PitOut():
            retirements.record_sign_of_life(race, car, at)
            car.in_pit, car.stationary_since, car.next_m = False, None, NEXT_UNKNOWN
            race.pit_lane.leave(car.number)
            if race.started_ms is not None:  # before the start it was on its way to the grid
                crossings.release_pit_lane_starter(race, car)
            if car.visits and car.visits[-1].out_ms is None:
                car.visits[-1].out_ms = at
        case TyreChange():
            car.fit_tyres(message, racing=race.started_ms is not None)
            del car.sets[: -stints_of_car(len(race.cars))]
        case SectorTime():
            retirements.record_sign_of_life(race, car, at)
            race.bests.sector(car, message.sector, message.time_ms)
            if message.sector != 3:  # sector 3 ends at the finish line, whose official time is in the lap record
                _apply_official_passing(race, car, Passing(message.sector, message.lap, at))
        case MiniSector():
            race.recoloured.update(race.colours.apply(message) & race.cars.keys())
            if message.change == "passed":
                crossings.apply_mini_sector(race, car, message)
        case Timing():
            _apply_timing(race, car, message)
        case Retirement():
            car.retired, car.stopped = not message.revoked, False
            race.needs_ranking.add(car.number)
        case _:
            assert_never(message)


def apply_lap(race: Race, car: Car, lap: LapUpdate) -> None:
    """Apply a completed or revised lap."""
    if race.parts is None and race.started_ms is not None and lap.end_ms <= race.started_ms:
        return  # a lap to the grid
    race.changed.add(car.number)
    known = car.official_at[FINISH]
    is_new = known is None or lap.lap_number > known[0]
    if lap.speed_st is not None:
        car.speed_trap = max(lap.speed_st, car.speed_trap or 0)
    if race.timing_points is not None and car.seen_at:
        crossings.learn_points(race, race.timing_points, car.seen_at)
    car.seen_at.clear()
    if race.timing_points is None and lap.official and lap.lap_time_ms is not None and not lap.deleted:
        race.mini_sectors.learn(car.number, lap.end_ms, lap.lap_time_ms)
    if lap.official and is_new:
        _apply_official_passing(race, car, Passing(FINISH, lap.lap_number, lap.end_ms))
    if race.official and lap.official:
        crossings.record_lap_end(race, car, lap.lap_number, lap.end_ms)
        # A lap through the pit lane is no best lap of practice or qualifying: the feed never made it one.
        counts = not lap.deleted and not (race.parts is not None and lap.in_or_out_lap)
        crossings.record_lap_time(race, car, lap.lap_number, lap.lap_time_ms if counts else None)
        if lap.lap_time_ms is not None:
            race.bests.delete(car, lap.lap_time_ms, lap.emitted_ms if lap.deleted else None)
        if lap.lap_time_ms is not None and lap.lap_number == car.lap:
            car.last_lap = (lap.lap_number, lap.lap_time_ms)
        if lap.compound is not None and lap.lap_number == car.lap and not car.in_pit:
            car.update_tyres(lap.compound, lap.tyre_life, lap.lap_number)
            del car.sets[: -stints_of_car(len(race.cars))]


def _apply_official_passing(race: Race, car: Car, passing: Passing) -> None:
    """Apply an official time at a timing point: learn where the point is; at the finish line, count the lap."""
    if passing.point != FINISH:
        car.awaited.append((passing.point, passing.lap, passing.time_ms))
        del car.awaited[:-AWAITED]
    car.official_at[passing.point] = (passing.lap, passing.time_ms)
    crossings.compare_with_official(race, car, passing.point)
    if race.official and passing.point == FINISH:
        if race.timing_points is not None:
            car.correct_lap_count(passing.lap, race.timing_points.length_m)
        crossings.cross_line(race, car, passing.lap * LINES, passing.time_ms)
        crossings.record_lap_end(race, car, passing.lap, passing.time_ms)
        if car.correct_time(passing.lap * LINES, passing.time_ms):
            race.needs_ranking.update(race.cars)  # gaps of other cars are measured against that time


def _apply_timing(race: Race, car: Car, shown: Timing) -> None:
    """Apply what the feed's own timing shows of a car: the only source for what happened before the run began."""
    before, car.timing = car.timing, shown
    if shown.position != (before and before.position):
        race.placed_ms = shown.session_time_ms
        race.needs_ranking.add(car.number)
    if race.parts is not None and race.official:
        if before is None and shown.laps:  # the feed counts a lap when it begins
            car.line = max(car.line, (shown.laps - (shown.in_pit is not True)) * LINES)
        if shown.bests or before is None or before.knocked_out != shown.knocked_out:
            race.needs_ranking.add(car.number)
    if race.official:
        _apply_feed_bests(race, car, shown)
    if before is None and shown.in_pit is not None:  # later changes come as PitIn and PitOut
        car.in_pit, car.led_at_pit_in = shown.in_pit, max(race.laps_led, shown.laps or 0)
    if before is not None and before.stopped and not shown.stopped:
        retirements.record_sign_of_life(race, car, shown.session_time_ms)
    correct_missed_laps(race, car, shown, is_first=before is None)
    _compare_gap(race, car, shown)


def _apply_feed_bests(race: Race, car: Car, shown: Timing) -> None:
    fastest = race.bests.fastest()
    for best in shown.bests:
        race.bests.show(car, best, shown.session_time_ms)
    if race.bests.fastest() != fastest:
        race.changed.update(race.cars)  # the car that had the fastest lap loses its mark


def correct_missed_laps(race: Race, car: Car, shown: Timing, *, is_first: bool) -> None:
    """Take over the feed's lap count of a race where laps were missed: the run began late, or the feed was silent.

    Without a reference line only; with one, positions and official lap ends correct the count. When the missed laps
    ended is unknown. One lap more than counted is a lap that has just ended, whose record follows with its time;
    only in the first message about a car (``is_first``) it is an earlier one.
    """
    if race.parts is not None or not race.official:
        return
    if race.started_ms is None or race.timing_points is not None or shown.laps is None:
        return
    missed = shown.laps - car.lap
    if missed > 1 or (missed == 1 and is_first):
        car.line, car.line_ms, car.lap_end_ms = shown.laps * LINES, shown.session_time_ms, None
        car.times.clear()
        race.laps_led = max(race.laps_led, shown.laps)
        race.needs_ranking.add(car.number)


def _compare_gap(race: Race, car: Car, shown: Timing) -> None:
    measured = race.gaps[car.number]
    if race.started_ms is None or race.suspended or race.parts is not None or car.in_pit or car.finished:
        return
    if shown.gap_ms is not None and measured.ms is not None and measured.laps == 0 and race.order[0] != car.number:
        race.gap_errors.append(measured.ms - shown.gap_ms)
        del race.gap_errors[:-COMPARED]
