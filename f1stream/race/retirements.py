"""Which cars are out of a race: the feed says so, or nothing is heard of them any more.

Signs of life are what only a car that moves can cause: a line or a mini-sector passed, a sector time, the ends of the
pit lane, speed. Position and gap are none: they change as others go by.
"""

from __future__ import annotations

from f1stream.race.car import Car
from f1stream.race.state import Race

SILENT_MS = 120_000
"""ms. A car without a sign of life for longer, with the race on and others heard, is out until it gives one."""
STOPPED_MS = 20_000
"""ms. The same where the feed says ``Stopped``. In 14 recordings it said so 21 to 166 s after the last sign of life
of a car that stayed where it was, and up to 10 s after that of one that only drove slowly."""
PAUSES = 1.5
"""A silence of so many of the field's longest pauses is usual: of a feed with laps only, a pause is a lap."""
FEED_SILENT_MS = 30_000
"""ms. Without a sign of life of any car for longer the feed was silent, and waits for all begin again."""
GARAGE_LAPS = 3
"""The leader has completed so many laps since a car came in, and it is silent: it is in its garage. No stop takes so
long."""
MOVING_KMH = 30
"""A slower car may be pushed, or lifted off the track."""
OFTEN_MS = 1_000
"""Speed is a sign of life once in so many ms."""


def record_sign_of_life(race: Race, car: Car, at: int) -> None:
    """``car`` gave a sign of life at session time ``at`` (ms): what was believed of its silence is taken back."""
    if race.started_ms is None:
        return
    since = race.started_ms if car.heard_ms is None else car.heard_ms
    if at < since or (at == since and car.heard_ms is not None):
        return
    silence = at - max(race.heard_ms, race.resumed_ms)
    if race.heard_ms > race.started_ms and silence > FEED_SILENT_MS and silence > _usual_pause(race):
        race.resumed_ms = at
    car.pause_ms, car.heard_ms = at - max(since, race.resumed_ms), at
    race.heard_ms = max(race.heard_ms, at)
    if car.stopped:
        car.retired = car.stopped = False
        race.needs_ranking.add(car.number)
        race.changed.add(car.number)


def retire_silent(race: Race, now: int) -> None:
    """Retire the cars that are out at session time ``now`` without a retirement of the feed's."""
    if race.started_ms is None or race.parts is not None:
        return
    limit = max(SILENT_MS, _usual_pause(race))
    for car in race.cars.values():
        if not (car.retired or car.finished) and _is_out(race, car, race.started_ms, now, limit):
            car.retired = car.stopped = True
            race.needs_ranking.add(car.number)
            race.changed.add(car.number)


def _is_out(race: Race, car: Car, started_ms: int, now: int, limit: int) -> bool:
    heard = started_ms if car.heard_ms is None else car.heard_ms
    if car.timing is not None and car.timing.stopped and not (car.in_pit and race.suspended):
        return now - heard > STOPPED_MS
    if race.suspended or race.heard_ms < started_ms:  # nobody was heard: the feed has no timing
        return False
    if car.in_pit and car.heard_ms is not None and race.flag_ms is None:
        return race.laps_led - car.led_at_pit_in >= GARAGE_LAPS and now - heard > STOPPED_MS
    # Counted up to the last sign of life of anybody: where the feed is silent, nobody is out. After the flag the
    # others have nothing left to show.
    until = race.heard_ms if race.flag_ms is None else now
    return until - max(heard, race.resumed_ms, race.flag_ms or 0) > limit


def _usual_pause(race: Race) -> int:
    return round(PAUSES * max((car.pause_ms for car in race.cars.values() if not car.retired), default=0))
