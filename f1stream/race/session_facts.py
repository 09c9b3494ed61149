"""Facts of the session applied to the race: start, red flag, flag, parts of a qualifying, race control; and time.

``apply_message`` and ``apply_time`` are the entry points; messages about one car go on to ``car_facts``.
"""

from __future__ import annotations

from typing import assert_never

from f1stream.race import crossings, retirements
from f1stream.race.car_facts import apply_car_message, correct_missed_laps
from f1stream.race.limits import CONDITIONS
from f1stream.race.penalties import update_cases
from f1stream.race.pit_loss import OF_STATUS, pit_loss
from f1stream.race.ranking import choose_source, update_ranking
from f1stream.race.state import Race
from f1stream.race.timed import Parts
from models import (
    Entries,
    LapCount,
    Message,
    MiniSector,
    Notice,
    PitIn,
    PitOut,
    RaceControl,
    Retirement,
    SectorTime,
    SessionClock,
    SessionEnd,
    SessionInfo,
    SessionPart,
    SessionStatus,
    TeamRadio,
    Timing,
    Track,
    TrackStatus,
    TyreChange,
    Weather,
)
from models.session_start import start_after
from models.session_type import is_race

SECOND_MS = 1_000
"""ms. Rules that depend on time alone are applied once in so much session time."""


def apply_message(race: Race, message: Message) -> None:
    """Apply one message of the session."""
    race.broadcast.apply(message)
    if isinstance(message, SessionStatus | RaceControl):
        _update_start(race, message)
    match message:
        case SessionInfo():
            race.total_laps = message.total_laps
            race.parts = None if is_race(message.type) else Parts()
        case TrackStatus():
            race.conditions.append((message.session_time_ms, OF_STATUS.get(message.status, "green")))
            del race.conditions[:-CONDITIONS]
            race.pit_loss_outdated = True
        case LapCount():
            race.total_laps = message.total_laps
        case SessionPart():
            _begin_part(race, message)
        case SessionStatus():
            _apply_status(race, message.status, message.session_time_ms)
        case RaceControl():
            _update_cases(race, message)
        case PitIn() | PitOut() | TyreChange() | SectorTime() | MiniSector() | Retirement() | Timing():
            if (car := race.cars.get(message.driver_number)) is not None:
                if not isinstance(message, MiniSector):  # it changes a colour, see ``recoloured``
                    race.changed.add(car.number)
                apply_car_message(race, car, message)
        case Entries() | Track() | SessionEnd():  # applied by the stage that makes the frames
            pass
        case Weather() | SessionClock() | TeamRadio() | Notice():  # shown as published, see ``broadcast``
            pass
        case _:
            assert_never(message)


def apply_time(race: Race, now: int) -> bool:
    """Apply what follows from session time ``now`` (ms), all facts up to it being applied, and rank the cars.

    True if their order or gaps may have changed.
    """
    crossings.coast(race, now)
    if now % SECOND_MS == 0:
        retirements.retire_silent(race, now)
        choose_source(race, now)
        _drop_deleted(race, now)
    if race.pit_loss_outdated and race.parts is None:
        race.pit_loss_outdated = False
        race.pit_loss = pit_loss(race.cars.values(), race.conditions)
    return update_ranking(race, now)


def _update_start(race: Race, message: SessionStatus | RaceControl) -> None:
    started_ms = start_after(race.started_ms, message, first_lap_over=race.laps_led > 0)
    if started_ms == race.started_ms:
        return
    race.started_ms = started_ms
    race.changed.update(race.cars)
    for car in race.cars.values():
        if started_ms is not None:
            car.start(started_ms, race.timing_points)
            if car.timing is not None and car.timing.session_time_ms >= started_ms:
                correct_missed_laps(race, car, car.timing, is_first=True)
        else:  # aborted: what the car has driven since the start does not count
            car.line = -1
            car.times.clear()


def _update_cases(race: Race, message: RaceControl) -> None:
    before, race.cases = race.cases, update_cases(race.cases, message)
    if race.cases is not before:
        concerned = {number for case in (*before, *race.cases) for number in case.cars}
        race.changed.update(concerned & race.cars.keys())


def _begin_part(race: Race, message: SessionPart) -> None:
    if race.parts is None:
        return
    race.parts.goes_on = message.goes_on
    while message.part > len(race.parts.entries):
        race.parts.entries.append(message.entries if message.part == len(race.parts.entries) + 1 else None)
        race.bests.begin_part(list(race.cars.values()), message.session_time_ms)
        race.colours.begin()
    race.needs_ranking.update(race.cars)
    race.changed.update(race.cars)


def _apply_status(race: Race, status: str, at: int) -> None:
    race.status = status
    race.needs_ranking.update(race.cars)
    race.changed.update(race.cars)
    if status == "Started":
        race.suspended, race.resumed_ms = False, at
    elif status == "Aborted" and race.started_ms is not None:
        race.suspended = True
        for car in race.cars.values():
            if car.in_pit and car.visits:
                car.visits[-1].suspended = True
    elif status == "Finished" and race.parts is None and race.flag_ms is None and race.started_ms is not None:
        crossings.show_chequered_flag(race, at)
        if race.suspended:  # the race is not resumed: no car drives to the flag
            crossings.finish_all(race)


def _drop_deleted(race: Race, now: int) -> None:
    """Drop best laps that the feed still shows although race control has deleted them; see ``Bests``."""
    dropped = {car.number for car in race.cars.values() if race.bests.drop_deleted(car, now)}
    if dropped:
        race.needs_ranking.update(dropped)
        race.changed.update(race.cars)  # another car may have the fastest lap now
